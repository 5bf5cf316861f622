"""Blanks: a template that an answer should repeat, with the right texts in its blanks.

    blank_filling:
      template: "Call [blank] to stop the loop, then [blank] it."
      targets:
        - loop.stop()
        - content: [close, {content: "shut.*", regex: true}]
          weight: 2.0
          to_lower: true

An answer that has less than four fifths of the template's characters, in their order, gets no point.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from dataset.criteria.alignment import align
from dataset.criteria.conditions import Condition, read_condition
from dataset.criteria.not_scorable import NotScorable, list_of, text_of, weight_of
from dataset.criteria.patterns import Pattern
from dataset.criteria.points import HANDLER, Points

_LEAST_SHARE = 0.8
"""The share of the template's characters that an answer must have in common with it."""
_ESCAPE = " '\"`"
"""Characters around the text of a blank that do not count."""


class _Target(NamedTuple):
    """One of the right texts of a blank."""

    text: str
    """In lower case if the blank is compared so."""
    original: str
    pattern: Pattern | None
    condition: Condition | None


@dataclass(frozen=True)
class _Blank:
    start: int
    """Where the blank is in the template."""
    targets: tuple[_Target, ...]
    weight: float
    to_lower: bool
    in_part: bool
    """Whether a target may be a part of the text in the blank."""

    def outcome(self, text: str, outcomes: Sequence[str]) -> tuple[bool, str]:
        """Tell whether a text is right, and what a later condition reads of it."""
        detail = ""
        for target in self.targets:
            detail = f"response string: {text}, ans: {target.original}"
            text = text.lower() if self.to_lower else text
            if self._fits(text, target) and _holds(text, target, outcomes):
                return True, f"matched: {detail}"
        return False, f"unmatched: {detail or 'unmatched'}"

    def _fits(self, text: str, target: _Target) -> bool:
        if target.pattern is None:
            return target.text in text if self.in_part else target.text == text
        if self.in_part:
            return target.pattern.is_in(text)
        return target.pattern.is_all_of(text)


def _holds(text: str, target: _Target, outcomes: Sequence[str]) -> bool:
    if target.condition is None:
        return True
    is_regex = target.pattern is not None
    return target.condition(
        {
            "grading_details": outcomes,
            "response_str": text,
            "ans_str": target.text,
            "ans_re": is_regex,
        }
    )


@dataclass(frozen=True)
class Blanks:
    """The template of a question and the right texts of its blanks."""

    template: str
    mark: str
    escape: str
    prefix: str
    blanks: tuple[_Blank, ...]

    def __call__(self, answer: str) -> Points:
        """Return the weights of the blanks that an answer fills rightly; see `Grader`."""
        answer = self.prefix + answer or " "
        length, positions = align(self.template, answer)
        share = length / (len(self.template) - len(self.blanks) * len(self.mark))
        outcomes: list[str] = []
        points = 0.0
        for blank in self.blanks:
            if share < _LEAST_SHARE:
                outcomes.append("unmatched")
                continue
            is_right, detail = blank.outcome(self._text_in(answer, positions, blank), outcomes)
            outcomes.append(detail)
            points += is_right * blank.weight
        return Points(points, sum(blank.weight for blank in self.blanks))

    def _text_in(self, answer: str, positions: Sequence[int], blank: _Blank) -> str:
        start = positions[blank.start - 1] + 1 if blank.start else positions[0]
        return answer[start : positions[blank.start + len(self.mark)]].strip(self.escape)


def read_blanks(value: object) -> Blanks:
    """Return the blanks of a question.

    Raises:
        NotScorable: they need a handler, or have a form that the grader cannot read.
    """
    if not isinstance(value, dict):
        raise NotScorable("blank_filling is no mapping")
    if value.get("post_handler") is not None:
        raise NotScorable(HANDLER)
    template = text_of(value.get("template"), "the template")
    mark = text_of(value.get("blank_str", "[blank]"), "the mark of blanks")
    targets = list_of(value.get("targets"), "the targets of blanks")
    starts = [i for i in range(len(template)) if mark and template.startswith(mark, i)]
    if len(starts) != len(targets) or len(starts) != (template.count(mark) if mark else 0):
        raise NotScorable("the template has another number of blanks than of targets")
    if len(template) == len(starts) * len(mark):
        raise NotScorable("the template has nothing but blanks")
    if template.endswith(mark):
        raise NotScorable("the template ends with a blank, whose end the grader cannot find")
    return Blanks(
        template=template,
        mark=mark,
        escape=text_of(value.get("escape", _ESCAPE), "the escape of blanks"),
        prefix=text_of(value.get("prefix", ""), "the prefix of blanks"),
        blanks=tuple(_read_blank(*pair) for pair in zip(starts, targets, strict=True)),
    )


def _read_blank(start: int, target: object) -> _Blank:
    if isinstance(target, str):
        target = {"content": target}
    if not isinstance(target, dict):
        raise NotScorable("the target of a blank is neither a text nor a mapping")
    lower = bool(target.get("to_lower", False))
    contents = target.get("content")
    contents = [contents] if isinstance(contents, str) else contents
    # The grader reads the keys alone of a mapping, such as `or`. Its authors meant the values, but
    # published scores are those of the keys.
    contents = list(contents) if isinstance(contents, dict) else contents
    return _Blank(
        start=start,
        targets=tuple(
            _read_target(content, lower=lower)
            for content in list_of(contents, "the content of a blank")
        ),
        weight=weight_of(target),
        to_lower=lower,
        in_part=bool(target.get("substr_match", False)),
    )


def _read_target(content: object, *, lower: bool) -> _Target:
    fields: dict[str, Any] = {"content": content} if isinstance(content, str) else {}
    if isinstance(content, dict):
        fields = content
    original = text_of(fields.get("content"), "a right text of a blank")
    text = original.lower() if lower else original
    condition = fields.get("cond")
    return _Target(
        text=text,
        original=original,
        pattern=Pattern(text) if fields.get("regex", False) else None,
        condition=None if condition is None else read_condition(condition),
    )
