"""Scores beside a run's journal, which stays as it is.

`RUN/scores/NAME.json` says what scored, `RUN/scores/NAME.jsonl` holds one self-checking line for
each question. NAME ends with the digest of what scored, so that two judges are never mixed up.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple, TypedDict, TypeGuard

from evaluation.store.checked_lines import CheckedLines, LineFormat, read_checked_lines
from evaluation.store.identity import digest, versions
from evaluation.store.journal import Record, is_score
from graph.support.errors import DatasetError
from graph.support.storage import write_atomically
from graph.support.terminal import log

SCHEMA = 1
FOLDER = "scores"
_LABEL_CHARS = 40
_REMEDY = "remove it and the .json beside it, and score again"


class PassScore(TypedDict):
    """What one pass says of one question."""

    index: int
    of: str
    """Digest of what was scored: scores of another answer are refused."""
    scores: dict[str, float | None]
    """By metric; None is unscored."""
    reasons: dict[str, str]
    """Why a metric is None."""
    evidence: list[Any]
    """What the scores were made from: verdicts, or replies as the model wrote them."""


class PassSpec(NamedTuple):
    """What scores."""

    kind: str
    """`judge` or `ragas`."""
    label: str
    """The model, for people."""
    metrics: tuple[str, ...]
    identity: dict[str, object]

    @property
    def name(self) -> str:
        """The name of its files, whatever characters a model's name has."""
        safe = "".join(c if c.isascii() and c.isalnum() else "_" for c in self.label)
        return f"{self.kind}-{safe[-_LABEL_CHARS:]}-{digest(self.identity)[:12]}"


@dataclass(frozen=True)
class RecordedPass:
    """A pass as its files tell it, finished or not."""

    name: str
    plan: PassSpec
    scores: dict[int, PassScore]
    """By the question's index."""


def _is_entry(value: object) -> TypeGuard[PassScore]:
    if not isinstance(value, dict):
        return False
    scores, reasons = value.get("scores"), value.get("reasons")
    return (
        isinstance(value.get("index"), int)
        and isinstance(value.get("of"), str)
        and isinstance(value.get("evidence"), list)
        and isinstance(reasons, dict)
        and all(isinstance(reason, str) for reason in reasons.values())
        and isinstance(scores, dict)
        and all(map(is_score, scores.values()))
    )


SCORE_LINES = LineFormat(_is_entry, "scores of a question", _REMEDY)


class ScoreFile:
    """The scores of one pass, open for more."""

    def __init__(self, folder: Path, plan: PassSpec) -> None:
        """Open or begin the scores of `plan` in a run folder, which the caller holds locked.

        Raises:
            DatasetError: the files are damaged, or of another pass.
        """
        scores = folder / FOLDER
        scores.mkdir(exist_ok=True)
        header = scores / f"{plan.name}.json"
        if header.exists():
            _warn_of_versions(header, _header(header, plan.name))
        else:
            write_atomically(header, json.dumps(_header_of(plan), indent=1) + "\n")
        self._lines = CheckedLines(scores / f"{plan.name}.jsonl", SCORE_LINES)
        self.scores = self._lines.entries

    def append(self, scores: list[PassScore]) -> None:
        """Write scores and wait until they are on disk."""
        self._lines.append(scores)

    def close(self) -> None:
        """Close the file."""
        self._lines.close()


def read_scores(folder: Path) -> list[RecordedPass]:
    """Read every pass over a run, by name; nothing is written.

    Raises:
        DatasetError: a file is damaged.
    """
    found = []
    for header in sorted((folder / FOLDER).glob("*.json")):
        stored = _header(header, header.stem)
        lines = header.with_suffix(".jsonl")
        scores = read_checked_lines(lines, SCORE_LINES) if lines.exists() else {}
        plan = PassSpec(
            stored["kind"], stored["label"], tuple(stored["metrics"]), dict(stored["identity"])
        )
        found.append(RecordedPass(header.stem, plan, scores))
    return found


def fingerprint(record: Record) -> str:
    """Return the digest of everything in a record that a score depends on."""
    parts = [
        record["question"],
        record["reference"],
        record["answer"],
        [passage["text"] for passage in record.get("passages", [])],
        record.get("relevant_question_ids", []),
    ]
    return sha256(json.dumps(parts).encode()).hexdigest()[:16]


def scored(record: Record, scores: dict[int, PassScore]) -> PassScore | None:
    """Return a question's score, None if it has none yet.

    Raises:
        DatasetError: the score is of another answer.
    """
    found = scores.get(record["index"])
    if found is not None and found["of"] != fingerprint(record):
        raise DatasetError(
            f"the scores of question {record['index']} are of another answer than the journal's: "
            "remove the run's folder scores, and score again"
        )
    return found


def _header_of(plan: PassSpec) -> dict[str, object]:
    return {
        "schema": SCHEMA,
        "kind": plan.kind,
        "label": plan.label,
        "metrics": list(plan.metrics),
        "digest": digest(plan.identity),
        "identity": plan.identity,
        "versions": versions(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _header(path: Path, name: str) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        plan = PassSpec(found["kind"], found["label"], tuple(found["metrics"]), found["identity"])
        whole = (
            found["digest"] == digest(plan.identity)
            and plan.name == name
            and all(isinstance(metric, str) for metric in plan.metrics)
            and isinstance(found["versions"], dict)
        )
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        whole = False
    if not whole:
        raise DatasetError(f"{path}: is damaged: {_REMEDY.replace('.json', '.jsonl')}")
    if found["schema"] != SCHEMA:
        raise DatasetError(f"{path}: is of schema {found['schema']!r}, this version has {SCHEMA}")
    return dict(found)


def _warn_of_versions(path: Path, header: dict[str, Any]) -> None:
    now = versions()
    changed = [name for name in now if header["versions"].get(name) != now[name]]
    if changed:
        log.warning("%s: other versions than at its start: %s", path.name, ", ".join(changed))
