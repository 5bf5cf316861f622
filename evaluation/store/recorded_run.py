"""Recorded runs: a run folder's manifest and journal, read without changing a byte."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from evaluation.store.checked_lines import read_checked_lines
from evaluation.store.identity import SCHEMA, digest
from evaluation.store.journal import RECORD_LINES, Record, journal_path
from graph.schema import Config, EmbedderSpec, Settings, upgrade_spec
from graph.support.errors import DatasetError
from graph.support.text import without_surrogates

_MANIFEST_FIELDS = {
    "config": str,
    "profile": str,
    "digest": str,
    "identity": dict,
    "versions": dict,
    "questions": int,
}
"""The fields of a manifest that readers use, with their types."""


@dataclass(frozen=True)
class RecordedRun:
    """A run as its folder records it, finished or not."""

    folder: Path
    config: str
    profile: str
    digest: str
    """The digest in the manifest."""
    identity_digest: str
    """The digest of the identity as the manifest holds it; a sound manifest has it as `digest`."""
    identity: dict[str, object]
    """The identity with the model specs of older versions in today's fields."""
    versions: dict[str, str]
    """Of the packages that can change a number, at the run's start."""
    questions: int
    """Number of questions that the run has to answer."""
    records: list[Record]
    """The questions that were answered or failed, by index."""

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
        """Number of questions that have an error instead of an answer."""
        return sum(record["error"] is not None for record in self.records)


@contextmanager
def known_records(folder: Path) -> Iterator[None]:
    """Turn errors over records with unknown content into one line.

    The checksums of a journal tell that its lines are whole, not that this version wrote them.

    Raises:
        DatasetError: A record is not as this version writes it.
    """
    try:
        yield
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise DatasetError(
            f"{folder}: its records are not as this version writes them ({error!r}): use the "
            "version that wrote them"
        ) from None


def settings_of(run: RecordedRun) -> Settings:
    """Return the settings of a run as far as its results need them: config, and names.

    Raises:
        DatasetError: This version does not know the run's config.
    """
    try:
        config = Config.model_validate(run.identity.get("config"))
    except ValidationError:
        raise DatasetError(
            f"{run.folder}: this version does not know the manifest's config: use the version "
            "that wrote it"
        ) from None
    # Results name the profile only. Its models may be unknown to this version, so none are built.
    return Settings.model_construct(config_name=run.config, profile_name=run.profile, config=config)


def recorded_embedder(run: RecordedRun, otherwise: str) -> EmbedderSpec:
    """Return the encoder that a run was made with.

    Args:
        run: The run.
        otherwise: The end of the error message: what the user can do instead.

    Raises:
        DatasetError: The manifest names no encoder that this version knows.
    """
    try:
        return EmbedderSpec.model_validate(run.identity.get("embedder"))
    except ValidationError:
        raise DatasetError(
            f"{run.folder}: the manifest names no encoder that this version knows{otherwise}"
        ) from None


def read_run(folder: Path, *, torn_end: bool = True) -> RecordedRun:
    """Read manifest and journal; lock, repair and write nothing.

    Args:
        folder: The run folder.
        torn_end: Whether damaged lines at the end of the journal are left out as those of an
            interrupted write, as the next start of the run leaves them out.

    Raises:
        DatasetError: The folder is no run folder, is damaged, or is of another schema.
    """
    manifest = _read_manifest(folder)
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
        identity_digest=digest(identity),
        identity=_upgrade_identity(identity),
        versions=manifest["versions"],
        questions=manifest["questions"],
        records=_read_records(journal_path(folder), torn_end=torn_end),
    )


def _upgrade_identity(identity: Mapping[str, Any]) -> dict[str, object]:
    """Return an identity whose model specs have today's fields, so that equal models are equal."""
    upgraded = dict(identity)
    for role in ("generator", "judge", "embedder"):
        if isinstance(spec := identity.get(role), dict):
            upgraded[role] = upgrade_spec(spec, embedder=role == "embedder")
    calibrated = identity.get("calibrated_judge")
    if isinstance(calibrated, dict) and isinstance(encoder := calibrated.get("encoder"), dict):
        upgraded["calibrated_judge"] = {
            **calibrated,
            "encoder": upgrade_spec(encoder, embedder=True),
        }
    return upgraded


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / "manifest.json"
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DatasetError(
            f"{folder} is no run folder: manifest.json cannot be read ({error.strerror}); name a "
            "folder that eval.py has written, as in runs/semantic-..."
        ) from None
    except (ValueError, RecursionError):
        raise DatasetError(
            f"{path} is not JSON: restore it from a copy, or run eval.py again with --fresh"
        ) from None
    for field, kind in _MANIFEST_FIELDS.items():
        if not isinstance(manifest, dict) or not _is_sound(manifest.get(field), kind):
            raise DatasetError(
                f"{path}: {field} is missing or damaged: restore the file from a copy, or run "
                "eval.py again with --fresh"
            )
    return dict(manifest)


def _is_sound(value: object, kind: type) -> bool:
    # A text with a lone surrogate, which JSON can hold, could not be printed or written.
    lone = isinstance(value, str) and value != without_surrogates(value)
    return isinstance(value, kind) and not lone


def _read_records(path: Path, *, torn_end: bool) -> list[Record]:
    if not path.exists():
        raise DatasetError(
            f"{path}: there is no such file; run eval.py again, this run has no answers"
        )
    records = read_checked_lines(path, RECORD_LINES, torn_end=torn_end)
    return [records[index] for index in sorted(records)]
