"""Measure retrieval on queries with known answers: recall, nDCG, MRR, and how configs differ.

The tables go to stdout; with --json one JSON document and nothing else does.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import TypedDict

from evaluation.answering.flags import add_models
from evaluation.ranking.config_means import Means, RankingDifference, differences, means
from evaluation.ranking.judged_queries import JudgedQueries, load_judged
from evaluation.ranking.rank_measures import (
    DEPTH,
    QueryScores,
    Ranked,
    Ranker,
    library_measures,
    score_rankings,
)
from evaluation.tables import ranking_tables as table
from graph.config import config_names, load_settings
from graph.retrieval import open_retriever
from graph.schema import Settings
from graph.support import terminal
from graph.support.errors import ConfigError
from graph.support.progress import progress
from graph.support.terminal import log

BATCH = 256
"""Queries ranked at once: large enough for batched encoding, small enough to show progress."""

_DEFAULT = ("keyword", "semantic", "hybrid")
_NOTES = {
    "mean": "by query; n queries with at least one relevant question in the corpus",
    "by_document": "queries that share a relevant question, directly or through others, are one "
    "group and count once; n groups",
    "ci95": "95 % percentile bootstrap over those groups",
    "differences": "mean of a - b over the same queries: positive where a is better",
    "MRR": f"over the first {DEPTH} questions",
    "queries_per_second": f"ranking the first {DEPTH} questions alone, {BATCH} queries in a batch, "
    "index open and encoder warm",
}


class Measured(TypedDict):
    """The JSON document."""

    configs: dict[str, Means]
    differences: list[RankingDifference]
    queries_per_second: dict[str, float]
    queries: int
    corpus_questions: int
    left_out: dict[str, int]
    corpus: str
    profile: str
    notes: dict[str, str]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    files = {
        "corpus": "posts to search",
        "queries": "columns query_id, query_title, query_body (HTML, may be empty), kind",
        "qrels": "columns query_id, question_id, relevance (a whole number, 0 is not relevant)",
    }
    for name, says in files.items():
        parser.add_argument(f"--{name}", type=Path, required=True, metavar="PATH", help=says)
    parser.add_argument(
        "--config",
        metavar="NAME[,NAME...]",
        default=",".join(name for name in _DEFAULT if name in config_names()),
        help="which retrievers (default %(default)s); more than one are compared, pair by pair",
    )
    add_models(parser, whose="whose embedder", example="retrieval.tag_bonus=0.1")
    parser.add_argument(
        "--index",
        type=Path,
        metavar="DIR",
        help="where the index is (default: the cache folder); with several configs, where their "
        "indexes are, each in a folder of its config's name",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(arguments: argparse.Namespace) -> int:
    """Rank the queries with each config, and print what was measured."""
    settings = _settings(arguments)
    library_measures()
    judged = load_judged(arguments.queries, arguments.qrels, arguments.corpus)
    for note in judged.left_out.notes():
        log.warning("note: %s", note)
    scores: dict[str, QueryScores] = {}
    rates: dict[str, float] = {}
    for each in settings:
        name = each.config_name
        rankings, seconds = ranked(_open(each, arguments, len(settings)), judged, name)
        scores[name] = score_rankings(rankings, [query.relevant for query in judged.queries])
        rates[name] = len(rankings) / max(seconds, 1e-9)
    found: Measured = {
        "configs": {name: means(judged.queries, each) for name, each in scores.items()},
        "differences": differences(judged.queries, scores),
        "queries_per_second": rates,
        "queries": len(judged.queries),
        "corpus_questions": judged.questions,
        "left_out": judged.left_out.counts(),
        "corpus": str(arguments.corpus),
        "profile": settings[0].profile_name,
        "notes": _NOTES,
    }
    if arguments.json:
        terminal.print_json(found)
    else:
        _show(found, judged)
    return 0


def ranked(
    ranker: Ranker, judged: JudgedQueries, name: str
) -> tuple[list[Sequence[Ranked]], float]:
    """Return the ranking of each query, and the seconds that ranking alone took.

    The first query is ranked once before: the index is opened and the encoder loaded by then.
    """
    texts = [query.text for query in judged.queries]
    ranker.rank(texts[:1], DEPTH)
    found: list[Sequence[Ranked]] = []
    seconds = 0.0
    with progress(f"ranking with {name}", len(texts), unit="queries") as bar:
        for start in range(0, len(texts), BATCH):
            batch = texts[start : start + BATCH]
            begun = perf_counter()
            rankings = ranker.rank(batch, DEPTH)
            seconds += perf_counter() - begun
            found.extend(rankings)
            bar.advance(len(batch))
    return found, seconds


def _settings(arguments: argparse.Namespace) -> list[Settings]:
    names = [name.strip() for name in arguments.config.split(",")]
    twice = [name for place, name in enumerate(names) if name in names[:place]]
    if twice:
        raise ConfigError(f"--config names {twice[0]!r} twice: name it once")
    found = [load_settings(name, arguments.profile, arguments.set) for name in names]
    for each in found:
        if each.config.retrieval.kind == "none":
            raise ConfigError(
                f"config {each.config_name} retrieves nothing: name one that does, as in "
                "--config keyword,semantic"
            )
    if arguments.profile == "auto":
        log.info("profile auto: %s", found[0].profile_name)
    return found


def _open(settings: Settings, arguments: argparse.Namespace, configs: int) -> Ranker:
    folder = arguments.index
    if folder is not None and configs > 1:
        folder = folder / settings.config_name
    return open_retriever(
        settings.config.retrieval,
        settings.profile.embedder,
        corpus=arguments.corpus,
        folder=folder,
    )


def _show(found: Measured, judged: JudgedQueries) -> None:
    console = terminal.console()
    groups = len({query.group for query in judged.queries})
    console.print(
        f"{found['queries']} queries in {groups} groups of shared relevant questions; "
        f"{found['corpus_questions']} corpus questions; profile {found['profile']}",
        highlight=False,
    )
    configs = found["configs"]
    console.print(table.means_table(configs))
    if found["differences"]:
        console.print(table.differences_table(found["differences"], table.shown_kinds(configs)))
    for name, rate in found["queries_per_second"].items():
        shown = f"{name}: {rate:,.{0 if rate >= 100 else 1}f} queries/s"
        terminal.print_text(console, shown)
    console.print(
        "Each metric is in [0, 1], higher is better. 95 %: bootstrap over groups of queries that "
        "share a relevant question. document: each such group counts once. "
        f"Speed: {_NOTES['queries_per_second']}.",
        highlight=False,
    )
    for note in judged.left_out.notes():
        terminal.print_text(console, f"note: {note}")
