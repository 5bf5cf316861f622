"""What the pipeline costs over bare generation: python -m bench.efficiency.

Runs `semantic` over the sample with the embedded models, recording the prompts of every batch,
then gives the same batches to bare `model.generate` with the same settings, tokenised beforehand.
Both sides are timed in the same process, in turn, several times; the ratio of tokens per second is
printed for each round, then its median and range. 1.0 would mean that retrieval, prompting,
LangGraph, LangChain, parsing and the journal cost nothing.
"""

import argparse
import statistics
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import torch

from evaluation.journal import Journal
from evaluation.questions import Item, load_items
from evaluation.run import Machine, run
from graph.build import answering_graph, judged_graph
from graph.config import load_settings
from graph.models import open_models
from graph.retrieval import open_retriever
from graph.retrieval.encoder import open_encoder
from nodes.state import State

SAMPLE = Path(__file__).parents[1] / "dataset" / "sample"


class Batch(NamedTuple):
    """The arguments of one call of `model.generate`."""

    arguments: dict[str, Any]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=16)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    items = load_items(SAMPLE / "coderepoqa_python.csv", arguments.questions)
    machine, model = _machine(arguments.batch_size)
    # Weights, index and kernels are warmed up on both sides before anything is timed.
    _pipeline(machine, items[:2], arguments.batch_size)

    ratios = []
    print(f"{'round':>5} {'pipeline':>12} {'bare':>12} {'ratio':>7}   new tokens/s")
    for number in range(1, arguments.rounds + 1):
        batches: list[Batch] = []
        restore = _record(model, batches)
        whole, tokens = _pipeline(machine, items, arguments.batch_size)
        restore()
        bare = _bare(model, batches)
        ratios.append(bare / whole)
        print(f"{number:>5} {tokens / whole:>12.1f} {tokens / bare:>12.1f} {ratios[-1]:>7.3f}")
    print(
        f"ratio: median {statistics.median(ratios):.3f}, "
        f"range {min(ratios):.3f} to {max(ratios):.3f}, {len(batches)} batches, n={len(ratios)} rounds"
    )


def _machine(batch_size: int) -> tuple[Machine, Any]:
    settings = load_settings("semantic", "embedded", [])
    profile = settings.profile
    models = open_models(profile, batch_size=batch_size)
    retriever = open_retriever(
        settings.config.retrieval, profile.embedder, corpus=SAMPLE / "question_answer.csv"
    )
    answering = answering_graph(
        settings.config,
        model=models.generator,
        chooser=models.generator,
        retriever=retriever,
        output=State,
    )
    machine = Machine(
        judged_graph(answering, None), models.lockstep, open_encoder(profile.embedder)
    )
    return machine, models.generator.engine.loaded.model  # type: ignore[attr-defined]


def _pipeline(machine: Machine, items: list[Item], batch_size: int) -> tuple[float, int]:
    """Return the seconds and the new tokens of a whole run, metrics and journal included."""
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "journal.jsonl")
        start = perf_counter()
        session = run(machine, items, batch_size, journal)
        seconds = perf_counter() - start
        journal.close()
    return seconds, session.new_tokens


def _record(model: Any, batches: list[Batch]) -> Any:
    real = model.generate

    def generate(**arguments: Any) -> Any:
        batches.append(Batch(arguments))
        return real(**arguments)

    model.generate = generate

    def restore() -> None:
        model.generate = real

    return restore


def _bare(model: Any, batches: list[Batch]) -> float:
    start = perf_counter()
    with torch.inference_mode():
        for batch in batches:
            model.generate(**batch.arguments)
    return perf_counter() - start


if __name__ == "__main__":
    main()
