"""The shapes of data: the columns of a corpus, one evaluation question."""

from dataclasses import dataclass

CORPUS = (
    "question_id",
    "question_title",
    "question_body",
    "question_tags",
    "answer_id",
    "answer_body",
    "answer_score",
)
"""The columns that a corpus has, those of the original."""


@dataclass(frozen=True)
class Question:
    """One question with its reference answer, as it stands in a dataset."""

    eval_id: str
    """The dataset's own id, else the row number."""
    title: str
    """Plain text; empty where the dataset has none of its own."""
    body: str
    reference: str
    """May be empty: the question is answered, and its reference metrics are unscored."""
    is_html: bool
    """Whether body and reference are HTML (columns `*_body`) or Markdown."""
    relevant_question_ids: tuple[str, ...]
    """Posts of the corpus that hold the answer, where the dataset names them."""
