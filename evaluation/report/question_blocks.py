"""The questions of the page: an index that is read at once, and blocks read when they are opened.

A block is JSON, compressed and in base64, so that no text of a run stands in the page as HTML. A
text that stands in it several times, as a passage does that several runs found, is kept once: a
string of U+0001 and a number is the text of that number. The prompts of replies and verdicts
repeat the passages and are left out; they stand in the run's journal.
"""

import json
import zlib
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from evaluation.analysis.passage_quality import OUTCOMES
from evaluation.report.figures import Reported
from evaluation.store.journal import Record

BLOCK = 50
"""Questions in a block."""
PREVIEW = 240
"""Characters of a question in the list."""
BUDGET = 20_000_000
"""Characters of all blocks; the page stays below 25 MB."""
CUTS = (None, 4_000, 1_000, 200)
"""To how many characters passages are cut where all else does not fit."""
_LEFT_OUT = ("prompt",)
_SHORT = 24
"""Shorter texts are not worth a number."""
_DIGITS = 6

QuestionKey = tuple[int, str, str]


class QuestionBlocks(NamedTuple):
    """What the page holds of the questions, in base64."""

    rows: str
    parts: list[str]
    cut: int | None
    """To how many characters passages are cut; None where they are whole."""


def blocks_of(
    runs: Sequence[Reported], metrics: Sequence[str], budget: int = BUDGET
) -> QuestionBlocks:
    """Return the index and the blocks of all questions that any of the runs holds."""
    questions = _questions(runs)
    index = _packed({"outcomes": OUTCOMES, "block": BLOCK, "rows": _rows(questions, runs, metrics)})
    for cut in CUTS:
        parts = []
        left = budget - len(index)
        for start in range(0, len(questions), BLOCK):
            part = _block(questions[start : start + BLOCK], cut)
            left -= len(part)
            parts.append(part)
            if left < 0 and cut != CUTS[-1]:
                break
        else:
            break
    return QuestionBlocks(index, parts, cut)


def _questions(runs: Sequence[Reported]) -> list[tuple[QuestionKey, list[Record | None]]]:
    """Return each question with its record in every run: same index, text and reference."""
    by_run: list[dict[QuestionKey, Record]] = [
        {(r["index"], r["question"], r["reference"]): r for r in each.run.records} for each in runs
    ]
    keys = dict.fromkeys(key for records in by_run for key in records)
    ordered = sorted(keys, key=lambda key: key[0])
    return [(key, [records.get(key) for records in by_run]) for key in ordered]


def _rows(
    questions: Sequence[tuple[QuestionKey, list[Record | None]]],
    runs: Sequence[Reported],
    metrics: Sequence[str],
) -> Iterator[list[Any]]:
    for (index, text, _), records in questions:
        known = next(record for record in records if record is not None)
        answers: dict[str, int] = {}
        cells = [
            record
            and _cell(record, each, metrics, answers.setdefault(record["answer"], len(answers)))
            for each, record in zip(runs, records, strict=True)
        ]
        yield [index, known.get("eval_id", ""), text[:PREVIEW], cells]


def _cell(record: Record, run: Reported, metrics: Sequence[str], answer: int) -> list[Any]:
    """Return what the list shows of one answer: its state, outcome, text's number and scores."""
    state = "failed" if record["error"] is not None else "" if record["answer"] else "empty"
    known = run.outcomes.get(record["index"])
    outcome = -1 if known is None else OUTCOMES.index(known)
    values = [record["metrics"].get(name) for name in metrics]
    return [state, outcome, answer, [v if v is None else round(v, _DIGITS) for v in values]]


def _block(questions: Sequence[tuple[QuestionKey, list[Record | None]]], cut: int | None) -> str:
    texts: dict[str, int] = {}
    packed = [
        {
            "question": _pack(text, texts, cut),
            "reference": _pack(reference, texts, cut),
            "runs": [record and _slim(record, texts, cut) for record in records],
        }
        for (_, text, reference), records in questions
    ]
    return _packed({"texts": list(texts), "questions": packed})


def _slim(record: Record, texts: dict[str, int], cut: int | None) -> Any:
    own = {name: value for name, value in record.items() if name not in ("question", "reference")}
    return _pack(own, texts, cut)


def _pack(value: Any, texts: dict[str, int], cut: int | None) -> Any:
    if isinstance(value, str):
        if len(value) < _SHORT and not value.startswith("\x01"):
            return value
        return f"\x01{texts.setdefault(value, len(texts))}"
    if isinstance(value, Mapping):
        shown = {name: each for name, each in value.items() if name not in _LEFT_OUT}
        return {name: _pack(each, texts, cut) for name, each in _cut(shown, cut).items()}
    if isinstance(value, list | tuple):
        return [_pack(each, texts, cut) for each in value]
    return value


def _cut(value: dict[str, Any], cut: int | None) -> dict[str, Any]:
    """Cut the text of a passage."""
    text = value.get("text")
    if cut is None or "question_id" not in value or not isinstance(text, str) or len(text) <= cut:
        return value
    return {**value, "text": text[:cut], "left_out": len(text) - cut}


def _packed(value: Any) -> str:
    """Return JSON, compressed, in base64: none of its characters means anything in HTML."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False, default=list)
    return b64encode(zlib.compress(text.encode("ascii"), 6)).decode("ascii")
