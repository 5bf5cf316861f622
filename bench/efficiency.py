"""The speed of the pipeline relative to bare generation.

Run `python -m bench.efficiency [--questions N] [--batch-size N] [--rounds N] [--set KEY=VALUE ...]`.

Runs `semantic` over the sample with the embedded models: retrieval, prompting, LangGraph, LangChain,
parsing, metrics and journal. Each call of `model.generate` is repeated bare, with the same tensors and
settings in `torch.inference_mode`, alternately right before and right after the pipeline's own call.
The speed of a shared machine can change by half within minutes, but both calls of a pair meet nearly
the same conditions. The time of the bare calls does not count as the pipeline's.

Prints new tokens per second of both sides and their ratio for each round, then the median and range of
the ratio. At 1.0 everything around the calls, and all that the pipeline changes inside them, would be
free.
"""

import argparse
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

from evaluation.answering.answering_setup import AnsweringSetup, open_setup
from evaluation.answering.batch_records import OneProcess
from evaluation.answering.loop import run_loop
from evaluation.answering.questions import Item, load_items, question_digests
from evaluation.store.journal import Journal, RunKey
from graph.config import load_settings
from graph.models import open_models

SAMPLE = Path(__file__).parents[1] / "dataset" / "sample"


class Round(NamedTuple):
    """The times of one run, in seconds, and its number of calls and tokens."""

    pipeline: float
    """The whole run without the bare calls."""
    inside: float
    """The pipeline's own calls of `model.generate`."""
    bare: float
    """The bare calls."""
    calls: int
    new_tokens: int


def main() -> None:
    """Measure and print."""
    arguments = _arguments()
    items = load_items(SAMPLE / "coderepoqa_python.csv", arguments.questions)
    settings = load_settings("semantic", "embedded", arguments.set)
    models = open_models(settings.profile, batch_size=arguments.batch_size)
    corpus = SAMPLE / "question_answer.csv"
    setup = open_setup(settings, models, corpus=corpus, judged=False)
    model = models.generator.engine.loaded.model  # type: ignore[attr-defined]
    # Loads weights, index and encoder before anything is timed.
    _round(setup, model, items[:1], 1)

    rounds = []
    print(f"{'round':>5} {'pipeline':>10} {'bare':>8} {'inside':>8} {'ratio':>7}")
    for number in range(1, arguments.rounds + 1):
        timed = _round(setup, model, items, arguments.batch_size, bare_first=number % 2 == 1)
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
    setup: AnsweringSetup,
    model: Any,
    items: list[Item],
    batch_size: int,
    *,
    bare_first: bool = True,
) -> Round:
    """Time a run, metrics and journal included, with a bare twin of each model call."""
    twins = _Twins(model, bare_first=bare_first)
    key = RunKey("a run of this bench", question_digests(items), batch_size)
    with tempfile.TemporaryDirectory() as folder, twins.watching():
        journal = Journal(Path(folder) / "journal.jsonl", key)
        start = perf_counter()
        session = run_loop(OneProcess(setup), items, batch_size, journal)
        seconds = perf_counter() - start
        journal.close()
    pipeline = seconds - twins.bare
    return Round(pipeline, twins.inside, twins.bare, twins.calls, session.calls.new_tokens)


class _Twins:
    """A wrapper of `model.generate` that repeats each call bare; the first side alternates."""

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
        # These keep a state between calls, so that the second call would not equal the first.
        assert not {"streamer", "stopping_criteria"} & arguments.keys()
        if self._bare_first:
            self._call_bare(arguments)
        start = perf_counter()
        output = self._generate(**arguments)
        self.inside += perf_counter() - start
        if not self._bare_first:
            self._call_bare(arguments)
        self._bare_first = not self._bare_first
        self.calls += 1
        return output

    def _call_bare(self, arguments: dict[str, Any]) -> None:
        import torch

        start = perf_counter()
        with torch.inference_mode():
            self._generate(**arguments)
        self.bare += perf_counter() - start


if __name__ == "__main__":
    main()
