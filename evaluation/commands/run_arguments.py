"""The argument that commands over finished runs share."""

import argparse

from graph.support.arguments import path


def add_runs(parser: argparse.ArgumentParser, help_text: str = "run folders") -> None:
    """Declare one or more run folders."""
    parser.add_argument("runs", nargs="+", type=path, metavar="RUN", help=help_text)
