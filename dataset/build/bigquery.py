"""The export of the BigQuery selection -> the question/answer table."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path

from dataset.build.counts import Counts
from dataset.build.join import COLUMNS
from dataset.build.output import work_folder, write_table
from dataset.build.posts import author, licence_by_date, parse_id, parse_score
from dataset.build.progress import Progress
from dataset.build.selection import parse_tags
from dataset.errors import InputError

NEEDED = COLUMNS[:7]
_SQL = Path(__file__).with_name("question_answer.sql")

Rows = Iterable[tuple[int, dict[str, str]]]


def query() -> str:
    """Return the SQL whose export is read here."""
    return _SQL.read_text(encoding="utf-8")


def build(
    export: Path,
    target: Path,
    *,
    site: str,
    read_rows: Callable[[Path], Rows],
    progress: Progress,
) -> Counts:
    """Build the table from an export; the rows stay in their order.

    Raises:
        InputError: a column is missing, nothing is left, or the disk is full. What `read_rows` raises
            for a file that cannot be read passes through.
    """
    counts = Counts()
    with work_folder(target) as work, progress("reading rows", 1) as bar:
        write_table(target, work, COLUMNS, _rows(export, read_rows(export), counts, site))
        bar.advance(1)
    return counts


def _rows(export: Path, rows: Rows, counts: Counts, site: str) -> Iterator[list[str]]:
    seen: set[tuple[int, int]] = set()
    for _, row in rows:
        if not counts.rows_in:
            _check_columns(export, row)
        counts.rows_in += 1
        question, answer = parse_id(row["question_id"]), parse_id(row["answer_id"])
        if question is None or answer is None:
            counts.reject("bad id")
        elif (question, answer) in seen:
            counts.reject("duplicate question and answer id")
        elif reason := _fault(row):
            counts.reject(reason)
        else:
            seen.add((question, answer))
            yield _row(row, question, answer, site)
    counts.kept.update(rows=len(seen))
    if not seen:
        raise InputError(
            f"{export}: none of the {counts.rows_in} rows is kept, nothing was written: "
            f"{counts.reasons()}"
        )


def _check_columns(export: Path, row: Mapping[str, str]) -> None:
    for name in NEEDED:
        if name not in row:
            near = get_close_matches(name, row, n=1, cutoff=0.5)
            hint = f" ({near[0]!r} is near: rename it)" if near else ""
            raise InputError(
                f"{export}: column {name!r} is missing{hint}; it has "
                f"{', '.join(map(repr, list(row)[:20]))}; --print-sql shows the query to export"
            )


def _fault(row: Mapping[str, str]) -> str:
    if parse_score(row["answer_score"]) is None:
        return "bad score"
    if not row["question_title"].strip():
        return "empty title"
    if not (row["question_body"].strip() and row["answer_body"].strip()):
        return "empty body"
    return ""


def _row(row: Mapping[str, str], question: int, answer: int, site: str) -> list[str]:
    made = {name: row.get(name, "") for name in COLUMNS}
    licences = {
        kind: licence_by_date(row.get(f"{kind}_creation_date", ""))
        for kind in ("question", "answer")
    }
    both = "question {question}, answer {answer}".format_map(licences)
    one = len(set(licences.values())) == 1
    made |= {
        "question_id": str(question),
        "answer_id": str(answer),
        "answer_score": row["answer_score"].strip(),
        "question_tags": "|".join(parse_tags(row["question_tags"])),
        "is_accepted": {"true": "True", "false": "False"}.get(made["is_accepted"].lower(), ""),
        "question_url": f"https://{site}/questions/{question}",
        "answer_url": f"https://{site}/a/{answer}",
        "question_author": author(made["question_author"], row.get("question_user_id", ""), site),
        "answer_author": author(made["answer_author"], row.get("answer_user_id", ""), site),
        "licence": made["licence"] or (licences["answer"] if one else both),
    }
    return [made[name] for name in COLUMNS]
