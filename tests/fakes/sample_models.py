"""Fake models, a retriever and an encoder that draw from the sample's sentences; all is seeded."""

import random
import re
from collections.abc import Sequence
from typing import Any
from zlib import crc32

import numpy as np
from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever

from evaluation.answering.questions import Item
from graph.retrieval.encoder import TextPart
from graph.retrieval.posts import Post
from nodes.model import Prompt, Reply, Verdict

_CODE = re.compile(r"(```.*?```)", re.DOTALL)
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n\n")
_CASE = re.compile(r"\(case (\d+)\)")


class Engine:
    """Writes and chooses by chance, but better where a draft is there already."""

    name = "fake"
    commit = None
    batches = True

    def __init__(self, items: Sequence[Item], posts: Sequence[Post], skill: float) -> None:
        self._references = {item.index: _sentences(item.reference) for item in items}
        self._pool = [s for post in posts for s in _sentences(post.answer)]
        self._skill = skill

    def write_all(
        self, prompts: Sequence[Prompt], max_new_tokens: int, temperature: float
    ) -> list[Reply | Exception]:
        """Answer each prompt."""
        del max_new_tokens, temperature
        return [self._write(prompt, index) for index, prompt in enumerate(prompts)]

    def _write(self, prompt: Prompt, index: int) -> Reply | Exception:
        text = prompt.render()
        chance, number = _chance(text, index), _number(text)
        if number % 97 == 13:
            return RuntimeError("the fake model fails here, as it does for one question in 97")
        refined = "draft" in prompt.cuttable
        share = self._skill + (0.08 if refined else 0.0) + chance.uniform(-0.05, 0.12)
        own = [s for s in self._references[number] if chance.random() < share * 2.5]
        drawn = chance.choices(self._pool, k=chance.randint(2, 5))
        sentences = list(own)
        for sentence in drawn:
            sentences.insert(chance.randint(0, len(sentences)), sentence)
        cited = (
            " [1]" if prompt.context and prompt.context.passages and chance.random() < 0.4 else ""
        )
        if "max_points" in prompt.whole:
            reply = "\n".join(f"{n}. {s}" for n, s in enumerate(drawn[:3], 1))
        else:
            reply = "" if number % 61 == 7 and not refined else "\n\n".join(sentences) + cited
        return {
            "text": reply,
            "prompt": text,
            "prompt_tokens": len(text) // 4,
            "tokens_estimated": False,
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
        return [_choose(prompt.render(), index, options) for index, prompt in enumerate(prompts)]


def _choose(text: str, index: int, options: Sequence[str]) -> Verdict:
    chance = _chance(text, index)
    weights = [chance.expovariate(1.0) + 0.02 for _ in options]
    shares = {o: w / sum(weights) for o, w in zip(options, weights, strict=True)}
    return {
        "choice": max(shares, key=shares.__getitem__),
        "probabilities": shares,
        "mass": chance.uniform(0.6, 1.0),
        "prompt": text,
        "prompt_tokens": len(text) // 4,
        "tokens_estimated": False,
        "cut_tokens": 0,
        "reply": None,
        "seconds": len(text) / 40_000,
        "cached": False,
    }


class Retriever(BaseRetriever):
    """Five posts of drawn sentences; the first is often one that the dataset names as relevant."""

    items: list[Item]
    posts: list[Post]

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        del run_manager
        chance, number = _chance(query, 0), _number(query)
        relevant_ids = set(self.items[number].relevant_question_ids)
        named = [post for post in self.posts if post.question_id in relevant_ids]
        posts = chance.sample(self.posts, 5)
        if named and chance.random() < 0.7:
            posts[chance.randint(0, 3)] = named[0]
        pool = [s for post in chance.sample(self.posts, 12) for s in _sentences(post.answer)]
        documents = []
        for rank, post in enumerate(posts):
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


class Encoder:
    """Vectors of words, by hashing: the more words two texts share, the nearer they are."""

    def encode(self, texts: Sequence[str]) -> "np.ndarray[Any, Any]":
        """Return unit vectors, shape (len(texts), 256)."""
        vectors = np.full((len(texts), 256), 1e-6)
        for row, text in enumerate(texts):
            for word in re.findall(r"\w+", text.lower()):
                vectors[row, crc32(word.encode()) % 256] += 1
        roots = np.sqrt(vectors)
        unit: np.ndarray[Any, Any] = roots / np.linalg.norm(roots, axis=1, keepdims=True)
        return unit

    def split(self, texts: Sequence[str]) -> list[list[TextPart]]:
        """Return each text as its only part."""
        return [[TextPart(text, 1)] for text in texts]


def _sentences(text: str) -> list[str]:
    """Return sentences and whole blocks of code."""
    parts = []
    for index, part in enumerate(_CODE.split(text)):
        parts += [part] if index % 2 else _SENTENCE.split(part)
    return [part.strip("\n") for part in parts if part.strip()]


def _number(text: str) -> int:
    match = _CASE.search(text)
    if match is None:
        raise ValueError("a prompt without its question")
    return int(match[1])


def _chance(text: str, index: int) -> random.Random:
    return random.Random(crc32(text.encode("utf-8")) + index)
