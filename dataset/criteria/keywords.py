r"""Keywords: texts and patterns that an answer should hold, joined by `and` and `or`.

    keywords:
      - async def
      - content: {or: [asyncio.run, {content: "loop\\.run\\w*", regex: true}]}
        weight: 2.0
        to_lower: true
      - {content: time.sleep, neg: true}

A rule with `neg` takes its weight away. `to_lower` counts at a rule itself, `regex` inside its
content alone; elsewhere the grader of InfiBench does not look for them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from dataset.criteria.conditions import Condition, read_condition
from dataset.criteria.not_scorable import NotScorable, list_of, weight_of
from dataset.criteria.patterns import Pattern
from dataset.criteria.points import HANDLER, Points

_MAX_DEPTH = 20


class _Answer(NamedTuple):
    text: str
    outcomes: Sequence[str]
    """Of the rules before: `match` or `unmatch`."""


_Matcher: TypeAlias = Callable[[_Answer], bool]


@dataclass(frozen=True)
class _Keyword:
    matches: _Matcher
    weight: float
    to_lower: bool
    negative: bool


@dataclass(frozen=True)
class Keywords:
    """The keywords of a question."""

    keywords: tuple[_Keyword, ...]

    def __call__(self, answer: str) -> Points:
        """Return the weights of the keywords that an answer holds; see `Grader`."""
        outcomes: list[str] = []
        points = full = 0.0
        for keyword in self.keywords:
            text = answer.lower() if keyword.to_lower else answer
            is_match = keyword.matches(_Answer(text, outcomes))
            outcomes.append("match" if is_match else "unmatch")
            points += is_match * (-keyword.weight if keyword.negative else keyword.weight)
            full += 0.0 if keyword.negative else keyword.weight
        return Points(points, full)


def read_keywords(value: object) -> Keywords:
    """Return the keywords of a question.

    Raises:
        NotScorable: they need a handler, or have a form that the grader cannot read.
    """
    return Keywords(tuple(_read_keyword(rule) for rule in list_of(value, "keywords")))


def _read_keyword(rule: object) -> _Keyword:
    if isinstance(rule, str):
        rule = {"content": rule}
    if not isinstance(rule, dict):
        raise NotScorable("a keyword is neither a text nor a mapping")
    if "post_handler" in rule:
        raise NotScorable(HANDLER)
    if "content" not in rule:
        raise NotScorable("a keyword has no content")
    lower = bool(rule.get("to_lower", False))
    return _Keyword(
        matches=_matcher(rule["content"], lower=lower, is_regex=False, depth=0),
        weight=weight_of(rule),
        to_lower=lower,
        negative=bool(rule.get("neg", False)),
    )


def _matcher(rule: object, *, lower: bool, is_regex: bool, depth: int) -> _Matcher:
    """Return the function of a rule, which is a text, or a mapping with `or`, `and` or `content`."""
    if isinstance(rule, str):
        return _text_matcher(rule.lower() if lower else rule, is_regex=is_regex)
    if not isinstance(rule, dict) or depth > _MAX_DEPTH:
        raise NotScorable("a keyword has a content that is neither a text nor a mapping")
    is_regex = bool(rule.get("regex", is_regex))

    def inner(part: object) -> _Matcher:
        return _matcher(part, lower=lower, is_regex=is_regex, depth=depth + 1)

    matcher = _joined(rule, inner)
    return _conditional(matcher, read_condition(rule["cond"])) if "cond" in rule else matcher


def _joined(rule: dict[str, Any], inner: Callable[[object], _Matcher]) -> _Matcher:
    if "or" in rule:
        clauses = [inner(clause) for clause in list_of(rule["or"], "the or of a keyword")]
        return lambda answer: any(clause(answer) for clause in clauses)
    if "and" in rule:
        clauses = [inner(clause) for clause in list_of(rule["and"], "the and of a keyword")]
        return lambda answer: all(clause(answer) for clause in clauses)
    if "content" not in rule:
        raise NotScorable("a keyword has no content")
    return inner(rule["content"])


def _text_matcher(text: str, *, is_regex: bool) -> _Matcher:
    if not is_regex:
        return lambda answer: text in answer.text
    pattern = Pattern(text)
    return lambda answer: pattern.is_in(answer.text)


def _conditional(matcher: _Matcher, condition: Condition) -> _Matcher:
    return lambda answer: matcher(answer) and condition({"context": answer.outcomes, "ans": True})
