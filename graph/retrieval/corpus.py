"""The corpus: a table of posts, its default file, and its reading."""

from collections.abc import Iterator
from pathlib import Path

from graph.markdown import to_markdown
from graph.retrieval.posts import Post
from graph.support.body_markup import BodyMarkup, peek_bodies
from graph.support.errors import DatasetError
from graph.support.table_files import CORPUS_COLUMNS, read_rows
from graph.support.table_values import TableValues

_TRUE = ("true", "1", "1.0", "yes", "t")

_BODIES = ("question_body", "answer_body")

_OWN = Path("dataset/question_answer.csv")
_SAMPLE = Path("dataset/sample/question_answer.csv")


def default_corpus() -> Path:
    """Return the corpus for commands without `--corpus`: the user's own, else the sample.

    Raises:
        DatasetError: neither file exists (outside a checkout).
    """
    for path in (_OWN, _SAMPLE):
        if path.is_file():
            return path
    raise DatasetError(f"there is no corpus at {_OWN} or {_SAMPLE}: name one with --corpus PATH")


def read_corpus(path: Path) -> Iterator[Post]:
    """Yield the posts of a corpus file (columns: see `CORPUS_COLUMNS`).

    Bodies are HTML. Where those of the first rows are Markdown, all are kept as they are. The bodies
    of the whole file that look otherwise are counted, and the log tells their number.

    Raises:
        DatasetError: see `read_rows`; or a row has no question_id, or an id that cannot be read.
    """
    values = TableValues(path)
    sample, rows = peek_bodies(read_rows(path, CORPUS_COLUMNS), _BODIES)
    bodies = BodyMarkup(path, sample)
    markdown_of = str.strip if bodies.markup == "markdown" else to_markdown
    for number, row in rows:
        for name in _BODIES:
            bodies.count(row[name])
        question_id = values.id(number, row, "question_id")
        if not question_id:
            raise DatasetError(f"{path}: row {number}: question_id is empty")
        yield Post(
            question_id=question_id,
            title=" ".join(row["question_title"].split()),
            tags=tuple(tag.strip() for tag in row["question_tags"].split("|") if tag.strip()),
            question=markdown_of(values.text(row["question_body"])),
            answer_id=values.id(number, row, "answer_id"),
            answer=markdown_of(values.text(row["answer_body"])),
            answer_score=row["answer_score"].strip(),
            accepted=row.get("is_accepted", "").strip().lower() in _TRUE,
            url=row.get("question_url", ""),
            licence=row.get("licence", ""),
        )
    values.log_changes()
    bodies.log_others()
