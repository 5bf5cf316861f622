"""Runs of fake models behind the real graph, loop and journal: for the report's bench and its tests.

Passages, answers and drafts are drawn from the sentences of the sample corpus, another drawing for
each question, so that they are as long and as hard to compress as real ones. An answer takes more of
its reference the more stages a config has, so that there is something to be seen. Everything is
seeded.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evaluation.analysis.run_results import results_of
from evaluation.answering.answering_setup import AnsweringSetup
from evaluation.answering.batch_records import OneProcess
from evaluation.answering.loop import run_loop
from evaluation.answering.questions import Item, load_items, question_digests
from evaluation.store.identity import SCHEMA, digest, versions
from evaluation.store.journal import Journal, journal_path
from evaluation.store.manifest import read_manifest, run_key
from evaluation.store.run_folder import write_manifest
from evaluation.tables.results_tables import write_results
from graph.build import answering_graph, judged_graph
from graph.config import load_settings
from graph.models.batching import BatchedModel
from graph.models.lockstep import Lockstep
from graph.retrieval.corpus import read_corpus
from graph.retrieval.posts import Post
from graph.schema import Config
from nodes.state import State
from tests.fakes.sample_models import Encoder, Engine, Retriever

SAMPLE = Path(__file__).parents[2] / "dataset" / "sample"
CONFIGS = ("extract", "baseline", "semantic", "semantic_cot_rerank_refined")
_MODEL = {"model": "fake", "weights": "package", "revision": None, "dtype": "float32"}


def make_runs(folder: Path, count: int, configs: Sequence[str] = CONFIGS) -> list[Path]:
    """Write a finished run of `count` questions for each config; return their folders."""
    posts = list(read_corpus(SAMPLE / "question_answer.csv"))
    items = questions(count)
    return [_make_run(folder, name, items, posts) for name in configs]


def questions(count: int) -> list[Item]:
    """Return the sample's questions again and again, each with a number of its own."""
    sample = load_items(SAMPLE / "coderepoqa_python.csv")
    items = []
    for number in range(count):
        item = sample[number % len(sample)]
        first, _, rest = item.question.partition("\n")
        text = f"{first} (case {number})\n{rest}"
        items.append(
            Item(number, f"case-{number:04}", text, item.reference, item.relevant_question_ids)
        )
    return items


def _make_run(folder: Path, name: str, items: Sequence[Item], posts: Sequence[Post]) -> Path:
    settings = load_settings(name, "embedded", [])
    identity: dict[str, object] = {
        "schema": SCHEMA,
        "config": settings.config.model_dump(mode="json"),
        "generator": _MODEL,
        "judge": {**_MODEL, "model": "fake judge"},
        "embedder": {**_MODEL, "model": "fake encoder"},
        "dataset_sha256": "0" * 64,
        "limit": len(items),
        "batch_size": 25,
        "seed": 0,
    }
    target = folder / f"{name}-embedded-coderepoqa_python-{digest(identity)[:12]}"
    target.mkdir(parents=True)
    manifest = {
        "digest": digest(identity),
        "identity": identity,
        "config": name,
        "profile": "embedded",
        "questions": len(items),
        "question_digests": question_digests(items),
        "corpus": "question_answer.csv",
        "dataset": "coderepoqa_python.csv",
        "leaks": None,
        "command": f"python eval.py --config {name}",
        "created": "2026-01-01T12:00:00+00:00",
        "versions": versions(),
    }
    write_manifest(target, manifest)
    journal = Journal(journal_path(target), run_key(read_manifest(target)))
    run_loop(OneProcess(_setup(settings.config, items, posts)), items, 25, journal)
    journal.close()
    write_results(target, results_of(settings, list(journal.entries.values())))
    return target


def _setup(config: Config, items: Sequence[Item], posts: Sequence[Post]) -> AnsweringSetup:
    lockstep = Lockstep()
    writer = BatchedModel(Engine(items, posts, _skill(config)), lockstep)
    retriever = None
    if config.retrieval.kind != "none":
        retriever = Retriever(items=list(items), posts=list(posts))
    answering = answering_graph(
        config, model=writer, chooser=writer, retriever=retriever, output=State
    )
    encoder: Any = Encoder()
    return AnsweringSetup(judged_graph(answering, writer), lockstep, encoder)


def _skill(config: Config) -> float:
    return 0.08 + 0.06 * (config.retrieval.kind != "none") + 0.05 * config.generation.cot
