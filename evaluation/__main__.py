"""python -m evaluation COMMAND: measurements beside the runs of eval.py."""

import argparse
from typing import Protocol

from evaluation.commands import calibrate_command as calibrate
from evaluation.commands import compare_command as compare
from evaluation.commands import headroom_command as headroom
from evaluation.commands import judge_command as judge
from evaluation.commands import ragas_command as ragas
from evaluation.commands import report_command as report
from evaluation.commands import retrieval_command as retrieval
from evaluation.commands import verify_command as verify
from graph.support import terminal


class Command(Protocol):
    """A module that is one command; the first line of its docstring is its help."""

    __doc__: str | None

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the command's own arguments."""
        ...

    def run(self, arguments: argparse.Namespace) -> int:
        """Do the work; return the exit code."""
        ...


COMMANDS: dict[str, Command] = {
    "retrieval": retrieval,
    "compare": compare,
    "calibrate": calibrate,
    "headroom": headroom,
    "judge": judge,
    "ragas": ragas,
    "report": report,
    "verify": verify,
}


def main() -> int:
    """Run the command that the command line names; return its exit code."""
    arguments = parser().parse_args()
    return COMMANDS[arguments.command].run(arguments)


def parser() -> argparse.ArgumentParser:
    """Return the parser with one subparser per command."""
    made = terminal.Parser(prog="python -m evaluation", description=__doc__, allow_abbrev=False)
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        says = (command.__doc__ or "").partition("\n")[0]
        # A % in a help text would be taken for a format.
        plain = says.replace("%", "%%")
        own = commands.add_parser(name, help=plain, description=plain, allow_abbrev=False)
        command.add_arguments(own)
    return made


if __name__ == "__main__":
    terminal.run(main)
