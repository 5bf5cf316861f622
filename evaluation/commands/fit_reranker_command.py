"""Fit the formula of learned reranking on finished runs, and measure it in cross-validation.

The candidates are the answers of the passages and all texts that the runs' models wrote. The tables go
to stdout; with --json, one JSON document is all that goes there.
"""

import argparse
from collections.abc import Sequence

from evaluation.commands.run_arguments import add_runs
from evaluation.metrics.calibrated_judge import SHIPPED, load_judge
from evaluation.reranking.candidate_pools import TARGETS, pools_of
from evaluation.reranking.fit_document import fit_document
from evaluation.reranking.reranker_fit import RIDGE, fit_reranker
from evaluation.store.recorded_run import RecordedRun, read_run, recorded_embedder
from evaluation.tables import reranker_tables as tables
from evaluation.tables.headroom_table import headroom_table
from graph.reranking.formula import save_reranker
from graph.retrieval.encoder import open_encoder
from graph.schema import EmbedderSpec
from graph.support import terminal
from graph.support.arguments import add_json, output_file, path
from graph.support.errors import ConfigError
from graph.support.logger import log
from graph.support.question_folds import FOLDS

_COLUMNS = 110
_OF_INDEX = ("keyword_score", "post_cosine", "title_cosine")
"""Features that only an index with these parts gives."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_runs(
        parser,
        "run folders over questions with references, as of --config hybrid_pick; each question once",
    )
    parser.add_argument(
        "--out",
        type=output_file,
        metavar="FILE",
        help="write the formula, for --set rerank.reranker=FILE",
    )
    parser.add_argument(
        "--calibrated",
        type=path,
        default=SHIPPED,
        metavar="FILE",
        help="the calibrated judge of the target, of calibrate --fit (default: the project's own)",
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Fit, measure, print and write the formula."""
    runs = [read_run(folder) for folder in arguments.runs]
    encoder = open_encoder(_embedder_of(runs))
    judge = load_judge(arguments.calibrated).calibrated
    if judge.needs_judge:
        raise ConfigError("the calibrated judge needs a model's score, which candidates have not")
    pools = pools_of(runs, encoder, judge)
    unknown = [
        name for name in _OF_INDEX if not any(name in row for p in pools for row in p.features)
    ]
    if unknown:
        log.warning(
            "unknown of all candidates, so without a weight: %s; runs of hybrid_pick know them",
            ", ".join(unknown),
        )
    reranker = fit_reranker(pools, {})
    document = fit_document(reranker, pools)
    provenance = {
        "runs": [{"config": r.config, "profile": r.profile, "digest": r.digest} for r in runs],
        "questions": document["questions"],
        "candidates": document["candidates"],
        "encoder": encoder.spec.model,
        "method": f"ridge {RIDGE} on ranks within a question; weights of monotone features at least 0; "
        f"{FOLDS} folds by question",
        "target": list(TARGETS),
        "cross_validated": tables.figures(document),
    }
    if arguments.out:
        save_reranker(arguments.out, reranker._replace(provenance=provenance))
        log.info("formula: %s", arguments.out)
    if arguments.json:
        terminal.print_json(document)
        return 0
    console = terminal.console(_COLUMNS)
    terminal.print_text(console, tables.headline(document))
    console.print(headroom_table(document["captured"]))
    for line in [*tables.difference_lines(document), *tables.confidence_lines(document)]:
        terminal.print_text(console, line)
    console.print(tables.features_table(document))
    console.print(tables.EXPLANATION)
    return 0


def _embedder_of(runs: Sequence[RecordedRun]) -> EmbedderSpec:
    specs = [recorded_embedder(run, ": fit on runs of this version") for run in runs]
    if any(spec != specs[0] for spec in specs):
        raise ConfigError("the runs have different encoders: fit on runs of one profile")
    return specs[0]
