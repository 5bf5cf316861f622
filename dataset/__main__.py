"""python -m dataset build | check: build corpora and datasets from dumps and exports, check tables."""

import argparse

from dataset.builders import build_command
from dataset.check import check_command
from graph.support import terminal
from graph.support.arguments import Parser, add_version


def main() -> None:
    """Run the command line."""
    terminal.run(lambda: run(_parser().parse_args()))


def run(arguments: argparse.Namespace) -> int:
    """Run the command that the arguments name; return its exit code."""
    if arguments.command == "build":
        return build_command.run(arguments)
    return check_command.run(arguments)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="python -m dataset")
    add_arguments(parser)
    return parser


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the commands and their arguments."""
    parser.description = __doc__
    add_version(parser)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    build_command.add_arguments(
        commands.add_parser("build", help="build a corpus or a dataset from a dump or an export")
    )
    check_command.add_arguments(
        commands.add_parser("check", help="look for faults, duplicates and leaks in a table")
    )


if __name__ == "__main__":
    main()
