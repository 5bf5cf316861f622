"""What the pipeline costs over bare generation: python -m bench.efficiency.

Runs `semantic` over the sample with the embedded models - retrieval, prompting, LangGraph, LangChain,
parsing, metrics, journal. Each batch that reaches `model.generate` is also given to it bare: the same
tensors and settings, in `torch.inference_mode`, right before or right after the pipeline's own call, in
turn. On a shared machine the speed of a whole minute can change by half; the two calls of a pair
meet nearly the same conditions. The time of the bare calls is not counted as the pipeline's. The
ratio of tokens per second is printed for each round, then its median and range: 1.0 would mean that
everything around the calls, and what the pipeline changes inside them, costs nothing.
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

from evaluation.answering.loop import run_loop
from evaluation.answering.machine import Machine, open_machine
from evaluation.answering.questions import Item, load_items
from evaluation.store.journal import Journal
from graph.config import load_settings
from graph.models import open_models

SAMPLE = Path(__file__).parents[1] / "dataset" / "sample"


class Round(NamedTuple):
    """Seconds of one run."""

    pipeline: float
    """The whole run, without the bare calls."""
    inside: float
    """Of these, the pipeline's own calls of `model.generate`."""
    bare: float
    calls: int
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
    # Weights, index and encoder are warm before anything is timed.
    _round(machine, model, items[:1], 1)

    rounds = []
    print(f"{'round':>5} {'pipeline':>10} {'bare':>8} {'inside':>8} {'ratio':>7}")
    for number in range(1, arguments.rounds + 1):
        timed = _round(machine, model, items, arguments.batch_size, bare_first=number % 2 == 1)
        rounds.append(timed)
        print(
            f"{number:>5} {timed.new_tokens / timed.pipeline:>10.1f} "
            f"{timed.new_tokens / timed.bare:>8.1f} {timed.inside / timed.pipeline:>8.1%} "
            f"{timed.bare / timed.pipeline:>7.3f}",
            flush=True,
        )
    ratios = [timed.bare / timed.pipeline for timed in rounds]
    print("pipeline, bare: new tokens a second; inside: share of the run in model.generate")
    print(
        f"ratio: median {statistics.median(ratios):.3f}, range {min(ratios):.3f} to "
        f"{max(ratios):.3f}; n={len(rounds)} rounds, {rounds[0].calls} calls each"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=8)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE")
    return parser.parse_args()


def _round(
    machine: Machine, model: Any, items: list[Item], batch_size: int, *, bare_first: bool = True
) -> Round:
    """Time a whole run, metrics and journal included, with a bare twin of each call."""
    twins = _Twins(model, bare_first=bare_first)
    with tempfile.TemporaryDirectory() as folder, twins.watching():
        journal = Journal(Path(folder) / "journal.jsonl")
        start = perf_counter()
        session = run_loop(machine, items, batch_size, journal)
        seconds = perf_counter() - start
        journal.close()
    pipeline = seconds - twins.bare
    return Round(pipeline, twins.inside, twins.bare, twins.calls, session.calls.new_tokens)


class _Twins:
    """Watches `model.generate`, and repeats each call bare; who goes first changes each time."""

    def __init__(self, model: Any, *, bare_first: bool) -> None:
        self.inside = self.bare = 0.0
        self.calls = 0
        self._model, self._bare_first = model, bare_first
        self._generate = model.generate

    @contextmanager
    def watching(self) -> Iterator[None]:
        self._model.generate = self._both
        try:
            yield
        finally:
            self._model.generate = self._generate

    def _both(self, **arguments: Any) -> Any:
        # A streamer or a criterion with a memory would have to be new for each call.
        assert not {"streamer", "stopping_criteria"} & arguments.keys()
        if self._bare_first:
            self._call_bare(arguments)
        start = perf_counter()
        made = self._generate(**arguments)
        self.inside += perf_counter() - start
        if not self._bare_first:
            self._call_bare(arguments)
        self._bare_first = not self._bare_first
        self.calls += 1
        return made

    def _call_bare(self, arguments: dict[str, Any]) -> None:
        start = perf_counter()
        with torch.inference_mode():
            self._generate(**arguments)
        self.bare += perf_counter() - start


if __name__ == "__main__":
    main()
