"""Command lines: paths with a home folder, whole numbers, the version, and one line for each mistake."""

import argparse
import contextlib
import io
import os
import random
import re
import tomllib
from collections import Counter
from pathlib import Path

import pytest

import dataset.__main__ as dataset_cli
import evaluation.__main__ as evaluation_cli
from evaluation.answering import flags
from graph.command_line import COMMANDS, whole_parser
from graph.config import load_config, load_profile, load_settings
from graph.retrieval import open_retriever
from graph.schema import Config, Profile
from graph.support import arguments
from graph.support.arguments import (
    Parser,
    name_or_path,
    output_file,
    package_version,
    path,
    port_number,
    whole_number,
)
from graph.support.errors import ConfigError
from graph.support.storage import cache_folder
from tests.fakes.project_files import ROOT

PARSERS = {
    "eval.py": flags.parser,
    "opencoder": lambda: whole_parser("opencoder", [*COMMANDS]),
    "dataset": dataset_cli._parser,
    "evaluation": evaluation_cli.parser,
}
OF_PATHS = {
    *("PATH", "DIR", "FILE", "FOLDER", "RUN", "CORPUS", "DATASET"),
    *("DUMP", "EXPORT", "SUITE", "ISSUES", "QUESTIONS"),
}
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("OPENCODER_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({}, "~/.cache/opencoder"),
        ({"OPENCODER_CACHE": "~/oc"}, "~/oc"),
        ({"OPENCODER_CACHE": "~"}, "~"),
        ({"OPENCODER_CACHE": "oc/~"}, "oc/~"),
        ({"OPENCODER_CACHE": "", "XDG_CACHE_HOME": "/x"}, "/x/opencoder"),
        ({"XDG_CACHE_HOME": "~/x"}, "~/x/opencoder"),
        ({"XDG_CACHE_HOME": "x"}, "~/.cache/opencoder"),
        ({"XDG_CACHE_HOME": "./x"}, "~/.cache/opencoder"),
        ({"XDG_CACHE_HOME": ""}, "~/.cache/opencoder"),
    ],
    ids=str,
)
def test_the_cache_folder_follows_home_and_the_xdg_specification(
    home, monkeypatch, variables, folder
):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    expected = str(home) + folder[1:] if folder.startswith("~") else folder
    assert cache_folder() == Path(expected)


def test_an_unknown_home_is_one_line(home, monkeypatch):
    monkeypatch.setenv("OPENCODER_CACHE", "~no-such-user/x")
    with pytest.raises(ConfigError, match="home folder is unknown; give the whole path"):
        cache_folder()


def path_options():
    for name, parser in PARSERS.items():
        for subparser in all_parsers(parser()):
            for action in subparser._actions:
                if action.type is path:
                    yield name, subparser.prog, action


def all_parsers(parser):
    yield parser
    for action in parser._actions:
        if isinstance(action.choices, dict):
            for subparser in action.choices.values():
                yield from all_parsers(subparser)


def test_every_path_of_every_command_is_read_by_one_function():
    options = {(prog.split()[-1], action.dest) for _, prog, action in path_options()}
    assert {("eval.py", "runs"), ("eval.py", "corpus"), ("index", "index")} <= options
    assert {("stackexchange", "input"), ("check", "against"), ("report", "runs")} <= options
    for parser in PARSERS.values():
        for subparser in all_parsers(parser()):
            for action in subparser._actions:
                assert action.type is not Path
                assert (action.metavar in OF_PATHS) == (action.type in {path, output_file})


@pytest.mark.parametrize("text", ["~/posts.csv", "~", "~/a/../b", "~/ü"])
def test_a_leading_tilde_is_the_home_folder(home, text):
    assert str(path(text)) == str(home) + str(Path(text))[1:]
    assert name_or_path(text) == str(path(text))


MODELS = ["generator.model", "judge.model", "embedder.model", "retrieval.cross_encoder"]


@pytest.mark.parametrize("field", MODELS)
def test_a_model_may_be_a_folder_in_the_home_folder(home, field):
    section, name = field.split(".")
    for text in ("~/weights", "org/model", "a~b"):
        settings = load_settings("semantic", "gpu", [f"{field}={text}"])
        part = settings.config if section == "retrieval" else settings.profile
        assert getattr(getattr(part, section), name) == text.replace("~/", f"{home}/")
    with pytest.raises(ConfigError, match="home folder is unknown; give the whole path"):
        load_settings("semantic", "gpu", [f"{field}=~no-such-user/weights"])


def test_every_field_that_can_name_a_folder_is_looked_at_here():
    fields = {
        f"{section}.{name}"
        for parts in (Config, Profile)
        for section, part in parts.model_fields.items()
        for name, field in part.annotation.model_fields.items()
        if name in ("model", "cross_encoder") or "folder" in name or "path" in name
    }
    assert fields == set(MODELS)


def test_a_program_may_name_files_in_the_home_folder(home):
    (home / "own.yaml").write_text("retrieval: {kind: semantic}", encoding="utf-8")
    (home / "mine.yaml").write_text(read_packaged("profiles", "embedded"), encoding="utf-8")
    assert load_config(Path("~/own.yaml")).retrieval.kind == "semantic"
    assert load_profile(Path("~/mine.yaml")) == load_profile("embedded")
    retrieval, embedder = load_config("semantic").retrieval, load_profile("embedded").embedder
    retriever = open_retriever(
        retrieval, embedder, corpus=Path("~/posts.csv"), folder=Path("~/index")
    )
    assert (retriever.corpus, retriever.folder) == (home / "posts.csv", home / "index")


def read_packaged(folder, name):
    return (ROOT / "graph" / folder / f"{name}.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("text", ["posts.csv", "./~", "a~b", "/x/~/y", " ", "a b"])
def test_other_paths_stay(text):
    assert path(text) == Path(text)
    assert name_or_path(text) == text


@pytest.mark.parametrize("text", ["", "~no-such-user", "~no-such-user/x", "x" * 300, "a/" * 5000])
@pytest.mark.parametrize("option", ["--runs", "--corpus", "--config-file", "--index"])
def test_a_path_that_cannot_be_is_one_line(option, text):
    with pytest.raises(ConfigError, match=rf"\Aargument {option}: [^\n]+; see --help\Z"):
        flags.parser().parse_args([f"{option}={text}"])


@pytest.mark.parametrize("name", ["folder", "pipe", "missing/page.html", "link", "pipe/x"])
def test_a_file_to_write_is_a_file_in_an_existing_folder(tmp_path, name):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/null")
    lines = {
        "opencoder": ["draw", "baseline", f"--svg={tmp_path / name}"],
        "evaluation": ["report", "run", "--out", str(tmp_path / name)],
    }
    for parser, line in lines.items():
        with pytest.raises(ConfigError, match="is no file in an existing folder: name another"):
            PARSERS[parser]().parse_args(line)
    assert output_file(str(tmp_path / "new.svg")) == tmp_path / "new.svg"


@pytest.mark.parametrize("text", ["1e3", "1.0", " 1", "1_0", "٣", "", "-", "0x1", "nan", "9" * 19])
def test_a_whole_number_is_digits(text):
    for option in ("--seed", "--limit", "--batch_size", "--batch-size"):
        with pytest.raises(ConfigError, match="is not a whole number"):
            flags.parser().parse_args([f"{option}={text}"])


@pytest.mark.parametrize("text", ["0", "-1", "-9"])
def test_counts_are_above_zero_and_seeds_need_not_be(text):
    for option in ("--limit", "--batch_size"):
        with pytest.raises(ConfigError, match="is not a whole number above 0"):
            flags.parser().parse_args([option, text])
    assert flags.parser().parse_args(["--seed", text]).seed == int(text) == whole_number(text)


@pytest.mark.parametrize("text", ["-1", "65536", "http", "80.0", ""])
def test_a_port_is_a_number_of_two_bytes(text):
    with pytest.raises(argparse.ArgumentTypeError, match="is not a port: a number from 0 to 65535"):
        port_number(text)
    assert [port_number("0"), port_number("65535")] == [0, 65_535]


@pytest.mark.parametrize(
    "line",
    [
        ["--limit", "3", "--limit", "3"],
        ["--batch_size", "8", "--batch-size", "8"],
        ["--config", "baseline", "--config=keyword"],
        ["--runs", "a", "--seed", "1", "--runs", "b"],
    ],
    ids=str,
)
def test_an_option_with_a_value_stands_once(line):
    with pytest.raises(ConfigError, match=r"argument --\S+: stands twice: give it once"):
        flags.parser().parse_args(line)


def test_an_option_may_be_set_again_by_the_next_command_line():
    parser = flags.parser()
    for _ in range(2):
        assert parser.parse_args(["--limit", "3", "--set", "a=1", "--set", "b=2"]).limit == 3


@pytest.mark.parametrize("line", [["--lim", "3"], ["--conf", "x"], ["--no-rep"]], ids=str)
def test_no_option_is_abbreviated(line):
    for parser in PARSERS.values():
        with pytest.raises(ConfigError):
            parser().parse_args(line)


@pytest.mark.parametrize("name", PARSERS)
def test_every_command_prints_its_version(name, capsys):
    with pytest.raises(SystemExit) as stop:
        PARSERS[name]().parse_args(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"opencoder {VERSION}\n"


def test_without_a_checkout_the_version_is_of_the_installed_package(monkeypatch, tmp_path):
    monkeypatch.setattr(arguments, "__file__", str(tmp_path / "graph" / "support" / "a.py"))
    monkeypatch.setattr(arguments, "version", lambda package: f"{package} 9")
    assert package_version() == "opencoder 9"
    # Another project's file beside the packages is not ours.
    (tmp_path / "pyproject.toml").write_text("[project]\nname='x'\nversion='3'\n", encoding="utf-8")
    assert package_version() == "opencoder 9"


WORDS = (
    *("", "-", "--", "---", "-1", "0", "1e3", "nan", "inf", "9" * 400, "x" * 5000, "%s", "{}"),
    *(
        "\udc80",
        "\x1b[2J",
        "\n",
        "\u202e",
        "~",
        "~x/y",
        "@file",
        "=",
        "--=",
        "a=b",
        "retrieval.top_k",
    ),
    *("baseline", "all", "embedded", "/dev/zero", "/nonexistent", "[", "&a", "*a", "!!bool x"),
)


def vocabulary(parser):
    for subparser in all_parsers(parser):
        for action in subparser._actions:
            yield from action.option_strings
            if isinstance(action.choices, dict):
                yield from action.choices


@pytest.mark.parametrize("name", PARSERS)
def test_no_command_line_raises_anything_but_one_line(name):
    parser, choose = PARSERS[name](), random.Random(name)
    words = [word for word in [*vocabulary(parser), *WORDS] if word]
    outcomes = Counter()
    for _ in range(400):
        line = choose.choices(words, k=choose.randint(0, 6))
        if choose.random() < 0.3:
            line.append(f"{choose.choice(words)}={choose.choice(words)}")
        outcomes[outcome_of(parser, line)] += 1
    assert set(outcomes) <= {"refused", "read", "shown"}
    assert outcomes["refused"] > 100


def outcome_of(parser, line):
    """Return what a command line comes to; an error other than ours is raised."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            parser.parse_args(line)
    except ConfigError as error:
        return "refused" if len(str(error)) < 1100 else "a long message"
    except SystemExit as stop:
        return "shown" if stop.code == 0 else f"exit {stop.code}"
    return "read"


def test_a_message_names_the_option():
    parser = Parser(prog="x")
    parser.add_argument("--number", type=whole_number)
    with pytest.raises(ConfigError, match=re.escape("argument --number: 'a' is not a whole")):
        parser.parse_args(["--number", "a"])
