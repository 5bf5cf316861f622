"""Runs of fake models behind the real graph, loop and journal: for the report's bench and its tests.

Passages, answers and drafts are drawn from the sentences of the sample corpus, another drawing for
each question, so that they are as long and as hard to compress as real ones. An answer takes more of
its reference the more stages a config has, so that there is something to be seen. Everything is
seeded.
"""

import logging
import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever

from evaluation.folder import write_manifest
from evaluation.identity import SCHEMA, digest, versions
from evaluation.journal import Journal
from evaluation.machine import Machine
from evaluation.questions import Item, load_items
from evaluation.results import results_of
from evaluation.run import journal_path, run
from evaluation.summary import write_results
from graph.build import answering_graph, judged_graph
from graph.config import load_settings
from graph.models.batching import BatchedModel
from graph.models.lockstep import Lockstep
from graph.retrieval.documents import Post, read_corpus
from graph.schema import Config
from nodes.model import Prompt, Reply, Verdict
from nodes.state import State

SAMPLE = Path(__file__).parents[1] / "dataset" / "sample"
CONFIGS = ("extract", "baseline", "semantic", "semantic_cot_rerank_refined")
_CODE = re.compile(r"(```.*?```)", re.DOTALL)
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n\n")
_CASE = re.compile(r"\(case (\d+)\)")
_MODEL = {"model": "fake", "revision": None, "engine": "embedded", "dtype": "float32"}


def make_runs(folder: Path, count: int, configs: Sequence[str] = CONFIGS) -> list[Path]:
    """Write a finished run of `count` questions for each config; return their folders."""
    logging.getLogger("opencoder").setLevel(logging.ERROR)
    posts = list(read_corpus(SAMPLE / "question_answer.csv"))
    items = questions(count)
    return [_make_run(folder, name, items, posts) for name in configs]


def questions(count: int) -> list[Item]:
    """Return the sample's questions again and again, each with a number of its own."""
    sample = load_items(SAMPLE / "coderepoqa_python.csv")
    made = []
    for number in range(count):
        item = sample[number % len(sample)]
        first, _, rest = item.question.partition("\n")
        text = f"{first} (case {number})\n{rest}"
        made.append(
            Item(number, f"case-{number:04}", text, item.reference, item.relevant_question_ids)
        )
    return made


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
        "corpus": "question_answer.csv",
        "dataset": "coderepoqa_python.csv",
        "leaks": None,
        "command": f"python eval.py --config {name}",
        "created": "2026-01-01T12:00:00+00:00",
        "versions": versions(),
    }
    write_manifest(target, manifest)
    journal = Journal(journal_path(target))
    run(_machine(settings.config, items, posts), items, 25, journal)
    journal.close()
    write_results(target, results_of(settings, list(journal.records.values())))
    return target


def _machine(config: Config, items: Sequence[Item], posts: Sequence[Post]) -> Machine:
    lockstep = Lockstep()
    writer = BatchedModel(_Engine(items, posts, _skill(config)), lockstep)
    retriever = None
    if config.retrieval.kind != "none":
        retriever = _Retriever(items=list(items), posts=list(posts))
    answering = answering_graph(
        config, model=writer, chooser=writer, retriever=retriever, output=State
    )
    encoder: Any = _Encoder()
    return Machine(judged_graph(answering, writer), lockstep, encoder)


def _skill(config: Config) -> float:
    return 0.08 + 0.06 * (config.retrieval.kind != "none") + 0.05 * config.generation.cot


class _Engine:
    """Writes and chooses by chance, but better where a draft is there already."""

    name = "fake"
    commit = None

    def __init__(self, items: Sequence[Item], posts: Sequence[Post], skill: float) -> None:
        self._references = {item.index: _sentences(item.reference) for item in items}
        self._pool = [s for post in posts for s in _sentences(post.answer)]
        self._skill = skill

    def write_all(
        self, prompts: Sequence[Prompt], max_new_tokens: int, temperature: float
    ) -> list[Reply | Exception]:
        """Answer each prompt."""
        del max_new_tokens, temperature
        return [self._write(prompt, place) for place, prompt in enumerate(prompts)]

    def _write(self, prompt: Prompt, place: int) -> Reply | Exception:
        text = _whole(prompt)
        chance, number = _chance(text, place), _number(text)
        if number % 97 == 13:
            return RuntimeError("the fake model fails here, as it does for one question in 97")
        refined = "draft" in prompt.cuttable
        share = self._skill + (0.08 if refined else 0.0) + chance.uniform(-0.05, 0.12)
        known = [s for s in self._references[number] if chance.random() < share * 2.5]
        other = chance.choices(self._pool, k=chance.randint(2, 5))
        made = list(known)
        for sentence in other:
            made.insert(chance.randint(0, len(made)), sentence)
        cited = " [1]" if prompt.passages and chance.random() < 0.4 else ""
        if "max_points" in prompt.whole:
            reply = "\n".join(f"{n}. {s}" for n, s in enumerate(other[:3], 1))
        else:
            reply = "" if number % 61 == 7 and not refined else "\n\n".join(made) + cited
        return {
            "text": reply,
            "prompt": text,
            "prompt_tokens": len(text) // 4,
            "new_tokens": len(reply) // 4,
            "cut_tokens": 40 if number % 10 == 0 else 0,
            "seconds": len(text) / 40_000 + len(reply) / 2_000,
            "halvings": 0,
            "cached": False,
        }

    def choose_all(
        self, prompts: Sequence[Prompt], options: Sequence[str]
    ) -> list[Verdict | Exception]:
        """Choose for each prompt."""
        return [_choose(_whole(prompt), place, options) for place, prompt in enumerate(prompts)]


def _choose(text: str, place: int, options: Sequence[str]) -> Verdict:
    chance = _chance(text, place)
    weights = [chance.expovariate(1.0) + 0.02 for _ in options]
    shares = {o: w / sum(weights) for o, w in zip(options, weights, strict=True)}
    return {
        "choice": max(shares, key=shares.__getitem__),
        "probabilities": shares,
        "mass": chance.uniform(0.6, 1.0),
        "prompt": text,
        "prompt_tokens": len(text) // 4,
        "cut_tokens": 0,
        "reply": None,
        "seconds": len(text) / 40_000,
        "cached": False,
    }


class _Retriever(BaseRetriever):
    """Five posts of drawn sentences; the first is often one that the dataset names as relevant."""

    items: list[Item]
    posts: list[Post]

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        del run_manager
        chance, number = _chance(query, 0), _number(query)
        wanted = set(self.items[number].relevant_question_ids)
        named = [post for post in self.posts if post.question_id in wanted]
        found = chance.sample(self.posts, 5)
        if named and chance.random() < 0.7:
            found[chance.randint(0, 3)] = named[0]
        pool = [s for post in chance.sample(self.posts, 12) for s in _sentences(post.answer)]
        documents = []
        for rank, post in enumerate(found):
            text = "\n\n".join(chance.choices(pool, k=chance.randint(6, 16)))
            meta = {
                "question_id": post.question_id,
                "title": post.title,
                "score": 0.9 - 0.07 * rank - chance.random() / 20,
                "url": f"https://example.org/questions/{post.question_id}",
                "licence": "CC BY-SA 4.0",
            }
            documents.append(Document(page_content=text, metadata=meta))
        return documents


class _Encoder:
    """Vectors of words, by hashing: the more words two texts share, the nearer they are."""

    def encode(self, texts: Sequence[str]) -> "np.ndarray[Any, Any]":
        """Return unit vectors, shape (len(texts), 256)."""
        vectors = np.full((len(texts), 256), 1e-6)
        for row, text in enumerate(texts):
            for word in re.findall(r"\w+", text.lower()):
                vectors[row, crc32(word.encode()) % 256] += 1
        return np.sqrt(vectors) / np.linalg.norm(np.sqrt(vectors), axis=1, keepdims=True)


def _sentences(text: str) -> list[str]:
    """Return sentences and whole blocks of code."""
    parts = []
    for place, part in enumerate(_CODE.split(text)):
        parts += [part] if place % 2 else _SENTENCE.split(part)
    return [part.strip("\n") for part in parts if part.strip()]


def _whole(prompt: Prompt) -> str:
    passages = "\n".join(f"{quote.heading}\n{quote.text}" for quote in prompt.passages)
    values = {**prompt.whole, **prompt.cuttable, "passages": passages}
    return prompt.template.format(**values)


def _number(text: str) -> int:
    found = _CASE.search(text)
    if found is None:
        raise ValueError("a prompt without its question")
    return int(found[1])


def _chance(text: str, place: int) -> random.Random:
    return random.Random(crc32(text.encode("utf-8")) + place)
