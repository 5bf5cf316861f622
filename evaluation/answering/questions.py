"""The questions of a run: read, checked and turned into Markdown."""

from dataclasses import dataclass
from pathlib import Path

from dataset import Question, parse_questions
from graph.markdown import to_markdown
from graph.support.errors import DatasetError
from graph.support.table_files import read_rows


@dataclass(frozen=True)
class Item:
    """One question as the graph gets it, and the reference as the judge gets it."""

    index: int
    """Its place in the dataset, from 0: the key of its record."""
    eval_id: str
    question: str
    reference: str
    relevant_question_ids: tuple[str, ...]


def load_items(path: Path, limit: int | None = None) -> list[Item]:
    """Read the first `limit` questions of a dataset, all without a limit.

    Raises:
        DatasetError: the file cannot be read, or a row is not a question.
    """
    try:
        questions = parse_questions(read_rows(path))
    except ValueError as error:
        raise DatasetError(f"{path}: {error}") from None
    return [_item(index, question) for index, question in enumerate(questions[:limit])]


def _item(index: int, question: Question) -> Item:
    body, reference = question.body, question.reference
    if question.is_html:
        body, reference = to_markdown(body), to_markdown(reference)
    text = f"{question.title}\n\n{body}".strip() if question.title else body.strip()
    return Item(index, question.eval_id, text, reference.strip(), question.relevant_question_ids)
