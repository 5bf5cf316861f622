"""Candidates of learned reranking, with features and scores that a test chooses."""

from collections.abc import Sequence

import numpy as np

from evaluation.reranking.candidate_pools import TARGETS, Pool
from nodes.state import Draft, Passage


def passage(number: int, text: str, **changes) -> Passage:
    fields: Passage = {
        "number": number,
        "question_id": str(number),
        "title": f"title {number}",
        "text": text,
        "answer_chars": len(text),
        "score": 1 / number,
        "url": "",
        "licence": "",
    }
    return {**fields, **changes}


def draft(text: str, source: str = "draft", **changes) -> Draft:
    return {"text": text, "reasoning": "", "source": source, **changes}


class WordVectors:
    """Vectors of words: equal texts have cosine 1, texts without a common word 0."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = list(words)
        self.questions: list[str] = []

    def _vector(self, text: str):
        counts = np.array([text.split().count(word) for word in self._words], dtype=np.float32)
        return counts / (np.linalg.norm(counts) or 1)

    def of_candidates(self, candidates, passages):
        return np.stack([self._vector(candidate["text"]) for candidate in candidates])

    def of_question(self, question):
        self.questions.append(question)
        return self._vector(question)


def pool(number: int, features: Sequence[dict[str, float]], scores: Sequence[float]) -> Pool:
    """Return a pool whose candidates have one score by every metric."""
    return Pool(
        f"question {number}",
        [draft(f"candidate {position}") for position in range(len(features))],
        list(features),
        [dict.fromkeys(TARGETS, score) for score in scores],
    )
