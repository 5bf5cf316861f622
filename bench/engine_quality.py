"""The quality of the engine openvino beside transformers in float32, with the same weights.

Run `python -m bench.engine_quality --dataset CSV [--references N] [--questions N] [--config NAME]`.

Both engines compute the log-probability of the same reference answers (the first 256 tokens of each)
after the prompt of `baseline`. Prints the mean of a token for each engine and their ratio, with a
paired interval over answers. A ratio below 1 says that openvino finds the answers more probable.

Then both answer the same questions greedily, and one judge grades all answers. Prints how many texts
are equal, and the differences of all metrics as `python -m evaluation compare` computes them.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

import numpy as np

from evaluation.analysis.comparison import adjust, metric_difference
from evaluation.answering.answering_setup import open_setup
from evaluation.answering.batch_records import answer_batch
from evaluation.answering.questions import Item, batches, load_items
from evaluation.metrics.registry import METRIC_NAMES
from evaluation.statistics.intervals import ratio_interval
from evaluation.store.journal import Record
from evaluation.tables.comparison_table import EXPLANATION, differences_table
from graph.config import load_settings
from graph.models import open_models
from graph.models.engines import ScoringEngine
from graph.schema import Settings
from graph.support import terminal
from nodes.model import Continuation, Likelihood
from nodes.prompting import answer_prompt

TESTED, STOCK = "openvino", "huggingface"
SIDES = {
    TESTED: ["generator.engine=openvino"],
    STOCK: ["generator.engine=huggingface", "generator.dtype=float32"],
}
"""The settings of each engine."""
JUDGE = ["judge.engine=openvino"]
"""One judge for both: its grades then differ by the answers alone."""


def main() -> None:
    """Measure and print."""
    arguments = _arguments()
    settings = {
        name: load_settings(arguments.config, "embedded", [*overrides, *JUDGE])
        for name, overrides in SIDES.items()
    }
    items = load_items(arguments.dataset)
    with_reference = [item for item in items if item.reference]
    if arguments.references:
        _compare_likelihoods(settings, with_reference[: arguments.references], arguments.batch_size)
    if arguments.questions:
        _compare_answers(settings, items[: arguments.questions], arguments)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--corpus", type=Path, help="for a config that retrieves")
    parser.add_argument("--references", type=int, default=200, help="reference answers to score")
    parser.add_argument("--questions", type=int, default=40, help="questions to answer")
    parser.add_argument("--config", default="baseline", help="the config of the answers")
    parser.add_argument("--batch-size", type=int, default=8)
    return parser.parse_args()


def _compare_likelihoods(
    settings: dict[str, Settings], items: Sequence[Item], batch_size: int
) -> None:
    outcomes = {name: _likelihoods(side, items, batch_size) for name, side in settings.items()}
    pairs = list(zip(outcomes[TESTED], outcomes[STOCK], strict=True))
    sums = [
        (logprob_sum(tested), logprob_sum(stock), tested["scored_tokens"])
        for tested, stock in pairs
        if not isinstance(tested, Exception) and not isinstance(stock, Exception)
    ]
    failed = len(pairs) - len(sums)
    scored = np.array([row for row in sums if None not in row], dtype=float).reshape(-1, 3)
    tested, stock, tokens = scored.T
    print(
        f"log-probability of a token: {TESTED} {tested.sum() / tokens.sum():.4f}, {STOCK} "
        f"{stock.sum() / tokens.sum():.4f}; n={len(scored)} answers, {tokens.sum():.0f} tokens, "
        f"unscored {len(sums) - len(scored)}, failed {failed}"
    )
    print(f"ratio {tested.sum() / stock.sum():.4f}, 95 % {ratio_interval(-tested, -stock)}")
    print(f"largest difference of an answer: {np.abs((tested - stock) / tokens).max():.4f}")


def logprob_sum(likelihood: Likelihood) -> float | None:
    """Return the sum of the log-probabilities of a text's tokens; None for an unscored text."""
    mean = likelihood["mean_logprob"]
    return None if mean is None else mean * likelihood["scored_tokens"]


def _likelihoods(
    settings: Settings, items: Sequence[Item], batch_size: int
) -> list[Likelihood | Exception]:
    """Compute the likelihood of the reference answer of each question."""
    engine = open_models(settings.profile, batch_size=batch_size).generator.engine
    assert isinstance(engine, ScoringEngine)
    start = perf_counter()
    outcomes = engine.score_all(
        [Continuation(answer_prompt({"question": item.question}), item.reference) for item in items]
    )
    print(f"{settings.profile.generator.engine}: {perf_counter() - start:.0f} s", flush=True)
    return list(outcomes)


def _compare_answers(
    settings: dict[str, Settings], items: Sequence[Item], arguments: argparse.Namespace
) -> None:
    records = {
        name: _records(side, items, arguments.corpus, arguments.batch_size)
        for name, side in settings.items()
    }
    pairs = list(zip(records[TESTED], records[STOCK], strict=True))
    equal = sum(tested["answer"] == stock["answer"] for tested, stock in pairs)
    differences = [metric_difference(pairs, metric, TESTED, STOCK) for metric in METRIC_NAMES]
    adjust(differences)
    print(f"{arguments.config}: {equal} of {len(pairs)} texts are equal")
    console = terminal.console()
    console.print(differences_table(differences))
    terminal.print_text(console, EXPLANATION)


def _records(
    settings: Settings, items: Sequence[Item], corpus: Path | None, batch_size: int
) -> list[Record]:
    """Answer, grade and score the questions."""
    models = open_models(settings.profile, batch_size=batch_size)
    setup = open_setup(settings, models, corpus=corpus, items=items)
    start = perf_counter()
    records = [
        record for batch in batches(items, batch_size) for record in answer_batch(setup, batch)
    ]
    print(f"{settings.profile.generator.engine}: {perf_counter() - start:.0f} s", flush=True)
    return records


if __name__ == "__main__":
    main()
