"""The command `python -m dataset build SOURCE ... --out FILE`: arguments and choice of builder."""

import argparse
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import NamedTuple, TypeAlias

from dataset.builders import (
    bigquery,
    codeassistbench,
    coderepoqa,
    huggingface,
    infibench,
    stackeval,
    stackexchange,
)
from dataset.builders.bodies import CHOICES
from dataset.builders.post_selection import Selection
from dataset.builders.row_counts import RowCounts
from dataset.builders.table_output import check_target
from graph.support.arguments import path, whole_number
from graph.support.errors import ConfigError
from graph.support.terminal import print_document, print_line

_Sources: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


class _Benchmark(NamedTuple):
    metavar: str
    summary: str
    """The help of the command."""
    forms: str
    """The help of its input."""
    build: Callable[[Path, Path], RowCounts]


_BENCHMARKS = {
    "infibench": _Benchmark(
        "SUITE",
        "your copy of InfiBench -> evaluation questions with criteria",
        "its table suite_v2.1_data.csv, or the folder of its cases (eval_*.yaml)",
        infibench.build,
    ),
    "codeassistbench": _Benchmark(
        "ISSUES",
        "your copy of CodeAssistBench -> evaluation questions with rubrics",
        "a .jsonl file of its folder dataset, or a folder of .json files",
        codeassistbench.build,
    ),
    "stackeval": _Benchmark(
        "QUESTIONS",
        "your copy of StackEval or StackUnseen -> evaluation questions",
        "stack-eval.jsonl, stack-unseen-1.jsonl and the like",
        stackeval.build,
    ),
}
_SITE = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sources and their options to the command `build`."""
    sources = parser.add_subparsers(dest="source", required=True, metavar="SOURCE")
    _add_post_sources(sources)
    _add_export_source(sources)
    _add_issue_source(sources)
    _add_benchmark_sources(sources)


def _add_post_sources(sources: _Sources) -> None:
    dump = sources.add_parser(
        "stackexchange", help="a Stack Exchange dump -> questions with answers"
    )
    dump.add_argument(
        "input",
        type=path,
        metavar="DUMP",
        help="Posts.xml, its .gz, .bz2 or .xz, the .7z or .zip that holds it, or the folder of one",
    )
    _add_selection(dump)

    posts = sources.add_parser("huggingface", help="posts as parquet -> questions with answers")
    posts.add_argument(
        "input",
        type=path,
        metavar="DATASET",
        help="a parquet file or a folder of them with the columns of Posts.xml, or the id of a "
        "dataset on the hub (needs: pip install datasets)",
    )
    posts.add_argument(
        "--split", default="train", help="split of a dataset on the hub (default train)"
    )
    _add_selection(posts)


def _add_export_source(sources: _Sources) -> None:
    export = sources.add_parser(
        "bigquery", help="the export of the BigQuery selection -> questions with answers"
    )
    export.add_argument(
        "input", type=path, metavar="EXPORT", nargs="?", help=".csv, .csv.gz or .parquet"
    )
    export.add_argument("--print-sql", action="store_true", help="print the query to export")
    _add_output(export)


def _add_issue_source(sources: _Sources) -> None:
    issues = sources.add_parser(
        "coderepoqa", help="CodeRepoQA's GitHub issues -> evaluation questions"
    )
    issues.add_argument(
        "input", type=path, metavar="FOLDER", help="holds .json or .jsonl files of issues"
    )
    issues.add_argument("--out", type=path, metavar="FILE", help="the table: .csv or .csv.gz")
    issues.add_argument(
        "--repositories",
        type=_repositories,
        default=(),
        metavar="OWNER/NAME,...",
        help="only these repositories; python means CodeRepoQA's sixteen in Python (default: all)",
    )
    issues.add_argument("--sample", type=_limit, metavar="N", help="the most issues (default: all)")
    issues.add_argument(
        "--seed", type=whole_number, default=0, help="seed of the sample (default 0)"
    )


def _add_benchmark_sources(sources: _Sources) -> None:
    for name, benchmark in _BENCHMARKS.items():
        parser = sources.add_parser(name, help=benchmark.summary)
        parser.add_argument("input", type=path, metavar=benchmark.metavar, help=benchmark.forms)
        parser.add_argument("--out", type=path, metavar="FILE", help="the table: .csv or .csv.gz")


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=path, metavar="FILE", help="the table: .csv or .csv.gz")
    parser.add_argument(
        "--bodies",
        choices=CHOICES,
        default="auto",
        help="markup of the source's bodies; Markdown is converted to HTML, which a corpus has "
        "(default auto: told by many of them)",
    )
    parser.add_argument(
        "--site",
        type=_site,
        default="stackoverflow.com",
        metavar="HOST",
        help="host of the posts' addresses (default stackoverflow.com)",
    )


def _add_selection(parser: argparse.ArgumentParser) -> None:
    default = Selection()
    _add_output(parser)
    parser.add_argument(
        "--since",
        type=_day,
        default=default.since,
        metavar="YYYY-MM-DD",
        help=f"questions from this day on (default {default.since})",
    )
    for kind in ("question", "answer"):
        parser.add_argument(
            f"--min-{kind}-score",
            type=whole_number,
            default=5,
            metavar="N",
            help="lowest score (default 5)",
        )
    parser.add_argument(
        "--tags",
        type=_tags,
        default=default.tags,
        metavar="A,B,...",
        help=f"a question needs one of them, by its whole name (default {','.join(default.tags)})",
    )
    parser.add_argument(
        "--like-original",
        action="store_true",
        help="a part of a tag's name is enough, as in the original's query: java takes javafx too",
    )
    parser.add_argument(
        "--limit",
        type=_limit,
        default=default.limit,
        metavar="N",
        help="the most answers: those with the highest scores, ties by question id, then answer id; "
        "0 or none means all (default 20000)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run a builder, print the counts of its rows, and return the exit code 0.

    Raises:
        ConfigError: an argument is missing or wrong.
        DatasetError: the input cannot be used, or the disk is full.
        MissingExtraError: a package for building is missing.
    """
    if arguments.source == "bigquery" and arguments.print_sql:
        print_document(bigquery.query())
        return 0
    if arguments.input is None:
        raise ConfigError("give the EXPORT to read; --print-sql shows the query for it")
    if arguments.out is None:
        raise ConfigError("give --out FILE")
    check_target(arguments.out)
    source: Path = arguments.input
    if source.exists() and arguments.out.exists() and source.samefile(arguments.out):
        raise ConfigError(f"--out {arguments.out}: is the input itself; give another file")
    counts = _build(arguments)
    print_document(counts.summary())
    print_line(f"written: {arguments.out}")
    return 0


def _build(arguments: argparse.Namespace) -> RowCounts:
    source, out = arguments.input, arguments.out
    if arguments.source == "coderepoqa":
        return coderepoqa.build(
            source,
            out,
            repositories=arguments.repositories,
            sample=arguments.sample,
            seed=arguments.seed,
        )
    if arguments.source in _BENCHMARKS:
        return _BENCHMARKS[arguments.source].build(source, out)
    site = arguments.site
    if arguments.source == "bigquery":
        return bigquery.build(source, out, site=site, bodies=arguments.bodies)
    selection = Selection(
        since=arguments.since,
        min_question_score=arguments.min_question_score,
        min_answer_score=arguments.min_answer_score,
        tags=arguments.tags,
        like_original=arguments.like_original,
        limit=arguments.limit,
    )
    if arguments.source == "stackexchange":
        return stackexchange.build(
            source, out, selection=selection, site=site, bodies=arguments.bodies
        )
    return huggingface.build(
        str(source),
        out,
        split=arguments.split,
        selection=selection,
        site=site,
        bodies=arguments.bodies,
    )


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a day; write it as in 2020-01-31"
        ) from None


def _tags(text: str) -> tuple[str, ...]:
    names = tuple(name for tag in text.lower().split(",") if (name := tag.strip()))
    if not names:
        raise argparse.ArgumentTypeError("name at least one tag")
    return names


def _limit(text: str) -> int | None:
    if text.lower() in {"0", "none"}:
        return None
    if not re.fullmatch("[0-9]{1,18}", text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a count; give 1 or more, or 0 or none for all"
        )
    return int(text) or None


def _site(text: str) -> str:
    if not _SITE.fullmatch(text.lower()):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a host; write it as in math.stackexchange.com"
        )
    return text.lower()


def _repositories(text: str) -> tuple[str, ...]:
    names: list[str] = []
    for name in text.lower().split(","):
        if name == "python":
            names += coderepoqa.PYTHON_REPOSITORIES
        elif _REPOSITORY.fullmatch(name):
            names.append(name)
        else:
            raise argparse.ArgumentTypeError(f"{name!r} is neither owner/name nor python")
    return tuple(names)
