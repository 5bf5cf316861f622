"""Posts as parquet with the dump's columns, here or on the Hugging Face Hub -> the same table."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path

from dataset.build.counts import Counts
from dataset.build.join import build_from_posts
from dataset.build.output import work_folder
from dataset.build.posts import COLUMNS, NEEDED
from dataset.build.progress import Progress, reading
from dataset.build.selection import Selection
from dataset.errors import InputError

_DATASET = re.compile(r"[\w.-]+(/[\w.-]+)?", re.ASCII)
_EXACT = 2**53
_ROWS_AT_ONCE = 256


def build(
    source: str,
    target: Path,
    *,
    split: str,
    selection: Selection,
    site: str,
    progress: Progress,
) -> Counts:
    """Build the table from a local parquet file, a folder of them, or a dataset's id.

    Raises:
        InputError: the source cannot be used, nothing of it is left, or the disk is full.
    """
    path = Path(source)
    with work_folder(target) as work:
        if not path.exists():
            rows = _remote(source, split)
            return build_from_posts(rows, target, work, selection=selection, site=site)
        files = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
        if not files:
            raise InputError(f"{path}: the folder holds no .parquet file")
        size = sum(file.stat().st_size for file in files)
        with reading(progress, f"reading {path.name}", size) as advance:
            rows = _local(files, advance)
            return build_from_posts(rows, target, work, selection=selection, site=site)


def _local(files: Iterable[Path], advance: Callable[[int], None]) -> Iterator[dict[str, str]]:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise InputError("reading parquet needs pyarrow: pip install 'opencoder[build]'") from None
    for path in files:
        try:
            with ParquetFile(path) as file:
                names = file.schema_arrow.names
                check_columns(str(path), names)
                wanted = [name for name in COLUMNS if name in names]
                for batch in file.iter_batches(_ROWS_AT_ONCE, columns=wanted):
                    yield from map(post_of, batch.to_pylist())
        except InputError:
            raise
        except (ArrowException, OSError, ValueError, KeyError, OverflowError) as error:
            # Damage too is an OSError to pyarrow, but without a number of the system's.
            if isinstance(error, OSError) and error.errno:
                raise
            said = " ".join(str(error).split())[:200]
            raise InputError(f"{path}: damaged or no parquet file: {said}") from None
        advance(path.stat().st_size)


def _remote(name: str, split: str) -> Iterator[dict[str, str]]:
    if not _DATASET.fullmatch(name):
        raise InputError(f"{name}: neither a file or folder here nor the id of a dataset")
    try:
        from datasets import load_dataset
    except ImportError:
        raise InputError(
            f"{name}: there is no such file; to read a dataset of that id: pip install datasets"
        ) from None
    try:
        rows = iter(load_dataset(name, split=split, streaming=True))
        first = next(rows, None)
    except Exception as error:
        # The network, the hub and every loader have errors of their own.
        said = " ".join(str(error).split())[:200]
        raise InputError(f"{name}: cannot be read from the hub: {said}") from None
    if first is None:
        raise InputError(f"{name}: split {split!r} has no rows")
    check_columns(name, list(first))
    yield post_of(first)
    yield from map(post_of, rows)


def check_columns(name: str, columns: Iterable[str]) -> None:
    """Refuse a table that lacks a column of the dump's posts."""
    given = list(columns)
    missing = [column for column in NEEDED if column not in given]
    if missing:
        raise InputError(
            f"{name}: needs the columns of Posts.xml; {', '.join(missing)} missing; "
            f"it has {', '.join(given[:20])}"
        )


def post_of(row: Mapping[str, object]) -> dict[str, str]:
    """Return a row of a table as the attributes that a dump would have."""
    return {name: _text(row[name]) for name in COLUMNS if row.get(name) is not None}


def _text(value: object) -> str:
    if isinstance(value, float):
        # A column of ids with gaps becomes one of floats in pandas; beyond 2^53 these are not exact.
        return str(int(value)) if value.is_integer() and abs(value) < _EXACT else str(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return "|".join(map(str, value))
    return str(value)
