"""Reading a run folder without changing a byte of it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from evaluation.store.checked_lines import read_checked_lines
from evaluation.store.identity import SCHEMA
from evaluation.store.journal import RECORD_LINES, Record, journal_path
from graph.schema import Config, EmbedderSpec, Settings
from graph.support.errors import DatasetError


@dataclass(frozen=True)
class RecordedRun:
    """A run as its folder tells it, finished or not."""

    folder: Path
    config: str
    profile: str
    digest: str
    identity: dict[str, object]
    versions: dict[str, str]
    """Of the packages that can change a number, at the run's start."""
    questions: int
    """How many the run was to answer."""
    records: list[Record]
    """Those that were answered or failed, by index."""

    @property
    def finished(self) -> bool:
        """Whether every question has its record."""
        return len(self.records) >= self.questions

    @property
    def answered(self) -> list[Record]:
        """The records that hold an answer, by index."""
        return [record for record in self.records if record["error"] is None]

    @property
    def failed(self) -> int:
        """How many questions have an error instead of an answer."""
        return sum(record["error"] is not None for record in self.records)


@contextmanager
def known_records(folder: Path) -> Iterator[None]:
    """Turn what goes wrong over odd records into one line.

    A journal's check says that its lines are whole, not what a stranger's records hold.

    Raises:
        DatasetError: a record is not as this version writes them.
    """
    try:
        yield
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise DatasetError(
            f"{folder}: its records are not as this version writes them ({error!r}): use the "
            "version that wrote them"
        ) from None


def settings_of(run: RecordedRun) -> Settings:
    """Return what a run was told to do, as far as its results name it.

    Raises:
        DatasetError: this version does not know its config.
    """
    try:
        config = Config.model_validate(run.identity.get("config"))
    except ValidationError:
        raise DatasetError(
            f"{run.folder}: this version does not know the manifest's config: use the version "
            "that wrote it"
        ) from None
    # Results name the profile; which models those are changes none of them.
    return Settings.model_construct(config_name=run.config, profile_name=run.profile, config=config)


def recorded_embedder(run: RecordedRun, otherwise: str) -> EmbedderSpec:
    """Return the encoder that a run was made with.

    Raises:
        DatasetError: the manifest names none that this version knows; `otherwise` says what then.
    """
    try:
        return EmbedderSpec.model_validate(run.identity.get("embedder"))
    except ValidationError:
        raise DatasetError(
            f"{run.folder}: the manifest names no encoder that this version knows{otherwise}"
        ) from None


def read_run(folder: Path, *, torn_end: bool = True) -> RecordedRun:
    """Read manifest and journal; nothing is locked, repaired or written.

    Args:
        folder: The run folder.
        torn_end: Whether damaged lines at the end of the journal are left out as those of an
            interrupted write, as the next start of the run leaves them out.

    Raises:
        DatasetError: the folder is no run, or damaged.
    """
    manifest = _manifest(folder)
    identity = manifest["identity"]
    if identity.get("schema") != SCHEMA:
        raise DatasetError(
            f"{folder}: its records are of schema {identity.get('schema')!r}, this version reads "
            f"{SCHEMA}: use the version that wrote it"
        )
    return RecordedRun(
        folder=folder,
        config=manifest["config"],
        profile=manifest["profile"],
        digest=manifest["digest"],
        identity=identity,
        versions=manifest["versions"],
        questions=manifest["questions"],
        records=_records(journal_path(folder), torn_end=torn_end),
    )


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / "manifest.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DatasetError(
            f"{folder} is no run folder: manifest.json cannot be read ({error.strerror}); name a "
            "folder that eval.py has written, as in runs/semantic-..."
        ) from None
    except (ValueError, RecursionError):
        raise DatasetError(
            f"{path} is not JSON: restore it from a copy, or run eval.py again with --fresh"
        ) from None
    types = {
        "config": str,
        "profile": str,
        "digest": str,
        "identity": dict,
        "versions": dict,
        "questions": int,
    }
    for field, kind in types.items():
        if not isinstance(found, dict) or not _is(found.get(field), kind):
            raise DatasetError(
                f"{path}: {field} is missing or damaged: restore the file from a copy, or run "
                "eval.py again with --fresh"
            )
    return dict(found)


def _is(value: object, kind: type) -> bool:
    # A lone surrogate is no text that could be written anywhere.
    lone = isinstance(value, str) and value != value.encode("utf-8", "replace").decode("utf-8")
    return isinstance(value, kind) and not lone


def _records(path: Path, *, torn_end: bool) -> list[Record]:
    if not path.exists():
        raise DatasetError(f"{path}: there is no such file: run eval.py again, nothing is kept")
    records = read_checked_lines(path, RECORD_LINES, torn_end=torn_end)
    return [records[index] for index in sorted(records)]
