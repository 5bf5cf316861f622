"""The logger of the project; `graph/support/terminal.py` sends its lines to stderr."""

import logging

log = logging.getLogger("opencoder")
