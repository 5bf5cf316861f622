"""The builder for posts with the columns of a dump: local parquet, or a dataset of the Hub."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from dataset.builders.bodies import Bodies
from dataset.builders.byte_progress import byte_progress
from dataset.builders.join import build_from_posts
from dataset.builders.post_parsing import POST_COLUMNS, REQUIRED_COLUMNS
from dataset.builders.post_selection import Selection
from dataset.builders.row_counts import RowCounts
from dataset.builders.table_output import work_folder
from graph.support.errors import DatasetError, MissingExtraError
from graph.support.float_ids import FloatIds
from graph.support.regular_files import check_regular_file
from graph.support.table_values import MAX_EXACT_FLOAT
from graph.support.text import one_line

_DATASET_ID = re.compile(r"[\w.-]+(/[\w.-]+)?", re.ASCII)
_ROWS_AT_ONCE = 256


def build(
    source: str,
    target: Path,
    *,
    split: str,
    selection: Selection,
    site: str,
    bodies: Bodies = "auto",
) -> RowCounts:
    """Build the table from a local parquet file, a folder of them, or a dataset's id.

    Raises:
        DatasetError: the source cannot be used, no row is kept, or the disk is full; the target is
            unchanged.
        MissingExtraError: a package for building is missing.
    """
    path = Path(source)
    with work_folder(target) as work:
        if not path.exists():
            rows = _hub_rows(source, split)
            return build_from_posts(
                rows, target, work, selection=selection, site=site, bodies=bodies
            )
        files = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
        if not files:
            raise DatasetError(f"{path}: the folder holds no .parquet file")
        for file in files:
            check_regular_file(file)
        size = sum(file.stat().st_size for file in files)
        with byte_progress(f"reading {path.name}", size) as advance:
            rows = _parquet_rows(files, advance)
            return build_from_posts(
                rows, target, work, selection=selection, site=site, bodies=bodies
            )


def _parquet_rows(
    files: Iterable[Path], advance: Callable[[int], None]
) -> Iterator[dict[str, str]]:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise MissingExtraError(
            "reading parquet needs pyarrow: pip install 'opencoder[build]'"
        ) from None
    for path in files:
        try:
            with ParquetFile(path) as file:
                names = file.schema_arrow.names
                check_columns(str(path), names)
                columns = [name for name in POST_COLUMNS if name in names]
                float_ids = FloatIds(str(path), file.schema_arrow)
                for batch in file.iter_batches(_ROWS_AT_ONCE, columns=columns):
                    for row in batch.to_pylist():
                        float_ids.check(row)
                        yield dump_attributes(row)
        except (ArrowException, OSError, ValueError, KeyError, OverflowError) as error:
            # pyarrow raises OSError for damaged files too, but then without an errno.
            if isinstance(error, OSError) and error.errno:
                raise
            reason = one_line(error, 200)
            raise DatasetError(f"{path}: damaged or no parquet file: {reason}") from None
        advance(path.stat().st_size)


def _hub_rows(name: str, split: str) -> Iterator[dict[str, str]]:
    if not _DATASET_ID.fullmatch(name):
        raise DatasetError(f"{name}: neither a file or folder here nor the id of a dataset")
    try:
        from datasets import load_dataset
    except ImportError:
        raise MissingExtraError(
            f"{name}: there is no such file; to read a dataset of that id: pip install datasets"
        ) from None
    rows = _streamed_rows(name, lambda: load_dataset(name, split=split, streaming=True))
    first = next(rows, None)
    if first is None:
        raise DatasetError(f"{name}: split {split!r} has no rows")
    check_columns(name, list(first))
    yield dump_attributes(first)
    yield from map(dump_attributes, rows)


def _streamed_rows(name: str, load: Callable[[], Any]) -> Iterator[Mapping[str, object]]:
    """Yield the rows of a dataset that a function opens, here or on the hub.

    Raises:
        DatasetError: an id may have been rounded, or the network, the hub or a loader fails.
    """
    try:
        dataset = load()
        features = getattr(dataset, "features", None)
        float_ids = FloatIds(name, features.arrow_schema if features else ())
        for row in dataset:
            float_ids.check(row)
            yield row
    except DatasetError:
        raise
    except Exception as error:
        # The network, the hub and each loader raise their own kinds of errors.
        reason = one_line(error, 200)
        raise DatasetError(f"{name}: cannot be read from the hub: {reason}") from None


def check_columns(name: str, columns: Iterable[str]) -> None:
    """Check that a table has the required columns of a dump's posts.

    Raises:
        DatasetError: columns are missing.
    """
    names = list(columns)
    missing = [column for column in REQUIRED_COLUMNS if column not in names]
    if missing:
        raise DatasetError(
            f"{name}: needs the columns of Posts.xml; {', '.join(missing)} missing; "
            f"it has {', '.join(names[:20])}"
        )


def dump_attributes(row: Mapping[str, object]) -> dict[str, str]:
    """Return the attributes that a dump has for a row of a table."""
    return {name: _text(row[name]) for name in POST_COLUMNS if row.get(name) is not None}


def _text(value: object) -> str:
    if isinstance(value, float):
        # pandas turns a column of integers with gaps into floats, which are exact below 2^53 alone.
        is_exact = value.is_integer() and abs(value) < MAX_EXACT_FLOAT
        return str(int(value)) if is_exact else str(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return "|".join(map(str, value))
    return str(value)
