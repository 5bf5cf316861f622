"""From the rows of a table to evaluation questions.

The rows come from the caller, so that this package needs none of the others.
"""

from collections.abc import Iterable
from pathlib import Path

from dataset.schema import Question

_OWN = Path("dataset/coderepoqa_python.csv")
_SAMPLE = Path("dataset/sample/coderepoqa_python.csv")
PLAIN = ("question", "answer")
HTML = ("question_title", "question_body", "answer_body")


def default_dataset() -> Path:
    """Return the dataset that is used where none is named: your own, else the sample."""
    return _OWN if _OWN.is_file() else _SAMPLE


def parse_questions(rows: Iterable[tuple[int, dict[str, str]]]) -> list[Question]:
    """Read questions from (row number, row) pairs.

    A row has `question` and `answer` (Markdown), or `question_title`, `question_body` and
    `answer_body` (HTML); `eval_id` and `relevant_question_ids` (`|`-separated) are used where present.

    Raises:
        ValueError: columns are missing, a question is empty or an `eval_id` stands there twice.
    """
    questions: list[Question] = []
    seen: dict[str, int] = {}
    for number, row in rows:
        question = _parse(number, row)
        if not (question.title or question.body.strip()):
            raise ValueError(f"row {number}: the question is empty")
        if question.eval_id in seen:
            raise ValueError(
                f"row {number}: eval_id {question.eval_id!r} stands in row "
                f"{seen[question.eval_id]} already"
            )
        seen[question.eval_id] = number
        questions.append(question)
    return questions


def _parse(number: int, row: dict[str, str]) -> Question:
    if all(name in row for name in PLAIN):
        title, body, reference, is_html = "", row["question"], row["answer"], False
    elif all(name in row for name in HTML):
        title, body, reference = (row[name] for name in HTML)
        is_html = True
    else:
        raise ValueError(
            f"needs the columns {', '.join(PLAIN)}, or {', '.join(HTML)}; it has {', '.join(row)}"
        )
    relevant = row.get("relevant_question_ids", "").split("|")
    return Question(
        eval_id=row.get("eval_id", "").strip() or str(number),
        title=title.strip(),
        body=body,
        reference=reference,
        is_html=is_html,
        relevant_question_ids=tuple(part.strip() for part in relevant if part.strip()),
    )
