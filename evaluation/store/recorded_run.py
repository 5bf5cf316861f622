"""Recorded runs: a run folder's manifest and journal, read without changing a byte."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from evaluation.store.checked_lines import read_checked_lines
from evaluation.store.journal import Record, RunKey, journal_path, record_lines
from evaluation.store.manifest import read_manifest, run_key
from graph.schema import Config, EmbedderSpec, Settings
from graph.support.errors import DatasetError
from graph.support.text import plural


@dataclass(frozen=True)
class RecordedRun:
    """A run as its folder records it, finished or not."""

    folder: Path
    config: str
    profile: str
    digest: str
    """The digest of the identity."""
    identity: dict[str, object]
    versions: dict[str, str]
    """Of the packages that can change a number, at the run's start."""
    questions: int
    """Number of questions that the run has to answer."""
    batch_size: int
    records: list[Record]
    """The questions that were answered or failed, by index."""

    @property
    def finished(self) -> bool:
        """Whether every question has its record."""
        return len(self.records) >= self.questions

    @property
    def progress(self) -> str:
        """The number of finished questions as text, such as `3 of 4 questions are done`."""
        return f"{questions_are(len(self.records), self.questions)} done"

    @property
    def answered(self) -> list[Record]:
        """The records that hold an answer, by index."""
        return [record for record in self.records if record["error"] is None]

    @property
    def failed(self) -> int:
        """Number of questions that have an error instead of an answer."""
        return sum(record["error"] is not None for record in self.records)


def questions_are(done: int, total: int) -> str:
    """Return the beginning of a sentence about some questions of a run: `3 of 4 questions are`."""
    verb = "is" if 1 in (done, total) else "are"
    return f"{done} of {total} {plural(total, 'question')} {verb}"


@contextmanager
def known_records(folder: Path) -> Iterator[None]:
    """Turn errors over records whose values contradict each other into one line.

    The fields of a record have their types when it is read. A step can still lack a field that its
    node writes, or name a candidate that is not there.

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
    manifest = read_manifest(folder)
    key = run_key(manifest)
    return RecordedRun(
        folder=folder,
        config=manifest["config"],
        profile=manifest["profile"],
        digest=manifest["digest"],
        identity=manifest["identity"],
        versions=manifest["versions"],
        questions=manifest["questions"],
        batch_size=key.batch_size,
        records=_read_records(journal_path(folder), key, torn_end=torn_end),
    )


def _read_records(path: Path, key: RunKey, *, torn_end: bool) -> list[Record]:
    if not path.exists():
        raise DatasetError(
            f"{path}: there is no such file; run eval.py again, this run has no answers"
        )
    records = read_checked_lines(path, record_lines(key), torn_end=torn_end)
    return [records[index] for index in sorted(records)]
