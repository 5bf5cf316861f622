"""Generated command lines: every command's own flags, with values that fit and values that do not."""

import argparse
import os
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from random import Random

import dataset.__main__ as dataset_main
import evaluation.__main__ as evaluation_main
from evaluation.answering import flags
from graph.command_line import whole_parser
from tests.fakes.dumps import answer, question, xml
from tests.faults.commands import run_command
from tests.faults.harness import Case, Kind, Outcome, detail_of, faults_of
from tests.faults.odd_values import odd_text
from tests.faults.runs import CONFIGS, data, run_folder, undisturbed
from tests.faults.tables import write_sound_tables

_FITTING = {
    "config": ("baseline", "keyword", "extract,hybrid", "semantic_cot", "oracle"),
    "config_file": ("own.yaml",),
    "profile": ("embedded",),
    "set": ("retrieval.top_k=2", "refine.max_rounds=0", "generation.max_new_tokens=9"),
    "judge": ("model", "calibrated", "none"),
    "question": ("how to sort?",),
    **dict.fromkeys(("limit", "limit_questions", "batch_size", "sample", "examples"), ("1", "2")),
    **dict.fromkeys(("seed", "min_question_score", "min_answer_score"), ("0", "3", "-1")),
    "since": ("2020-01-31",),
    "tags": ("python", "python,list"),
    "site": ("math.stackexchange.com",),
    "repositories": ("python", "a/b"),
    **dict.fromkeys(("corpus", "against", "file"), ("corpus.csv",)),
    "dataset": ("questions.csv",),
    "queries": ("queries.csv",),
    "qrels": ("qrels.csv",),
    "grades": ("grades.csv",),
    "folder": ("run", "second"),
    "input": ("folder", "corpus.csv", "Posts.xml"),
    **dict.fromkeys(("out", "svg", "png", "fit"), ("new.csv", "new.json", "new.html")),
    "index": ("new",),
    "names": ("replies", "models"),
}
"""Values that fit, by the name of the argument. `runs` is a folder to write, or the runs to read."""
_WRITTEN = ("out", "svg", "png", "runs", "index", "fit")
"""Arguments whose path is written; they get no path outside the folder of the case."""
_PATHS_WRITTEN = (
    *("new", "new/deep", "corpus.csv", "new.csv.gz", "folder", "run", "pipe.csv", "loop.csv"),
    *("a\nb.csv", "\x1b[31m"),
)
_PATHS = (
    *("corpus.csv", "questions.csv", "run", "second", "missing.csv", "folder", "pipe.csv"),
    *("zero.csv", "loop.csv", "noise.csv", "empty.csv", "~/x", "a\nb.csv", "\u202ex.csv"),
    *("\x1b]0;x\x07.jsonl", "", "."),
)
_WORDS = (
    *("0", "1", "2", "-1", "8", "1e9", "nan", "all", "none", "model", "calibrated", "embedded"),
    *("gpu", "python", "2024-99-99"),
)


@cache
def _parsers() -> dict[str, argparse.ArgumentParser]:
    return {
        "eval.py": flags.parser(),
        "evaluation": evaluation_main.parser(),
        "dataset": dataset_main._parser(),
        "graph": whole_parser("graph", ["ask", "draw", "index", "cache"]),
    }


def _command_line(parser: argparse.ArgumentParser, random: Random) -> Iterator[str]:
    """Yield arguments: a command and its own, some of the options, some twice, some unknown."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            name = random.choice(list(action.choices))
            yield name if random.random() < 0.98 else odd_text(random)
            yield from _command_line(action.choices[name], random)
            return
    for action in parser._actions:
        if not isinstance(action, argparse._HelpAction):
            yield from _argument(action, random)
    if random.random() < 0.05:
        yield random.choice(("--help", "--no-such-flag", "--", "-x", "--config", "--version"))


def _argument(action: argparse.Action, random: Random) -> Iterator[str]:
    """Yield an option with its values, or a positional argument; often nothing."""
    required = action.required or not action.option_strings
    if random.random() > (0.98 if required else 0.15):
        return
    for _ in range(2 if random.random() < 0.05 else 1):
        if action.option_strings:
            yield random.choice(action.option_strings)
        for _ in range(_arity(action, random)):
            yield _value(action, random)


def _arity(action: argparse.Action, random: Random) -> int:
    if action.nargs in ("+", "*"):
        return random.randrange(1, 3)
    return {0: 0, "?": random.randrange(2)}.get(action.nargs, 1)


def _value(action: argparse.Action, random: Random) -> str:
    """Return a value that fits in four of five cases, else another one."""
    name = action.dest
    fitting = (
        ("run", "second") if name == "runs" and not action.option_strings else _FITTING.get(name)
    )
    if fitting and random.random() < 0.8:
        return random.choice(fitting)
    if action.choices:
        return str(random.choice(list(action.choices)))
    if random.random() < 0.3:
        return odd_text(random)
    if action.type is Path or name in ("input", "runs"):
        return random.choice(_PATHS_WRITTEN if name in _WRITTEN else _PATHS)
    return random.choice(_WORDS)


def _furnish(folder: Path, random: Random) -> None:
    """Put what paths name into a folder: tables, runs, and things that are no files."""
    for name in ("corpus.csv", "questions.csv"):
        shutil.copyfile(data() / name, folder / name)
    for name, config in zip(("run", "second"), CONFIGS, strict=True):
        shutil.copytree(run_folder(undisturbed(config).folder), folder / name)
    (folder / "folder").mkdir()
    (folder / "own.yaml").write_text("retrieval:\n  kind: keyword\n", encoding="utf-8")
    (folder / "Posts.xml").write_text(xml([question(1), answer(2, 1)]), encoding="utf-8")
    for name in ("queries.csv", "qrels.csv", "grades.csv"):
        shutil.copyfile(data() / name, folder / name)
    (folder / "empty.csv").touch()
    (folder / "noise.csv").write_bytes(random.randbytes(3_000))
    (folder / "zero.csv").symlink_to("/dev/zero")
    (folder / "loop.csv").symlink_to("loop.csv")
    os.mkfifo(folder / "pipe.csv")


def _check(case: Case) -> Outcome:
    random = case.random
    _furnish(case.folder, random)
    program = random.choice(list(_parsers()))
    arguments = [text.replace("\0", "") for text in _command_line(_parsers()[program], random)]
    # These two start what takes seconds and is tested elsewhere: the bootstrap of all configs.
    arguments = ["keyword" if text == "all" else text for text in arguments]
    if program == "eval.py" and "--profile" not in arguments:
        arguments += ["--profile", "embedded"]
    ended = run_command(case, program, *arguments)
    # 1: problems that `check` or `verify` found, or a disk that cannot be written.
    faults = faults_of(ended, [0, 1, 2])
    end = "refused" if ended.code == 2 else "unchanged"
    return Outcome(end, faults, f"{program} {arguments!r:.500}; {detail_of(ended)}")


def _prepare() -> None:
    write_sound_tables()
    for config in CONFIGS:
        undisturbed(config)


KINDS = [Kind("generated command lines", 2_500, 40, _check, _prepare)]
