"""The questions of a run: read, checked and turned into Markdown."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from dataset import Question, read_questions
from evaluation.store.journal import question_digest
from graph.markdown import to_markdown


@dataclass(frozen=True)
class Item:
    """A question and its reference in Markdown, as the graph and the judge get them."""

    index: int
    """The row in the dataset, from 0: the key of the question's record."""
    eval_id: str
    question: str
    reference: str
    relevant_question_ids: tuple[str, ...]
    criteria: str = ""
    """What an answer must hold, as JSON; empty if the dataset does not say it."""
    rubric: tuple[str, ...] = ()
    """The conditions that a good answer meets, for a judge; empty if the dataset does not say them."""
    tags: tuple[str, ...] | None = None
    """None if the dataset has no column of tags."""


class Batch(NamedTuple):
    """Questions that are answered together."""

    label: str
    """Its place in the plan, such as `batch 3 of 15`."""
    items: Sequence[Item]


def load_items(path: Path, limit: int | None = None) -> list[Item]:
    """Read the first `limit` questions of a dataset, all without a limit.

    Rows after the limit are checked too.

    Raises:
        DatasetError: The file cannot be read, or a row is not a question.
    """
    questions = read_questions(path)
    return [_item(index, question) for index, question in enumerate(questions[:limit])]


def _item(index: int, question: Question) -> Item:
    body, reference = question.body, question.reference
    if question.is_html:
        body, reference = to_markdown(body), to_markdown(reference)
    text = f"{question.title}\n\n{body}".strip() if question.title else body.strip()
    return Item(
        index=index,
        eval_id=question.eval_id,
        question=text,
        reference=reference.strip(),
        relevant_question_ids=question.relevant_question_ids,
        criteria=question.criteria,
        rubric=question.rubric,
        tags=question.tags,
    )


def batches(items: Sequence[Item], size: int) -> list[Sequence[Item]]:
    """Return the questions in batches, which depend on the size alone and never on progress."""
    return [items[start : start + size] for start in range(0, len(items), size)]


def question_digests(items: Sequence[Item]) -> list[str]:
    """Return the digest of each question, by which a record is bound to it."""
    return [
        question_digest(
            i.eval_id, i.question, i.reference, i.relevant_question_ids, i.criteria, i.rubric
        )
        for i in items
    ]
