"""The score files of a run: scores that are added after the run, beside its unchanged journal.

`RUN/scores/NAME.json` describes the pass that scored, `RUN/scores/NAME.jsonl` holds one line with
its own checksum for each question. Every line names its run and its pass. NAME ends with the digest of the pass's identity, so that the
scores of two judges are never mixed up.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import TypeAdapter
from typing_extensions import TypedDict

from evaluation.store.checked_lines import (
    CheckedLines,
    LineFormat,
    check_fields,
    check_index,
    read_checked_lines,
)
from evaluation.store.identity import changed_versions, digest, versions
from evaluation.store.journal import Record
from evaluation.store.manifest import MOST_BYTES
from evaluation.store.recorded_run import RecordedRun
from graph.support.errors import DatasetError
from graph.support.logger import log
from graph.support.storage import read_regular, write_atomically

SCHEMA = 2
FOLDER = "scores"
_LABEL_CHARS = 40
_REMEDY = "remove it and the .json beside it, and score again"
_HEADER_REMEDY = "remove it and the .jsonl beside it, and score again"


class PassScore(TypedDict):
    """The scores that one pass gives one question."""

    index: int
    of: str
    """The `fingerprint` of the scored record: scores of another answer are refused."""
    scores: dict[str, float | None]
    """By metric; None is unscored."""
    reasons: dict[str, str]
    """By metric, the reason why it is unscored."""
    evidence: list[Any]
    """The verdicts, or the replies as the model wrote them, that the scores follow from."""


class PassSpec(NamedTuple):
    """The description of a pass: the scorer, its metrics and all that their values depend on."""

    kind: str
    """`judge`, `rubric` or `ragas`."""
    label: str
    """The name of the model, for people."""
    metrics: tuple[str, ...]
    identity: dict[str, object]

    @property
    def name(self) -> str:
        """The name of the pass's files, without their suffix."""
        # A label is a model's name from the command line: no character of it may form a path.
        safe = "".join(c if c.isascii() and c.isalnum() else "_" for c in self.label)
        return f"{self.kind}-{safe[-_LABEL_CHARS:]}-{digest(self.identity)[:12]}"


@dataclass(frozen=True)
class RecordedPass:
    """A pass as read from its files, finished or not."""

    name: str
    spec: PassSpec
    scores: dict[int, PassScore]
    """By the question's index."""


_SCORE: TypeAdapter[PassScore] = TypeAdapter(PassScore)


def _score_lines(run: RecordedRun, name: str) -> LineFormat[PassScore]:
    """Return the format of the lines of a pass over a run."""

    def score_in(value: object) -> PassScore:
        score = check_fields(value, _SCORE, "scores of a question")
        check_index(score["index"], run.questions)
        return score

    return LineFormat(score_in, f"{run.digest} {name}", run.batch_size, _REMEDY)


class ScoreFile:
    """The scores of one pass, open for appending."""

    def __init__(self, run: RecordedRun, spec: PassSpec) -> None:
        """Open or create the score files of a pass over a run, whose folder the caller holds locked.

        Raises:
            DatasetError: the files are damaged, or of another run or pass.
        """
        self.spec = spec
        scores = _scores_folder(run)
        scores.mkdir(exist_ok=True)
        header = scores / f"{spec.name}.json"
        if header.exists():
            _warn_of_versions(header, _read_header(header, spec.name))
        else:
            write_atomically(header, json.dumps(_header_of(spec), indent=1) + "\n")
        self._lines = CheckedLines(scores / f"{spec.name}.jsonl", _score_lines(run, spec.name))
        self.scores = self._lines.entries

    def append(self, scores: list[PassScore]) -> None:
        """Write scores and wait until they are on disk."""
        self._lines.append(scores)

    def replace(self, scores: list[PassScore]) -> None:
        """Replace the scores of the same questions, all in one step."""
        self._lines.replace(scores)

    def close(self) -> None:
        """Close the file."""
        self._lines.close()


def read_scores(run: RecordedRun) -> list[RecordedPass]:
    """Read every pass over a run, in the order of their names; write nothing.

    Passes of metrics that this version no longer computes are read like any other.

    Raises:
        DatasetError: a file is damaged, or of another run or pass.
    """
    passes = []
    for path in sorted(_scores_folder(run).glob("*.json")):
        header = _read_header(path, path.stem)
        lines = path.with_suffix(".jsonl")
        # An interrupt may come between the header and the first line.
        scores = read_checked_lines(lines, _score_lines(run, path.stem)) if lines.exists() else {}
        passes.append(RecordedPass(path.stem, _spec_in(header), scores))
    return passes


def _scores_folder(run: RecordedRun) -> Path:
    folder = run.folder / FOLDER
    if folder.is_symlink():
        raise DatasetError(
            f"{folder} is a symbolic link, so it is not used: remove it, or put a copy of the folder "
            "there"
        )
    return folder


def fingerprint(record: Record) -> str:
    """Return the digest of all parts of a record that a score depends on."""
    parts = [
        record["question"],
        record["reference"],
        record["answer"],
        [passage["text"] for passage in record["passages"]],
        record["relevant_question_ids"],
    ]
    if rubric := record.get("rubric"):
        parts.append(rubric)
    return sha256(json.dumps(parts).encode()).hexdigest()[:16]


def score_of(record: Record, scores: dict[int, PassScore]) -> PassScore | None:
    """Return the scores of a record; None where it is not scored yet.

    Raises:
        DatasetError: the scores are of another answer.
    """
    score = scores.get(record["index"])
    if score is not None and score["of"] != fingerprint(record):
        raise DatasetError(
            f"the scores of question {record['index']} are of another answer than the journal's: "
            "remove the run's folder scores, and score again"
        )
    return score


def _header_of(spec: PassSpec) -> dict[str, object]:
    return {
        "schema": SCHEMA,
        "kind": spec.kind,
        "label": spec.label,
        "metrics": list(spec.metrics),
        "digest": digest(spec.identity),
        "identity": spec.identity,
        "versions": versions(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _spec_in(header: dict[str, Any]) -> PassSpec:
    metrics = tuple(header["metrics"])
    return PassSpec(header["kind"], header["label"], metrics, header["identity"])


def _read_header(path: Path, name: str) -> dict[str, Any]:
    """Read the header of a pass and check that it is the one that `name` promises."""
    try:
        header = json.loads(read_regular(path, MOST_BYTES).decode("utf-8"))
        spec = _spec_in(header)
        is_whole = (
            header["digest"] == digest(spec.identity)
            and spec.name == name
            and all(isinstance(metric, str) for metric in spec.metrics)
            and isinstance(header["versions"], dict)
        )
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        is_whole = False
    if not is_whole:
        raise DatasetError(f"{path} is damaged: {_HEADER_REMEDY}")
    if header.get("schema") != SCHEMA:
        raise DatasetError(
            f"{path}: is of schema {header.get('schema')!r}, this version reads {SCHEMA}: use the "
            "version that wrote it"
        )
    return dict(header)


def _warn_of_versions(path: Path, header: dict[str, Any]) -> None:
    if changed := changed_versions(header["versions"], versions()):
        log.warning("%s: other versions than at its start: %s", path.name, ", ".join(changed))
