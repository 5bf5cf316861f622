"""What the pipeline costs over bare generation: python -m bench.efficiency.

Runs `semantic` over the sample with the embedded models and gives the same batches to bare
`model.generate`: same tensors, same settings, tokenised beforehand. The first run of the pipeline is
not timed: it records the batches, and every shape of matrix is prepared once for both sides. Then
both sides are timed in the same process, in turn, and the side that goes first changes each round.
The ratio of tokens per second is printed for each round, then its median and range. 1.0 would mean
that retrieval, prompting, LangGraph, LangChain, parsing, metrics and the journal cost nothing.
"""

import argparse
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import torch

from evaluation.journal import Journal
from evaluation.machine import Machine, open_machine
from evaluation.questions import Item, load_items
from evaluation.run import run
from graph.config import load_settings
from graph.models import open_models

SAMPLE = Path(__file__).parents[1] / "dataset" / "sample"


class Whole(NamedTuple):
    """One run of the pipeline."""

    seconds: float
    inside: float
    """Of these, the seconds inside `model.generate`."""
    new_tokens: int


def main() -> None:
    """Measure and print."""
    arguments = _arguments()
    items = load_items(SAMPLE / "coderepoqa_python.csv", arguments.questions)
    settings = load_settings("semantic", "embedded", arguments.set)
    models = open_models(settings.profile, batch_size=arguments.batch_size)
    corpus = SAMPLE / "question_answer.csv"
    machine = open_machine(settings, models, corpus=corpus, judged=False)
    model = models.generator.engine.loaded.model  # type: ignore[attr-defined]
    batches: list[dict[str, Any]] = []
    _pipeline(machine, model, items, arguments.batch_size, batches)

    ratios = []
    print(f"{'round':>5} {'first':>9} {'pipeline':>10} {'bare':>8} {'inside':>8} {'ratio':>7}")
    for number in range(1, arguments.rounds + 1):
        bare_first = number % 2 == 1
        bare = _bare(model, batches) if bare_first else 0.0
        whole = _pipeline(machine, model, items, arguments.batch_size, [])
        bare = bare or _bare(model, batches)
        ratios.append(bare / whole.seconds)
        print(
            f"{number:>5} {'bare' if bare_first else 'pipeline':>9} "
            f"{whole.new_tokens / whole.seconds:>10.1f} {whole.new_tokens / bare:>8.1f} "
            f"{whole.inside / whole.seconds:>7.1%} {ratios[-1]:>7.3f}",
            flush=True,
        )
    print("pipeline, bare: new tokens a second; inside: share of the run inside model.generate")
    print(
        f"ratio: median {statistics.median(ratios):.3f}, range {min(ratios):.3f} to "
        f"{max(ratios):.3f}; {len(batches)} batches, n={len(ratios)} rounds"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=8)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE")
    return parser.parse_args()


def _pipeline(
    machine: Machine, model: Any, items: list[Item], batch_size: int, batches: list[dict[str, Any]]
) -> Whole:
    """Time a whole run, metrics and journal included, and note what reaches the model."""
    spent: list[float] = []
    with tempfile.TemporaryDirectory() as folder, _noted(model, batches, spent):
        journal = Journal(Path(folder) / "journal.jsonl")
        start = perf_counter()
        session = run(machine, items, batch_size, journal)
        seconds = perf_counter() - start
        journal.close()
    return Whole(seconds, sum(spent), session.new_tokens)


@contextmanager
def _noted(model: Any, batches: list[dict[str, Any]], spent: list[float]) -> Iterator[None]:
    real = model.generate

    def generate(**arguments: Any) -> Any:
        batches.append(arguments)
        start = perf_counter()
        try:
            return real(**arguments)
        finally:
            spent.append(perf_counter() - start)

    model.generate = generate
    try:
        yield
    finally:
        model.generate = real


def _bare(model: Any, batches: list[dict[str, Any]]) -> float:
    start = perf_counter()
    with torch.inference_mode():
        for batch in batches:
            model.generate(**batch)
    return perf_counter() - start


if __name__ == "__main__":
    main()
