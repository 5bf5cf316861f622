"""The flags of eval.py, those of the original experiments included, and the configs they select."""

import argparse
from pathlib import Path
from typing import NamedTuple

from graph.commands.settings_arguments import add_models
from graph.config import config_names
from graph.support.arguments import (
    Parser,
    add_version,
    name_or_path,
    path,
    positive,
    share,
    whole_number,
)
from graph.support.errors import ConfigError
from graph.support.worker_options import add_worker_options

DEFAULT = "semantic_cot"
"""The config without any flag."""
_ORIGINAL = ("baseline", "semantic_rag", "keyword_rag", "cot", "rerank_initial", "rerank_refined")


class SelectedConfig(NamedTuple):
    """A config, by name or file, and the overrides that the flags add to it."""

    name: str | Path
    overrides: list[str]


def parser() -> argparse.ArgumentParser:
    """Return the parser of eval.py."""
    eval_parser = Parser(prog="eval.py")
    add_arguments(eval_parser)
    return eval_parser


def add_arguments(eval_parser: argparse.ArgumentParser) -> None:
    """Declare the arguments, and set the texts around them."""
    eval_parser.formatter_class = argparse.RawDescriptionHelpFormatter
    eval_parser.description = (
        "Answer the questions of a dataset, score the answers, and record every step in a\n"
        "run folder. The same command again resumes the run, or shows its results."
    )
    eval_parser.epilog = (
        "exit codes: 0 done, 1 more questions failed than --allow-failed allows, or the disk,\n"
        "the memory or a server failed (the same command continues), 2 wrong input, 3 another run\n"
        "holds the folder, 129, 130 or 143 interrupted (the same command continues)"
    )
    add_version(eval_parser)
    _add_selection(eval_parser)
    _add_data(eval_parser)
    _add_execution(eval_parser)
    add_worker_options(eval_parser, "answer N batches at the same time")
    _add_original(eval_parser)


def _add_selection(eval_parser: argparse.ArgumentParser) -> None:
    group = eval_parser.add_argument_group("what runs")
    group.add_argument(
        "--config",
        metavar="NAME[,NAME...]",
        help=f"which stages run (default {DEFAULT}); all runs every one; --list shows the names",
    )
    group.add_argument("--config-file", type=path, metavar="PATH", help="a config file of your own")
    add_models(group, whose="which models run", example="retrieval.top_k=8")
    group.add_argument(
        "--judge",
        type=name_or_path,
        metavar="NAME",
        help="model: the profile's judge (default); calibrated: a formula of metrics, fitted on "
        "people's grades, without a model; FILE.json: such a formula of your own; none",
    )
    group.add_argument("--no-judge", action="store_true", help="no judge: the same as --judge none")
    group.add_argument(
        "--ragas",
        action="store_true",
        help="also score the answers with ragas and the profile's judge; nothing leaves the machine",
    )
    group.add_argument(
        "--list", action="store_true", help="print the names of the configs, and exit"
    )


def _add_data(eval_parser: argparse.ArgumentParser) -> None:
    group = eval_parser.add_argument_group("data (.csv, .csv.gz, .jsonl, .parquet)")
    group.add_argument("--corpus", type=path, metavar="PATH", help="posts to search")
    group.add_argument("--dataset", type=path, metavar="PATH", help="questions with references")
    group.add_argument(
        "--index", type=path, metavar="DIR", help="folder of the index (default: the cache folder)"
    )
    group.add_argument(
        "--limit", type=positive, metavar="N", help="the first N questions; never cuts the corpus"
    )
    group.add_argument(
        "--keep-leaks",
        action="store_true",
        help="also search posts of the corpus that are questions of the dataset (default: they are "
        "counted and left out)",
    )


def _add_execution(eval_parser: argparse.ArgumentParser) -> None:
    group = eval_parser.add_argument_group("how it runs")
    group.add_argument(
        "--batch_size",
        "--batch-size",
        type=positive,
        default=8,
        metavar="N",
        help="questions answered together (default 8); part of the run's identity",
    )
    group.add_argument(
        "--seed",
        type=whole_number,
        default=0,
        metavar="N",
        help="seed of sampled drafts (default 0)",
    )
    group.add_argument(
        "--runs", type=path, default=Path("runs"), metavar="DIR", help="folder of the run folders"
    )
    group.add_argument(
        "--no-cache",
        action="store_true",
        help="make every model call, even if its reply is in the cache",
    )
    group.add_argument(
        "--fresh", action="store_true", help="start over; the old run is moved aside, not deleted"
    )
    group.add_argument(
        "--retry-failed",
        action="store_true",
        help="ask the failed questions of the run again, and those that the judge failed at; each keeps "
        "its record until it has a new one",
    )
    group.add_argument(
        "--allow-failed",
        type=share,
        default=0.01,
        metavar="SHARE",
        help="the share of failed questions, 0 to 1, above which the exit code is 1 (default 0.01)",
    )
    group.add_argument(
        "--no-report", action="store_true", help="write no report.html at the end of the run"
    )
    group.add_argument(
        "--dry-run",
        action="store_true",
        help="print the resolved config, the identity and the cost, and exit; loads no weights",
    )


def _add_original(eval_parser: argparse.ArgumentParser) -> None:
    group = eval_parser.add_argument_group("the original's flags, instead of --config")
    helps = {
        "baseline": "no passages; not with any other of these",
        "semantic_rag": "passages by meaning",
        "keyword_rag": "passages by words; not with --semantic_rag",
        "cot": "chain of thought; needs --semantic_rag or --keyword_rag",
        "rerank_initial": "choose among drafts; needs --semantic_rag or --keyword_rag",
        "rerank_refined": "choose among refinements; needs --semantic_rag or --keyword_rag",
    }
    for name in _ORIGINAL:
        group.add_argument(f"--{name}", action="store_true", help=helps[name])


def selected(arguments: argparse.Namespace) -> list[SelectedConfig]:
    """Return the configs that the flags select, each once.

    Raises:
        ConfigError: The flags contradict each other.
    """
    used = [f"--{name}" for name in _ORIGINAL if getattr(arguments, name)]
    named = [flag for flag in ("config", "config_file") if getattr(arguments, flag) is not None]
    if len(named) == 2 or (named and used):
        conflicting = used[0] if used else "--config-file"
        raise ConfigError(f"give --config or {conflicting}, not both")
    if arguments.config_file is not None:
        return [SelectedConfig(arguments.config_file, [])]
    if used:
        return [_from_original(arguments, used)]
    listed = arguments.config if arguments.config is not None else DEFAULT
    names = [name.strip() for name in listed.split(",")]
    if names == ["all"]:
        names = config_names()
    return [SelectedConfig(name, []) for name in dict.fromkeys(names)]


def _from_original(arguments: argparse.Namespace, used: list[str]) -> SelectedConfig:
    if arguments.baseline:
        if len(used) > 1:
            raise ConfigError(f"--baseline goes with no other flag: drop it or {used[1]}")
        return SelectedConfig("baseline", [])
    if arguments.semantic_rag and arguments.keyword_rag:
        raise ConfigError("--semantic_rag and --keyword_rag exclude each other: give one")
    if not (arguments.semantic_rag or arguments.keyword_rag):
        raise ConfigError(f"{used[0]} needs passages: add --semantic_rag or --keyword_rag")
    name = "semantic" if arguments.semantic_rag else "keyword"
    name += "_cot" if arguments.cot else ""
    if arguments.rerank_initial:
        # No config has both rerankings: the override adds the second one.
        overrides = ["rerank.refined=true"] if arguments.rerank_refined else []
        return SelectedConfig(f"{name}_rerank_initial", overrides)
    return SelectedConfig(name + ("_rerank_refined" if arguments.rerank_refined else ""), [])


def listing() -> str:
    """Return the names of the configs, one on each line."""
    return "\n".join(config_names()) + "\n"
