"""Measure retrieval, judges and finished runs: python -m evaluation COMMAND."""

import argparse
from typing import Protocol

from evaluation.commands import calibrate_command as calibrate
from evaluation.commands import compare_command as compare
from evaluation.commands import export_command as export
from evaluation.commands import fit_reranker_command as fit_reranker
from evaluation.commands import headroom_command as headroom
from evaluation.commands import judge_command as judge
from evaluation.commands import ragas_command as ragas
from evaluation.commands import report_command as report
from evaluation.commands import retrieval_command as retrieval
from evaluation.commands import risk_command as risk
from evaluation.commands import slices_command as slices
from evaluation.commands import verify_command as verify
from graph.support import terminal
from graph.support.arguments import Parser, add_version


class Command(Protocol):
    """A module with one command; the first line of its docstring is the command's help."""

    __doc__: str | None

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the arguments of the command."""
        ...

    def run(self, arguments: argparse.Namespace) -> int:
        """Run the command; return its exit code."""
        ...


COMMANDS: dict[str, Command] = {
    "retrieval": retrieval,
    "compare": compare,
    "calibrate": calibrate,
    "export": export,
    "fit-reranker": fit_reranker,
    "headroom": headroom,
    "judge": judge,
    "ragas": ragas,
    "report": report,
    "risk": risk,
    "slices": slices,
    "verify": verify,
}


def main() -> int:
    """Run the command that the command line names; return its exit code."""
    arguments = parser().parse_args()
    return COMMANDS[arguments.command].run(arguments)


def parser() -> argparse.ArgumentParser:
    """Return the parser with one subparser per command."""
    root = Parser(prog="python -m evaluation", description=__doc__)
    add_version(root)
    commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        first_line = (command.__doc__ or "").partition("\n")[0]
        # argparse formats help texts with %.
        text = first_line.replace("%", "%%")
        subparser = commands.add_parser(name, help=text, description=text)
        command.add_arguments(subparser)
    return root


if __name__ == "__main__":
    terminal.run(main)
