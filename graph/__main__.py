"""opencoder, also as python -m graph: all commands behind one name."""

import sys

from graph import command_line
from graph.support import terminal


def main(program: str = "opencoder") -> None:
    """Run the command line."""
    terminal.run(lambda: command_line.run(program, sys.argv[1:]))


if __name__ == "__main__":
    main("python -m graph")
