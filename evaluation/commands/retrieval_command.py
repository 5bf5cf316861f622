"""Measure retrieval on queries with relevance judgments: recall, nDCG, MRR, config differences.

The tables go to stdout; with --json, one JSON document is all that goes there.
"""

import argparse
from functools import partial

from evaluation.ranking.judged_queries import JudgedQueries, load_judged
from evaluation.ranking.rank_measures import Ranker, library_measures
from evaluation.ranking.ranking_document import RankingDocument, ranking_document
from evaluation.tables import ranking_tables as tables
from graph.commands.settings_arguments import add_models
from graph.config import config_names, load_settings
from graph.retrieval import open_retriever
from graph.schema import Settings
from graph.support import terminal
from graph.support.arguments import add_json, path
from graph.support.errors import ConfigError
from graph.support.logger import log
from graph.support.text import plural

_DEFAULT_CONFIGS = ("keyword", "semantic", "hybrid")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    files = {
        "corpus": "posts to search",
        "queries": "columns query_id, query_title, query_body (HTML, may be empty), kind",
        "qrels": "columns query_id, question_id, relevance (a whole number, 0 is not relevant)",
    }
    for name, text in files.items():
        parser.add_argument(f"--{name}", type=path, required=True, metavar="PATH", help=text)
    parser.add_argument(
        "--config",
        metavar="NAME[,NAME...]",
        default=",".join(name for name in _DEFAULT_CONFIGS if name in config_names()),
        help="which retrievers (default %(default)s); several are compared, pair by pair",
    )
    add_models(parser, whose="whose embedder", example="retrieval.tag_bonus=0.1")
    parser.add_argument(
        "--index",
        type=path,
        metavar="DIR",
        help="folder of the index (default: in the cache folder); with several configs, the folder "
        "that holds the index of each config under the config's name",
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Rank the queries with each config, and print the measurements."""
    settings = _load_settings(arguments)
    # A missing library is an error before the work, not after it.
    library_measures()
    judged = load_judged(arguments.queries, arguments.qrels, arguments.corpus)
    for note in judged.left_out.notes():
        log.warning("note: %s", note)
    several = len(settings) > 1
    document = ranking_document(
        judged,
        {
            config.config_name: partial(_open_ranker, config, arguments, several=several)
            for config in settings
        },
        corpus=str(arguments.corpus),
        profile=settings[0].profile_name,
    )
    if arguments.json:
        terminal.print_json(document)
    else:
        _show(document, judged)
    return 0


def _load_settings(arguments: argparse.Namespace) -> list[Settings]:
    names = [name.strip() for name in arguments.config.split(",")]
    repeated = [name for index, name in enumerate(names) if name in names[:index]]
    if repeated:
        raise ConfigError(f"--config names {repeated[0]!r} twice: name it once")
    settings = [load_settings(name, arguments.profile, arguments.set) for name in names]
    for config in settings:
        if config.config.retrieval.kind == "none":
            raise ConfigError(
                f"config {config.config_name} retrieves nothing: name one that does, as in "
                "--config keyword,semantic"
            )
    if arguments.profile == "auto":
        log.info("profile auto: %s", settings[0].profile_name)
    return settings


def _open_ranker(settings: Settings, arguments: argparse.Namespace, *, several: bool) -> Ranker:
    folder = arguments.index
    if folder is not None and several:
        folder = folder / settings.config_name
    return open_retriever(
        settings.config.retrieval,
        settings.profile.embedder,
        corpus=arguments.corpus,
        folder=folder,
    )


def _show(document: RankingDocument, judged: JudgedQueries) -> None:
    console = terminal.console()
    groups = len({query.group for query in judged.queries})
    queries, questions = document["queries"], document["corpus_questions"]
    console.print(
        f"{queries} {plural(queries, 'query', 'queries')} in {groups} {plural(groups, 'group')} of "
        f"shared relevant questions; {questions} corpus {plural(questions, 'question')}; profile "
        f"{document['profile']}",
        highlight=False,
    )
    configs = document["configs"]
    console.print(tables.means_table(configs))
    if document["differences"]:
        kinds = tables.kinds_in_tables(configs)
        console.print(tables.differences_table(document["differences"], kinds))
    for name, rate in document["queries_per_second"].items():
        terminal.print_text(console, f"{name}: {rate:,.{0 if rate >= 100 else 1}f} queries/s")
    console.print(
        "Each metric is in [0, 1], higher is better. 95 %: bootstrap over groups of queries that "
        "share a relevant question; Wilson's interval where each group scores 0 or 1; none where all "
        "groups score the same. document: each such group counts once. "
        f"Speed: {document['notes']['queries_per_second']}.",
        highlight=False,
    )
    for note in judged.left_out.notes():
        terminal.print_text(console, f"note: {note}")
