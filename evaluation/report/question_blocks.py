"""The questions of the page: an index that the page reads at once, and blocks that it reads later.

A block holds the records of some questions. It is compressed JSON in base64, so that no text of a
run is part of the page's HTML. A block holds each text once, since several runs often find the
same passage: the string U+0001 followed by a number stands for the text of that number. A text that
is also shown rendered is a list of the text and its HTML, packed. Prompts are left out, since they
repeat the passages; they are in the run's journal.
"""

import json
import zlib
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from evaluation.analysis.passage_quality import OUTCOMES
from evaluation.report.rendered_texts import (
    Place,
    markdown_fields,
    packed_html,
    places_to_render,
)
from evaluation.report.run_figures import ReportedRun
from evaluation.store.journal import Record

BLOCK = 50
"""Number of questions in a block."""
PREVIEW = 240
"""Number of characters of a question in the list."""
BUDGET = 20_000_000
"""Largest number of characters of all blocks: the page stays below 25 MB."""
CUTS = (None, 4_000, 1_000, 200)
"""Lengths to which passages are cut, each tried if the blocks do not fit with the one before."""
_LEFT_OUT = ("prompt",)
_LEAST_SHARED_CHARS = 24
"""Shorter texts are written in place: a number would hardly be shorter."""
_DECIMALS = 6

QuestionKey = tuple[int, str, str]


class QuestionBlocks(NamedTuple):
    """The questions as the page holds them, in base64."""

    packed_index: str
    packed_blocks: list[str]
    cut: int | None
    """Number of characters to which passages are cut; None where they are whole."""
    rendered: frozenset[Place]
    """The places whose texts are rendered too."""


def blocks_of(
    runs: Sequence[ReportedRun], metrics: Sequence[str], budget: int = BUDGET
) -> QuestionBlocks:
    """Return the index and the blocks of all questions of the runs, within `budget` characters."""
    questions = _questions(runs)
    rows = list(_rows(questions, runs, metrics))
    index = _packed({"outcomes": OUTCOMES, "block": BLOCK, "rows": rows})
    rendered = places_to_render(_markdown_texts(questions))
    for cut in CUTS:
        blocks = []
        room = budget - len(index)
        for start in range(0, len(questions), BLOCK):
            block = _block(questions[start : start + BLOCK], cut, rendered)
            room -= len(block)
            blocks.append(block)
            if room < 0 and cut != CUTS[-1]:
                break
        else:
            break
    return QuestionBlocks(index, blocks, cut, rendered)


def _questions(runs: Sequence[ReportedRun]) -> list[tuple[QuestionKey, list[Record | None]]]:
    """Return each question with its record in every run, in the order of their indexes.

    Records of two runs are of one question if index, text and reference are equal.
    """
    by_run: list[dict[QuestionKey, Record]] = [
        {(r["index"], r["question"], r["reference"]): r for r in run.recorded.records}
        for run in runs
    ]
    keys = dict.fromkeys(key for records in by_run for key in records)
    ordered = sorted(keys, key=lambda key: key[0])
    return [(key, [records.get(key) for records in by_run]) for key in ordered]


def _rows(
    questions: Sequence[tuple[QuestionKey, list[Record | None]]],
    runs: Sequence[ReportedRun],
    metrics: Sequence[str],
) -> Iterator[list[Any]]:
    for (index, text, _), records in questions:
        first = next(record for record in records if record is not None)
        answers: dict[str, int] = {}
        cells = [
            record
            and _cell(record, run, metrics, answers.setdefault(record["answer"], len(answers)))
            for run, record in zip(runs, records, strict=True)
        ]
        yield [index, first.get("eval_id", ""), text[:PREVIEW], cells]


def _cell(record: Record, run: ReportedRun, metrics: Sequence[str], answer: int) -> list[Any]:
    """Return the cell of one answer in the list; namedCell() of packed_questions.js names its fields.

    `answer` is a number that the runs with the same answer to this question share.
    """
    condition = "failed" if record["error"] is not None else "" if record["answer"] else "empty"
    outcome = run.outcomes.get(record["index"])
    outcome_index = -1 if outcome is None else OUTCOMES.index(outcome)
    values = [record["metrics"].get(name) for name in metrics]
    rounded = [value if value is None else round(value, _DECIMALS) for value in values]
    return [condition, outcome_index, answer, rounded]


def _markdown_texts(
    questions: Sequence[tuple[QuestionKey, list[Record | None]]],
) -> Iterator[tuple[Place, str]]:
    """Yield each Markdown text of the questions with its place."""
    for (_, text, reference), records in questions:
        yield from ((Place.ANSWER, text), (Place.ANSWER, reference))
        for record in records:
            yield from _markdown_texts_of(record)


def _markdown_texts_of(value: Any) -> Iterator[tuple[Place, str]]:
    if isinstance(value, Mapping):
        for name, place in markdown_fields(value).items():
            yield place, value[name]
        value = list(value.values())
    if isinstance(value, list | tuple):
        for item in value:
            yield from _markdown_texts_of(item)


class _TextTable:
    """The texts of a block, each once.

    Args:
        cut: The number of characters to which passages are cut; None leaves them whole.
        rendered: The places whose texts are rendered too.
    """

    def __init__(self, cut: int | None, rendered: frozenset[Place]) -> None:
        self._cut = cut
        self._rendered = rendered
        self._numbers: dict[str, int] = {}
        self._html: dict[str, str] = {}

    def entries(self) -> list[str | list[str]]:
        """Return the texts in the order of their numbers."""
        return [[text, self._html[text]] if text in self._html else text for text in self._numbers]

    def pack(self, value: Any, place: Place | None = None) -> Any:
        """Return a value with its texts replaced by their numbers.

        Args:
            value: A text, or anything that holds texts.
            place: Where a Markdown text is shown; None for any other value.
        """
        if isinstance(value, str):
            return self._pack_text(value, place)
        if isinstance(value, Mapping):
            fields = {name: field for name, field in value.items() if name not in _LEFT_OUT}
            fields = _cut_passage(fields, self._cut)
            places = markdown_fields(fields)
            return {name: self.pack(field, places.get(name)) for name, field in fields.items()}
        if isinstance(value, list | tuple):
            return [self.pack(item) for item in value]
        return value

    def _pack_text(self, text: str, place: Place | None) -> str:
        is_rendered = place in self._rendered
        # A text that looks like a number of the table must be in the table, however short it is.
        is_short = len(text) < _LEAST_SHARED_CHARS and not text.startswith("\x01")
        if is_short and not (is_rendered and text):
            return text
        if is_rendered and text not in self._html:
            self._html[text] = packed_html(text)
        return f"\x01{self._numbers.setdefault(text, len(self._numbers))}"


def _block(
    questions: Sequence[tuple[QuestionKey, list[Record | None]]],
    cut: int | None,
    rendered: frozenset[Place],
) -> str:
    table = _TextTable(cut, rendered)
    packed = [
        {
            "question": table.pack(text, Place.ANSWER),
            "reference": table.pack(reference, Place.ANSWER),
            "runs": [record and table.pack(_own_fields(record)) for record in records],
        }
        for (_, text, reference), records in questions
    ]
    return _packed({"texts": table.entries(), "questions": packed})


def _own_fields(record: Record) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in ("question", "reference")}


def _cut_passage(fields: dict[str, Any], cut: int | None) -> dict[str, Any]:
    """Return the fields of a passage with its text cut; any other object as it is."""
    text = fields.get("text")
    if cut is None or "question_id" not in fields or not isinstance(text, str) or len(text) <= cut:
        return fields
    return {**fields, "text": text[:cut], "left_out": len(text) - cut}


def _packed(value: Any) -> str:
    """Return a value as compressed JSON in base64, of which no character has a meaning in HTML."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return b64encode(zlib.compress(text.encode("ascii"), 6)).decode("ascii")
