"""The builder for InfiBench: its cases become evaluation questions with criteria.

The benchmark comes as one table (`batched_cases/suite_v2.1_data.csv`), or as a folder of cases
(`eval_*.yaml`, `prompt_*.txt` and the files that they name). Nothing of a case is run.
"""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from dataset.builders.question_output import Table, write_questions
from dataset.builders.row_counts import RowCounts
from dataset.criteria import NotScorable, read_criteria
from graph.support.errors import DatasetError
from graph.support.storage import read_small_file
from graph.support.table_files import read_rows
from graph.support.text import unix_lines
from graph.support.yaml_values import parse_yaml

_COLUMNS = ("case_path", "prompt", "eval_spec")
_MAX_BYTES = 1 << 24
"""Largest file of a case."""
_POST = re.compile(r"^#.*(https?://stackoverflow\.com/questions/[0-9]+)", re.MULTILINE)
SCORED = "scored without running code"

_ReadFile = Callable[[str], str | None]
"""The function from the name of a case's file to its text; None if there is no such text."""


class InfiBenchQuestion(NamedTuple):
    """One row of the table."""

    eval_id: str
    question: str
    answer: str
    """The reference by which a similarity is measured; empty for all other questions."""
    criteria: str
    """JSON, as `dataset.criteria` reads it."""
    language: str
    question_type: str
    url: str
    """The post of Stack Overflow that the question comes from."""


class _Case(NamedTuple):
    name: str
    spec: str
    prompt: str | None
    """None if a file has it, whose name is in the spec."""
    read_file: _ReadFile


def build(source: Path, target: Path) -> RowCounts:
    """Build the table from the benchmark's table or folder.

    Raises:
        DatasetError: the source cannot be read, no case is kept, or the disk is full; the target is
            unchanged.
    """
    cases = _folder_cases(source) if source.is_dir() else _table_cases(source)
    table = Table(source, target, InfiBenchQuestion._fields)
    return write_questions(table, map(_question, cases), _kind)


def _kind(question: InfiBenchQuestion) -> str:
    try:
        read_criteria(json.loads(question.criteria))
    except NotScorable as reason:
        return f"unscored ({reason})"
    return SCORED


def _table_cases(path: Path) -> Iterator[_Case]:
    for _, row in read_rows(path, _COLUMNS):
        texts = _texts_of(row.get("dependencies", ""))
        yield _Case(row["case_path"], row["eval_spec"], row["prompt"], texts.get)


def _texts_of(cell: str) -> dict[str, str]:
    """Return the files of a case by name, from the JSON of a table's cell."""
    try:
        files = json.loads(cell or "{}")
    except (ValueError, RecursionError):
        return {}
    named = files.items() if isinstance(files, dict) else ()
    return {name: text for name, text in named if isinstance(text, str)}


def _folder_cases(folder: Path) -> Iterator[_Case]:
    paths = sorted(
        folder.rglob("eval_*.yaml"), key=lambda path: path.relative_to(folder).as_posix()
    )
    if not paths:
        raise DatasetError(
            f"{folder}: holds no eval_*.yaml; give the folder of InfiBench's cases, or its table "
            "suite_v2.1_data.csv"
        )
    for path in paths:
        read_file = _reader_of(path.parent)
        yield _Case(path.name, read_file(path.name) or "", None, read_file)


def _reader_of(folder: Path) -> _ReadFile:
    def read_file(name: str) -> str | None:
        path = folder / name
        try:
            # A case may name its own files alone.
            if not path.resolve().is_relative_to(folder.resolve()):
                return None
            return unix_lines(read_small_file(path, _MAX_BYTES).decode("utf-8"))
        except (OSError, ValueError):
            return None

    return read_file


def _question(case: _Case) -> InfiBenchQuestion | str:
    """Return the row of a case, or the reason why it is left out."""
    try:
        # The benchmark's own files repeat keys.
        spec = parse_yaml(case.spec, repeated_keys=True)
    except ValueError:
        return "case that is no YAML"
    if not isinstance(spec, dict) or not isinstance(spec.get("grading"), dict):
        return "case without grading"
    prompt = case.prompt
    if prompt is None:
        prompt = case.read_file(_text(spec, "prompt_path"))
    if not (prompt and prompt.strip()):
        return "empty question"
    grading, references = _with_references(spec["grading"], case.read_file)
    try:
        criteria = _json(grading)
    except ValueError:
        return "grading that is no JSON"
    post = _POST.search(case.spec)
    return InfiBenchQuestion(
        eval_id=_text(spec, "id") or Path(case.name).stem.removeprefix("eval_"),
        question=prompt.strip(),
        answer=references[0].strip() if references else "",
        criteria=criteria,
        language=_text(spec, "lang"),
        question_type=_text(spec, "type"),
        url=post[1] if post else "",
    )


def _with_references(
    grading: dict[str, Any], read_file: _ReadFile
) -> tuple[dict[str, Any], list[str]]:
    """Return the grading with the texts of its references in place of their files, and these texts."""
    measures = grading.get("similarity")
    if not isinstance(measures, list):
        return grading, []
    measures = [
        {**measure, "references": [_reference(item, read_file) for item in measure["references"]]}
        if isinstance(measure, dict) and isinstance(measure.get("references"), list)
        else measure
        for measure in measures
    ]
    references = [
        text
        for measure in measures
        if isinstance(measure, dict)
        for text in measure.get("references") or []
        if isinstance(text, str)
    ]
    return {**grading, "similarity": measures}, references


def _reference(item: object, read_file: _ReadFile) -> object:
    """Return the text of a reference; the reference itself if its file cannot be read."""
    if not isinstance(item, dict) or not isinstance(item.get("path"), str):
        return item
    text = read_file(item["path"])
    return item if text is None else text


def _json(grading: dict[str, Any]) -> str:
    r"""Return the JSON of a grading, in which no backslash stands before a quote or another one.

    Readers of CSV could take `\"` for an escaped quote of the table.
    """
    text = json.dumps(grading, ensure_ascii=False, allow_nan=False)
    return text.replace("\\\\", "\\u005c").replace('\\"', "\\u0022")


def _text(spec: dict[str, Any], name: str) -> str:
    value = spec.get(name)
    return value.strip() if isinstance(value, str) else ""
