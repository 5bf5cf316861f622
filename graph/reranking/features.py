"""The features of candidates: what is known of an answer without a reference."""

from collections.abc import Sequence
from math import log
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from graph.reranking.code_names import error_names, identifiers, languages
from nodes.markdown_code import code_in
from nodes.state import Draft, Passage
from nodes.word_overlap import agreement

Features = dict[str, float]
"""The known features of a candidate, by name."""
_MANY_VOTES = 100
_PART_SCORES = {"question_cosine": "answer", "post_cosine": "question", "title_cosine": "title"}
"""Features that are scores of a part of the index: the query is not encoded again for them."""


class Feature(NamedTuple):
    """A feature of a candidate."""

    meaning: str
    is_monotone: bool
    """Whether a higher value can only speak for a candidate: its weight is then at least 0."""


FEATURES: dict[str, Feature] = {
    "question_cosine": Feature("cosine of the answer and the question", True),
    "keyword_score": Feature("keyword score of the passage, over the best of the question", True),
    "post_cosine": Feature("cosine of the question and the passage's question", True),
    "title_cosine": Feature("cosine of the question and the passage's title", True),
    "rank": Feature("1 / number of the passage", True),
    "word_agreement": Feature("mean F-score of the words shared with the other candidates", True),
    "vector_agreement": Feature("mean cosine with the other candidates", True),
    "length": Feature("logarithm of the number of words", False),
    "code_share": Feature("share of the characters that are code", False),
    "same_language": Feature("1 if its code has a language of the question's, else 0", True),
    "shared_names": Feature("share of the question's names of code that the answer has", True),
    "shared_errors": Feature("share of the question's names of errors that the answer has", True),
    "votes": Feature("log(1 + votes) / log(101), at most 1", True),
    "accepted": Feature("1 if the asker accepted the answer, else 0", True),
    "from_passage": Feature("1 for the answer of a passage, 0 for a text of a model", False),
}
"""All features, in the order of every table."""


class _Code(NamedTuple):
    """The names of code in a text, and its code."""

    identifiers: set[str]
    errors: set[str]
    languages: set[str]
    code_chars: int

    @classmethod
    def of(cls, text: str) -> "_Code":
        code = code_in(text)
        return cls(identifiers(text, code), error_names(text), languages(code), len(code))


class TextVectors(Protocol):
    """The sentence vectors of candidates and of the question."""

    def of_candidates(
        self, candidates: Sequence[Draft], passages: Sequence[Passage]
    ) -> NDArray[np.float32]:
        """Return the vector of each candidate, of length 1, shape (candidates, dimension)."""
        ...

    def of_question(self, question: str) -> NDArray[np.float32]:
        """Return the vector of the question, of length 1."""
        ...


def features_of(
    question: str,
    candidates: Sequence[Draft],
    passages: Sequence[Passage],
    vectors: TextVectors,
) -> list[Features]:
    """Return the features of each candidate of one question."""
    asked = _Code.of(question)
    by_number = {passage["number"]: passage for passage in passages}
    sources = [by_number.get(draft.get("passage", 0)) for draft in candidates]
    rows: list[Features] = [
        {**_of_text(draft["text"], asked), **_of_passage(source)}
        for draft, source in zip(candidates, sources, strict=True)
    ]
    _add_keyword_scores(rows, sources)
    # Of a single candidate no agreement is known: it has no others.
    if len(rows) > 1:
        agreements = agreement([draft["text"] for draft in candidates])
        for row, shared in zip(rows, agreements, strict=True):
            row["word_agreement"] = shared
    _add_cosines(rows, vectors.of_candidates(candidates, passages), vectors, question)
    return [{name: round(row[name], 6) for name in FEATURES if name in row} for row in rows]


def _of_text(text: str, question: _Code) -> Features:
    answer = _Code.of(text)
    features = {
        "length": log(1 + len(text.split())),
        "code_share": min(1.0, answer.code_chars / max(1, len(text))),
    }
    if question.languages and answer.languages:
        features["same_language"] = float(bool(question.languages & answer.languages))
    if question.identifiers:
        shared = question.identifiers & answer.identifiers
        features["shared_names"] = len(shared) / len(question.identifiers)
    if question.errors:
        features["shared_errors"] = len(question.errors & answer.errors) / len(question.errors)
    return features


def _of_passage(passage: Passage | None) -> Features:
    if passage is None:
        return {"from_passage": 0.0}
    features = {"from_passage": 1.0, "rank": 1 / passage["number"]}
    parts = passage.get("part_scores", {})
    features.update({name: parts[part] for name, part in _PART_SCORES.items() if part in parts})
    if "votes" in passage:
        votes = max(0.0, passage["votes"])
        features["votes"] = min(1.0, log(1 + votes) / log(1 + _MANY_VOTES))
    if "accepted" in passage:
        features["accepted"] = float(passage["accepted"])
    return features


def _add_cosines(
    rows: Sequence[Features],
    candidate_vectors: NDArray[np.float32],
    vectors: TextVectors,
    question: str,
) -> None:
    if len(rows) > 1:
        mutual = candidate_vectors @ candidate_vectors.T
        for position, row in enumerate(rows):
            sum_of_others = mutual[position].sum() - mutual[position, position]
            row["vector_agreement"] = float(sum_of_others / (len(rows) - 1))
    if any("question_cosine" not in row for row in rows):
        cosines = candidate_vectors @ vectors.of_question(question)
        for row, cosine in zip(rows, cosines, strict=True):
            row.setdefault("question_cosine", float(cosine))


def _add_keyword_scores(rows: Sequence[Features], sources: Sequence[Passage | None]) -> None:
    """Add the keyword scores: they have no upper bound, so the best of the question becomes 1."""
    scores = [
        source.get("part_scores", {}).get("keyword") if source else None for source in sources
    ]
    best = max((score for score in scores if score), default=0.0)
    for row, score in zip(rows, scores, strict=True):
        if score is not None and best > 0:
            row["keyword_score"] = score / best
