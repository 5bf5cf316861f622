"""The journal: one self-checking line for each question, the truth of a run.

A line is `{"crc32": ..., "record": {...}}`. Every finished batch is on disk before the next starts.
A line that a crash tore off at the end is cut away and kept in `journal.torn`; a damaged line in
the middle stops everything, since results may be missing without anybody knowing.
"""

import json
import logging
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import TypedDict

from graph.support.errors import DatasetError
from graph.support.storage import sync_folder
from nodes.state import Passage, Step

log = logging.getLogger("opencoder")


class Failure(TypedDict):
    """Why a question has no answer."""

    type: str
    message: str


class CandidateScore(TypedDict):
    """The metrics of one text that the answer was chosen from or made of; the judge saw none."""

    step: int
    """Its place in the record's steps."""
    candidate: int
    """Its place in that step's candidates."""
    metrics: dict[str, float | None]


class Record(TypedDict):
    """Everything that happened to one question."""

    index: int
    eval_id: str
    question: str
    reference: str
    relevant_question_ids: list[str]
    answer: str
    reasoning: str
    passages: list[Passage]
    steps: list[Step]
    error: Failure | None
    metrics: dict[str, float | None]
    """By name; None is unscored. Empty for a failed question."""
    candidates: list[CandidateScore]
    """Of every draft and refinement. Empty for a failed question."""


class Journal:
    """An append-only file of records."""

    start_over = "start over with --fresh (the old run is kept)"
    """What helps where the file is damaged."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.records: dict[int, Record] = {}
        self._read()
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        sync_folder(path.parent)

    def append(self, records: list[Record]) -> None:
        """Write records and wait until they are on disk.

        A failed write or sync is not tried again: what the disk holds is then unknown, and the
        next start finds out.
        """
        content = b"".join(encode(record) for record in records)
        while content:
            content = content[os.write(self._file, content) :]
        os.fsync(self._file)
        self.records.update({record["index"]: record for record in records})

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _read(self) -> None:
        if not self._path.exists():
            return
        content = self._path.read_bytes()
        lines = content.split(b"\n")
        records = [decode(line) for line in lines[:-1]]
        sound = len(records)
        while sound and records[sound - 1] is None:
            sound -= 1
        for number, record in enumerate(records[:sound], 1):
            if record is None:
                raise DatasetError(
                    f"{self._path}: line {number} is damaged, and good lines follow it; restore "
                    f"the file from a copy, or {self.start_over}"
                )
            if record["index"] in self.records:
                raise DatasetError(
                    f"{self._path}: line {number}: question {record['index']} stands there twice; "
                    f"{self.start_over}"
                )
            self.records[record["index"]] = record
        good = sum(len(line) + 1 for line in lines[:sound])
        if good < len(content):
            self._cut_tail(content[good:], good)

    def _cut_tail(self, torn: bytes, keep: int) -> None:
        kept = self._path.with_suffix(".torn")
        log.warning(
            "%s: the last %d bytes are of an interrupted write; kept in %s",
            self._path,
            len(torn),
            kept.name,
        )
        with kept.open("ab") as file:
            file.write(torn + b"\n")
        with self._path.open("r+b") as file:
            file.truncate(keep)
            os.fsync(file.fileno())


def encode(record: Mapping[str, object]) -> bytes:
    """Return a record's line; equal records give equal bytes."""
    body = json.dumps(record, ensure_ascii=True, allow_nan=False, sort_keys=True)
    return f'{{"crc32": "{zlib.crc32(body.encode()):08x}", "record": {body}}}\n'.encode()


def decode(line: bytes) -> Record | None:
    """Return the record of a line, or None if a single byte of it is not as it was written."""
    try:
        record: Record = json.loads(line)["record"]
        return record if encode(record) == line + b"\n" else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
