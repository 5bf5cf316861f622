"""Command lines of `python -m evaluation`: run in a child process, or in this one for a document."""

import sys
from typing import Any

from evaluation import __main__ as cli
from graph.support import terminal
from tests.fakes.json_files import strict_json
from tests.fakes.processes import Ended, in_child


def run_evaluation(monkeypatch, *arguments: object) -> Ended:
    """Run a command in a child process and return its exit code and its output."""
    monkeypatch.setattr(sys, "argv", ["evaluation", *map(str, arguments)])
    return in_child(lambda: terminal.run(cli.main))


def evaluation_output(monkeypatch, capsys, *arguments: object) -> str:
    """Run a command in this process and return what it prints."""
    monkeypatch.setattr(sys, "argv", ["evaluation", *map(str, arguments)])
    assert cli.main() == 0
    return str(capsys.readouterr().out)


def evaluation_document(monkeypatch, capsys, *arguments: object) -> Any:
    """Run a command with --json in this process and return its document."""
    return strict_json(evaluation_output(monkeypatch, capsys, *arguments, "--json"))
