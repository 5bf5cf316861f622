"""The builder for exports of the BigQuery query in question_answer.sql."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path

from dataset.builders.bodies import Bodies, Row, open_bodies
from dataset.builders.join import TABLE_COLUMNS
from dataset.builders.post_parsing import (
    author_or_profile,
    licence_by_date,
    parse_id,
    parse_score,
)
from dataset.builders.row_counts import RowCounts
from dataset.builders.table_output import work_folder, write_table
from dataset.tags import parse_tags
from graph.support.errors import DatasetError
from graph.support.progress import progress
from graph.support.table_files import CORPUS_COLUMNS, read_rows
from graph.support.table_values import TableValues
from graph.support.text import is_unicode

_NUMBERS = (
    "question_id",
    "answer_id",
    "answer_score",
    "question_score",
    "question_user_id",
    "answer_user_id",
)
"""The columns of whole numbers, which pandas writes as floats if one of them has a gap."""
_BODIES = ("question_body", "answer_body")
_SQL = Path(__file__).with_name("question_answer.sql")


def query() -> str:
    """Return the SQL whose export `build` reads."""
    return _SQL.read_text(encoding="utf-8")


def build(export: Path, target: Path, *, site: str, bodies: Bodies = "auto") -> RowCounts:
    """Build the table from an export; the rows keep their order.

    Raises:
        DatasetError: the file cannot be read, a column is missing, no row is kept, or the disk is
            full; the target is unchanged.
        MissingExtraError: pyarrow is missing.
    """
    counts = RowCounts()
    _, first_row = next(read_rows(export))
    _check_columns(export, first_row)
    with work_folder(target) as work, progress("reading rows", 1) as bar:
        values = TableValues(export)
        export_rows = (
            {**row, **_whole_numbers(values, number, row)}
            for number, row in read_rows(export, CORPUS_COLUMNS)
        )
        sources, html_of = open_bodies(export_rows, _BODIES, bodies, str(export))
        rows = _table_rows(export, sources, counts, site, html_of)
        write_table(target, work, TABLE_COLUMNS, rows)
        bar.advance(1)
    values.log_changes()
    return counts


def _whole_numbers(values: TableValues, number: int, row: Row) -> Row:
    """Return the cells of whole numbers in one notation; others stay, and are counted as bad."""
    return {name: values.id_or_text(number, row, name) for name in _NUMBERS if name in row}


def _table_rows(
    export: Path,
    rows: Iterable[Row],
    counts: RowCounts,
    site: str,
    html_of: Callable[[str], str],
) -> Iterator[list[str]]:
    pairs: set[tuple[int, int]] = set()
    for row in rows:
        counts.rows_in += 1
        question_id, answer_id = parse_id(row["question_id"]), parse_id(row["answer_id"])
        if question_id is None or answer_id is None:
            counts.reject("bad id")
        elif (question_id, answer_id) in pairs:
            counts.reject("duplicate question and answer id")
        elif reason := _fault(row):
            counts.reject(reason)
        else:
            pairs.add((question_id, answer_id))
            bodies = {name: html_of(row[name]) for name in _BODIES}
            yield _table_row({**row, **bodies}, question_id, answer_id, site)
    counts.kept_by_kind.update(rows=len(pairs))
    if not pairs:
        raise DatasetError(
            f"{export}: none of the {counts.rows_in} rows is kept, nothing was written: "
            f"{counts.reasons()}"
        )


def _check_columns(export: Path, row: Mapping[str, str]) -> None:
    for name in CORPUS_COLUMNS:
        if name not in row:
            near = get_close_matches(name, row, n=1, cutoff=0.5)
            hint = f" ({near[0]!r} is near: rename it)" if near else ""
            raise DatasetError(
                f"{export}: column {name!r} is missing{hint}; it has "
                f"{', '.join(map(repr, list(row)[:20]))}; --print-sql shows the query to export"
            )


def _fault(row: Row) -> str:
    if parse_score(row["answer_score"]) is None:
        return "bad score"
    if not row["question_title"].strip():
        return "empty title"
    if not (row["question_body"].strip() and row["answer_body"].strip()):
        return "empty body"
    if not is_unicode("".join(row.get(name, "") for name in TABLE_COLUMNS)):
        return "text that is no Unicode"
    return ""


def _table_row(row: Row, question_id: int, answer_id: int, site: str) -> list[str]:
    table_row = {name: row.get(name, "") for name in TABLE_COLUMNS}
    licences = {
        kind: licence_by_date(row.get(f"{kind}_creation_date", ""))
        for kind in ("question", "answer")
    }
    both_licences = f"question {licences['question']}, answer {licences['answer']}"
    same_licence = licences["question"] == licences["answer"]
    question_author, answer_author = (
        author_or_profile(table_row[f"{kind}_author"], row.get(f"{kind}_user_id", ""), site)
        for kind in ("question", "answer")
    )
    table_row |= {
        "question_id": str(question_id),
        "answer_id": str(answer_id),
        "answer_score": row["answer_score"].strip(),
        "question_tags": "|".join(parse_tags(row["question_tags"])),
        "is_accepted": {"true": "True", "false": "False"}.get(table_row["is_accepted"].lower(), ""),
        "question_url": f"https://{site}/questions/{question_id}",
        "answer_url": f"https://{site}/a/{answer_id}",
        "question_author": question_author,
        "answer_author": answer_author,
        "licence": table_row["licence"] or (licences["answer"] if same_licence else both_licences),
    }
    return [table_row[name] for name in TABLE_COLUMNS]
