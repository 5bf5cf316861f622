"""python -m dataset build | check: make corpora and datasets from dumps and exports, and check them."""

import argparse
import signal

import dataset.build.command as build
import dataset.check.command as check
from dataset.errors import InputError
from graph.support import terminal
from graph.support.errors import DatasetError
from graph.support.progress import progress
from graph.support.table_files import read_rows


def main() -> None:
    """Run the command line."""
    terminal.run(lambda: _run(_parser().parse_args()))


def _run(arguments: argparse.Namespace) -> int:
    try:
        if arguments.command == "build":
            return build.run(arguments, read_rows=read_rows, progress=progress)
        return check.run(arguments, check.Tools(read_rows, progress, terminal.safe_text))
    except InputError as error:
        raise DatasetError(str(error)) from None
    except KeyboardInterrupt:
        raise terminal.Interrupted(signal.SIGINT) from None


def _parser() -> argparse.ArgumentParser:
    parser = terminal.Parser(prog="python -m dataset", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    build.add_arguments(
        commands.add_parser("build", help="make a corpus or a dataset from a dump or an export")
    )
    check.add_arguments(
        commands.add_parser("check", help="look for faults, duplicates and leaks in a table")
    )
    return parser


if __name__ == "__main__":
    main()
