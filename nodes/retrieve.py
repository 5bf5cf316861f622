"""The node retrieve: it finds the passages for a question."""

import re
from collections.abc import Mapping
from decimal import Decimal
from math import isfinite
from numbers import Integral, Real
from pathlib import PurePath
from time import perf_counter
from uuid import UUID

from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever

from nodes.state import Passage, RetrieveUpdate, State

_WHOLE_FLOAT = re.compile(r"(\d{1,15})\.0*")
"""A whole number as a float in text; one with more digits may have lost the last."""


def retrieve(
    state: State, *, retriever: BaseRetriever, top_k: int, prompt_passages: int | None = None
) -> RetrieveUpdate:
    """Find the `top_k` best passages, numbered from 1 in the retriever's order.

    The first `prompt_passages` of them are in the prompts; all by default.
    """
    start = perf_counter()
    documents = retriever.invoke(state["question"])[:top_k]
    passages = [as_passage(number, document) for number, document in enumerate(documents, 1)]
    return {
        "passages": passages,
        "prompt_passages": len(passages) if prompt_passages is None else prompt_passages,
        "steps": [
            {"node": "retrieve", "seconds": perf_counter() - start, "passages": passages},
        ],
    }


def as_passage(number: int, document: Document) -> Passage:
    """Convert a LangChain document to a passage.

    The metadata of foreign retrievers may lack a value or hold one of any type: a text that cannot be
    read is "", and a score is None. Without an id in the metadata the id is the document's own. The
    lines of the text end with LF.
    """
    metadata = document.metadata
    answer_chars = _number(metadata.get("answer_chars"))
    answer_end = None if answer_chars is None else max(0, int(answer_chars))
    text = _unix_lines(document.page_content)
    passage: Passage = {
        "number": number,
        "question_id": _id(metadata.get("question_id"))
        or _id(metadata.get("id"))
        or _id(document.id),
        "title": _text(metadata.get("title")) or _text(metadata.get("source")),
        "text": text,
        "answer_chars": len(_unix_lines(document.page_content[:answer_end])),
        "score": _number(metadata.get("score")),
        "url": _text(metadata.get("url")) or _text(metadata.get("source")),
        "licence": _text(metadata.get("licence")),
    }
    if part_scores := _part_scores(metadata.get("part_scores")):
        passage["part_scores"] = part_scores
    if (votes := _number(metadata.get("answer_score"))) is not None:
        passage["votes"] = votes
    if isinstance(accepted := metadata.get("accepted"), bool):
        passage["accepted"] = accepted
    return passage


def _part_scores(value: object) -> dict[str, float]:
    """Return the scores of metadata that are finite numbers, by name."""
    if not isinstance(value, Mapping):
        return {}
    numbers = {str(name): _number(score) for name, score in value.items()}
    return {name: number for name, number in numbers.items() if number is not None}


def _unix_lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _id(value: object) -> str:
    """Return an id of metadata as text; `11.0` is the id 11 in text as well."""
    text = _text(value)
    whole = _WHOLE_FLOAT.fullmatch(text)
    return whole[1] if whole else text


def _text(value: object) -> str:
    """Return a value of metadata as text without white space around it.

    "" unless it is text, bytes in UTF-8, a path, a UUID or a finite number.
    """
    match value:
        case bool():
            return ""
        case str():
            return value.strip()
        case bytes():
            return value.decode("utf-8", "replace").strip()
        case Integral():
            return str(int(value))
        case UUID() | PurePath():
            return str(value)
    number = _number(value)
    if number is None:
        return ""
    # An id that went through a table with gaps is a float: 11.0 is the id 11. A long decimal has more
    # digits than a float.
    whole = int(value) if isinstance(value, Decimal) else int(number)
    return str(whole) if number.is_integer() else str(number)


def _number(value: object) -> float | None:
    """Return a value of metadata as a finite number, or None if it is not a number."""
    if isinstance(value, bool) or not isinstance(value, (str, Real, Decimal)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if isfinite(number) else None
