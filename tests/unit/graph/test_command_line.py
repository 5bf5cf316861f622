"""The one command: its list, its names, its usage lines, and what it says where something is missing."""

import sys

import pytest

import dataset.__main__ as dataset_cli
import evaluation.__main__ as evaluation_cli
from evaluation.answering import flags
from evaluation.answering.run_job import command_line as continuing
from graph import command_line
from graph.command_line import COMMANDS, parser_of, run
from graph.support import arguments
from graph.support.errors import ConfigError, MissingExtraError
from tests.fakes.bare_python import copy_of_graph, run_bare
from tests.fakes.processes import run_python
from tests.fakes.project_files import ROOT

LIGHT = """
import sys
from graph import command_line
command_line.run("opencoder", ["--help"])
print(sorted({"langchain_core", "numpy", "pydantic", "rich", "yaml", "evaluation"} & {*sys.modules}))
"""


def words_of(text):
    """Return a text without its line breaks, which depend on the length of the program's name."""
    return text.split()


def test_the_list_has_every_command_on_one_line_and_loads_nothing():
    ended = run_python("-c", LIGHT)
    *listing, loaded = ended.stdout.splitlines()
    assert (loaded, ended.stderr) == ("[]", "")
    for name, command in COMMANDS.items():
        (line,) = (line for line in listing if line.split()[:1] == [name])
        assert line.endswith(f"  {command.help}")
    assert {*evaluation_cli.COMMANDS, "eval", "dataset", "ask", "doctor"} <= {*COMMANDS}
    assert max(map(len, listing)) <= 80


@pytest.mark.parametrize("name", COMMANDS)
def test_a_usage_line_shows_the_words_that_were_typed(name):
    for program in ("opencoder", "python -m graph"):
        assert parser_of(program, name).format_usage().startswith(f"usage: {program} {name} ")


def test_a_command_has_the_help_of_its_older_spelling():
    old = words_of(flags.parser().format_help().replace("eval.py", "opencoder eval", 1))
    assert words_of(parser_of("opencoder", "eval").format_help()) == old
    old = words_of(dataset_cli._parser().format_help().replace("python -m", "opencoder", 1))
    assert words_of(parser_of("opencoder", "dataset").format_help()) == old
    evaluation = evaluation_cli.parser()._subparsers._group_actions[0].choices
    for name in evaluation_cli.COMMANDS:
        old = words_of(evaluation[name].format_help())
        new = words_of(parser_of("python -m evaluation", name).format_help())
        assert new == old


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["evl"], "there is no command 'evl'; did you mean eval?"),
        (["Compare"], "there is no command 'Compare'; did you mean compare?"),
        (["--versoin"], "there is no option '--versoin'; did you mean --version?"),
        (["x\x1b[2J" * 99], "there is no command 'x\\x1b[2J"),
        ([], "name a command: ask, page, "),
    ],
)
def test_a_command_that_does_not_exist_is_one_line(words, message):
    with pytest.raises(ConfigError) as error:
        run("opencoder", words)
    assert str(error.value).startswith(message)
    assert len(str(error.value)) < 300


def test_the_version_is_that_of_all_commands(capsys):
    assert run("opencoder", ["--version"]) == 0
    assert capsys.readouterr().out == arguments.version_line() + "\n"


def test_without_the_checkout_its_commands_are_one_line_and_the_others_run(tmp_path):
    root = copy_of_graph(tmp_path / "site")
    name = next(name for name, command in COMMANDS.items() if command.needs_checkout)
    ended = run_bare(root, name, "--help", cache=tmp_path / "cache")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(f"opencoder: error: {name} needs the checkout")
    assert ended.stderr.count("\n") == 1
    assert "git clone https://" in ended.stderr
    listing = run_bare(root, "--help", cache=tmp_path / "cache").stdout
    assert "Only in a checkout" in listing
    assert listing.index(" ask ") < listing.index("Only in a checkout") < listing.index("eval")
    assert run_bare(root, "cache", cache=tmp_path / "cache").returncode == 0


def test_a_command_whose_packages_are_missing_is_one_line(tmp_path):
    ended = run_bare(ROOT, "draw", "semantic", cache=tmp_path / "cache")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("opencoder: error: the package ")
    assert ended.stderr.endswith("to see what is missing: opencoder doctor\n")


def test_a_missing_module_of_this_project_is_a_fault_and_no_missing_package(monkeypatch):
    def import_module(name):
        raise ModuleNotFoundError(f"No module named {missing!r}", name=missing)

    monkeypatch.setattr(command_line, "import_module", import_module)
    missing = "graph.nothing"
    with pytest.raises(ModuleNotFoundError):
        run("opencoder", ["ask"])
    missing = "lxml.html"
    with pytest.raises(MissingExtraError, match="the package lxml is not installed"):
        run("opencoder", ["ask"])


def test_another_package_with_the_name_of_ours_is_not_taken(tmp_path):
    (tmp_path / "dataset.py").write_text("raise SystemExit('another dataset')", encoding="utf-8")
    start = (
        "import sys; from graph.__main__ import main; sys.path.insert(0, sys.argv.pop(1)); main()"
    )
    ended = run_python("-c", start, tmp_path, "dataset", "--help")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("usage: opencoder dataset ")


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["/x/bin/opencoder", "eval", "--fresh"], "/x/bin/opencoder eval --retry-failed"),
        (["/x/graph/__main__.py", "eval"], "python -m graph eval --retry-failed"),
        (["eval.py", "--retry-failed"], "python eval.py --retry-failed"),
    ],
)
def test_the_command_that_continues_can_be_typed(monkeypatch, argv, expected):
    monkeypatch.setattr(sys, "argv", argv)
    assert continuing("--retry-failed") == expected
