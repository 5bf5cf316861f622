"""The table of evaluation questions that a benchmark becomes, with the counts of its rows."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

from dataset.builders.byte_progress import byte_progress
from dataset.builders.json_values import ENDINGS, json_files, read_values
from dataset.builders.row_counts import RowCounts
from dataset.builders.table_output import work_folder, write_table
from graph.support.errors import DatasetError
from graph.support.regular_files import check_regular_file
from graph.support.text import is_unicode


class _Question(Protocol):
    """A row of the table: a named tuple of texts."""

    @property
    def eval_id(self) -> str: ...

    def __iter__(self) -> Iterator[str]: ...


Q = TypeVar("Q", bound=_Question)


class Table(NamedTuple):
    """Where a table comes from and goes to."""

    source: Path
    target: Path
    columns: tuple[str, ...]


def write_questions(
    table: Table, questions: Iterable[Q | str], kind_of: Callable[[Q], str]
) -> RowCounts:
    """Write the questions of a benchmark, and count them by kind.

    Args:
        table: The source, for messages; the target, written at the end or not at all; its columns.
        questions: Rows, or the reasons why an entry of the source is left out.
        kind_of: Returns the kind under which a row is counted.

    Raises:
        DatasetError: the source cannot be read, no row is kept, or the disk is full; the target is
            unchanged.
    """
    counts = RowCounts()
    with work_folder(table.target) as work:
        rows = _rows(table.source, questions, kind_of, counts)
        write_table(table.target, work, table.columns, rows)
    return counts


def _rows(
    source: Path,
    questions: Iterable[Q | str],
    kind_of: Callable[[Q], str],
    counts: RowCounts,
) -> Iterator[tuple[str, ...]]:
    eval_ids: set[str] = set()
    for question in questions:
        counts.rows_in += 1
        if isinstance(question, str):
            counts.reject(question)
        elif question.eval_id in eval_ids:
            counts.reject("duplicate question")
        elif not all(map(is_unicode, question)):
            counts.reject("text that is no Unicode")
        else:
            eval_ids.add(question.eval_id)
            counts.kept_by_kind[kind_of(question)] += 1
            yield tuple(question)
    if not eval_ids:
        raise DatasetError(
            f"{source}: none of the {counts.rows_in} entries is kept, nothing was written: "
            f"{counts.reasons()}"
        )


def json_entries(source: Path) -> Iterator[object]:
    """Yield the values of a JSON or JSON lines file, or of all such files in a folder.

    Raises:
        DatasetError: there is no such file, or another kind of file.
    """
    if source.is_dir():
        files = json_files(source)
        if not files:
            raise DatasetError(f"{source}: holds no .json or .jsonl file")
    else:
        check_regular_file(source, "give a .json or .jsonl file, or a folder of them")
        files = [source]
        if source.suffix.lower() not in ENDINGS:
            raise DatasetError(f"{source}: unknown kind of file; give .json or .jsonl")
    size = sum(file.stat().st_size for file in files)
    with byte_progress(f"reading {source.name}", size) as advance:
        for file in files:
            yield from read_values(file, advance)
