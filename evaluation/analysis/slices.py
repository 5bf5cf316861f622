"""Slices of the questions: means and paired differences of the questions that have something in common.

The bounds and rules are fixed, so that a slice means the same in every run: thirds would be cut
elsewhere in each dataset. A question is in one slice of each dimension, except that it is in the
slice of each of its tags.
"""

import re
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple, TypedDict

import numpy as np

from evaluation.analysis.comparison import (
    Pairs,
    paired_records,
    paired_scores,
    retrieval_kind,
    unlike_metrics,
    valueless_metrics,
)
from evaluation.analysis.passage_quality import is_judged, is_retrieved
from evaluation.analysis.question_types import QUESTION_TYPES, question_type
from evaluation.metrics.normal_text import words
from evaluation.metrics.registry import metric_names
from evaluation.statistics.intervals import paired_interval
from evaluation.statistics.paired_tests import paired_gains
from evaluation.statistics.summaries import LEAST_RELIABLE, Summary, summarise
from evaluation.store.journal import Record
from evaluation.store.recorded_run import RecordedRun, known_records
from nodes.markdown_code import CodeSpans

TAGS = 8
"""Tags with a slice of their own: those of most questions, but not of all."""
_TAG_CHARS = 50
"""The longest tag of Stack Overflow has 35 characters."""
UNKNOWN = "unknown"

_LENGTHS = ("up to 75 words", "76 to 150 words", "over 150 words")
_CODE = ("code block", "inline code", "prose")
_OUTCOMES = (
    "retrieved",
    "not retrieved",
    "retrieved by both",
    "retrieved by a alone",
    "retrieved by b alone",
    "retrieved by neither",
    UNKNOWN,
)
_OTHER_TAGS = "other tags"
DEFINITIONS = {
    "length": "Words of title and body, those of code included.",
    "code": "A code block, inline code alone, or neither.",
    "type": (
        "By rules on English words: error is a message or a result that is not as expected, concept "
        "asks why or what, how-to asks for a way."
    ),
    "retrieval": (
        "Whether a passage is one of the relevant posts that the dataset names; unknown elsewhere. "
        "In a difference, a is the run and b the control."
    ),
    "tag": f"The {TAGS} tags of most questions, without those of all; a question is in the slice of each of its tags.",
}
"""By dimension, what its slices are."""

_LINE_END_OR_BACKTICK = re.compile(r"[\n`]|\Z")

Question = tuple[Record, ...]
"""A question's record in each run: in one run, or in the two of a comparison."""


class PairedSummary(Summary):
    """The mean of a - b over the questions that both runs scored."""

    mean_a: float | None
    mean_b: float | None


class Slice(TypedDict):
    """The questions of one slice and their figures."""

    name: str
    questions: int
    failed: int
    """Questions without an answer in at least one run: in no mean."""
    few: bool
    """Whether fewer than `LEAST_RELIABLE` questions have an answer."""
    metrics: dict[str, Summary]
    """By metric, the mean score of a run, or the mean difference of two (`PairedSummary`)."""


class Dimension(TypedDict):
    """One way to divide the questions."""

    name: str
    """`length`, `code`, `type`, `retrieval` or `tag`."""
    slices: list[Slice]
    """At least two, none of them empty; no slice if the dimension is left out."""
    left_out: str | None
    """The reason, if the questions are not divided."""


class _Group(NamedTuple):
    name: str
    questions: list[Question]


def run_slices(run: RecordedRun) -> list[Dimension]:
    """Return the means of a run by slice.

    Raises:
        DatasetError: Its records are not as this version writes them.
    """
    names = _metrics_with_values([run])

    def means(questions: Sequence[Question]) -> dict[str, Summary]:
        return {
            name: summarise([record["metrics"].get(name) for (record,) in questions])
            for name in names
        }

    with known_records(run.folder):
        return _dimensions([(record,) for record in run.records], [run], means)


def pair_slices(a: RecordedRun, b: RecordedRun) -> list[Dimension]:
    """Return the mean differences a - b by slice, over the questions that two runs share.

    Raises:
        DatasetError: The records of `a` are not as this version writes them.
    """
    unlike = unlike_metrics(a, b)
    names = [name for name in _metrics_with_values([a, b]) if name not in unlike]

    def differences(pairs: Sequence[Question]) -> dict[str, Summary]:
        return {name: _paired_summary([(a, b) for a, b in pairs], name) for name in names}

    with known_records(a.folder):
        return _dimensions([*paired_records(a, b)], [a, b], differences)


def _metrics_with_values(runs: Sequence[RecordedRun]) -> list[str]:
    valueless = valueless_metrics(runs)
    names = metric_names(record["metrics"] for run in runs for record in run.records)
    return [name for name in names if name not in valueless]


def _paired_summary(pairs: Pairs, metric: str) -> PairedSummary:
    scores = paired_scores(pairs, metric)
    gains, n = paired_gains(scores.a, scores.b), len(scores.a)
    return {
        "mean": float(np.mean(gains)) if n else None,
        "n": n,
        "unscored": scores.unscored,
        "ci95": paired_interval(gains) if n > 1 else None,
        "mean_a": float(np.mean(scores.a)) if n else None,
        "mean_b": float(np.mean(scores.b)) if n else None,
    }


def _dimensions(
    questions: Sequence[Question],
    runs: Sequence[RecordedRun],
    figures_of: Callable[[Sequence[Question]], dict[str, Summary]],
) -> list[Dimension]:
    dimensions: list[Dimension] = []
    for name, groups in _groups_by_dimension(questions, runs).items():
        if len(groups) < 2:
            reason = _reason_left_out(name, groups)
            dimensions.append({"name": name, "slices": [], "left_out": reason})
            continue
        slices = [_slice(group, figures_of) for group in groups]
        dimensions.append({"name": name, "slices": slices, "left_out": None})
    return dimensions


def _slice(group: _Group, figures_of: Callable[[Sequence[Question]], dict[str, Summary]]) -> Slice:
    answered = [q for q in group.questions if all(record["error"] is None for record in q)]
    return {
        "name": group.name,
        "questions": len(group.questions),
        "failed": len(group.questions) - len(answered),
        "few": len(answered) < LEAST_RELIABLE,
        "metrics": figures_of(answered),
    }


def _reason_left_out(dimension: str, groups: Sequence[_Group]) -> str:
    if not groups:
        return "no question is recorded"
    if groups[0].name == _OTHER_TAGS:
        return "no tag tells some questions from the others"
    if groups[0].name != UNKNOWN:
        return f"all questions are in one slice, {groups[0].name}"
    if dimension == "tag":
        return "the dataset names no tags, or a version that did not record them wrote the run"
    return "nothing is retrieved, or no question names relevant posts that are all in the corpus"


def _groups_by_dimension(
    questions: Sequence[Question], runs: Sequence[RecordedRun]
) -> dict[str, list[_Group]]:
    texts = [question[0]["question"] for question in questions]
    retrieving = [retrieval_kind(run) != "none" for run in runs]
    outcomes = [{_outcome(question, retrieving)} for question in questions]
    tags = [_tags_of(question) for question in questions]
    counts = Counter(tag for names in tags for tag in names)
    # A tag of all questions divides nothing.
    dividing = [tag for tag, count in counts.items() if count < len(questions)]
    top = sorted(dividing, key=lambda tag: (-counts[tag], tag))[:TAGS]
    # The brackets tell a tag that is called `unknown` from what is unknown.
    tag_names = [*(f"[{tag}]" for tag in top), _OTHER_TAGS, UNKNOWN]
    tag_labels = [_tag_labels(names, top) for names in tags]
    return {
        "length": _grouped(_LENGTHS, questions, [{length_slice(text)} for text in texts]),
        "code": _grouped(_CODE, questions, [{code_slice(text)} for text in texts]),
        "type": _grouped(QUESTION_TYPES, questions, [{question_type(text)} for text in texts]),
        "retrieval": _grouped(_OUTCOMES, questions, outcomes),
        "tag": _grouped(tag_names, questions, tag_labels),
    }


def _grouped(
    names: Sequence[str], questions: Sequence[Question], labels: Sequence[Collection[str]]
) -> list[_Group]:
    """Return the questions with each label, in the order of the names; no empty group."""
    groups = [
        _Group(name, [q for q, own in zip(questions, labels, strict=True) if name in own])
        for name in names
    ]
    return [group for group in groups if group.questions]


def length_slice(text: str) -> str:
    """Return the slice of a question by its words, those of its code included."""
    count = len(words(text))
    return _LENGTHS[0 if count <= 75 else 1 if count <= 150 else 2]


def code_slice(text: str) -> str:
    """Return the slice of a question by the code in its Markdown."""
    spans = CodeSpans(text)
    marks = {m[0] for m in _LINE_END_OR_BACKTICK.finditer(text) if m.start() in spans}
    # Inline code holds no end of a line.
    return "code block" if marks - {"`"} else "inline code" if marks else "prose"


def _tags_of(question: Question) -> list[str]:
    # A run of a version that recorded no tags can be compared with one that has them.
    tags = next((record["tags"] for record in question if "tags" in record), [])
    return list(dict.fromkeys(tag[:_TAG_CHARS] for tag in tags))


def _tag_labels(tags: Sequence[str], top: Collection[str]) -> set[str]:
    return {f"[{tag}]" for tag in tags if tag in top} or {_OTHER_TAGS if tags else UNKNOWN}


def _outcome(question: Question, retrieving: Sequence[bool]) -> str:
    """Return the retrieval of a question's relevant posts by the runs that retrieve."""
    known = [
        is_retrieved(record)
        for record, retrieves in zip(question, retrieving, strict=True)
        if retrieves and record["error"] is None and is_judged(record)
    ]
    if not known or len(known) < sum(retrieving):
        return UNKNOWN
    if len(known) == 1:
        return "retrieved" if known[0] else "not retrieved"
    by_a, by_b = known
    if by_a == by_b:
        return "retrieved by both" if by_a else "retrieved by neither"
    return f"retrieved by {'a' if by_a else 'b'} alone"
