"""The node critique: it lists the problems of the current answer."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from nodes.model import Reserve, TextModel
from nodes.prompting import build_prompt
from nodes.replies import clean
from nodes.state import CritiqueUpdate, State
from prompts import critique_prompts as texts

_WORD = re.compile(r"\w+")
_NUMBERED = re.compile(r"^\s*(?:\d{1,2}[.):]|[-*•])\s+(?P<point>\S.*)$")
_PROBLEMS = (
    r"(?:(?:concrete|obvious|real|serious|significant|major|other|further) )?"
    r"(?:problems?|issues?|errors?|mistakes?)"
)
_DRAFT = r"(?:it|this|(?:the|this|your) (?:draft|answer|code|solution))"
_NO_PROBLEM = re.compile(
    rf"\W*(?:(?:(?:there (?:is|are|were)|I (?:can |could )?(?:found|find|see|saw)"
    rf"|{_DRAFT} (?:has|contains)) )?(?:none|n/a|no {_PROBLEMS})"
    rf"|I (?:(?:do|did|could)(?: not|n['\u2019]t)|can(?:not|['\u2019]t)) (?:find|see) any {_PROBLEMS})"
    r"(?: (?:(?:were|was|are|is) )?(?:found|identified|detected|noted|here|to report))?"
    rf"(?: (?:in|with) {_DRAFT})?(?: at all)?\W*",
    re.IGNORECASE,
)
_MIN_REPEATED_WORDS = 4
"""Fewer words of a point can be in the prompt by chance."""


class Points(NamedTuple):
    """The points of a critique, its format and its flaws."""

    points: list[str]
    format: str
    """numbered, free (paragraphs instead of numbers), none (no problem named) or empty."""
    flaws: list[str]
    """empty; unnumbered: the format is free; too many: points beyond the limit were dropped;
    contradictory: it names points and says that there are none; repeats the prompt: a point is in
    the critic's prompt word for word."""


def critique(
    state: State,
    *,
    model: TextModel,
    max_points: int,
    max_new_tokens: int,
    reserves: Sequence[Reserve] = (),
) -> CritiqueUpdate:
    """List at most `max_points` problems of the current answer; an empty list ends the refining."""
    prompt = build_prompt(
        *(state, texts.CRITIQUE, reserves),
        whole={"max_points": str(max_points)},
        draft=state["answer"],
    )
    reply = model.write([prompt], max_new_tokens=max_new_tokens)[0]
    points, critique_format, flaws = parse_points(reply["text"], max_points, reply["prompt"])
    return {
        "points": points,
        "steps": [
            {
                "node": "critique",
                "seconds": reply["seconds"],
                "replies": [reply],
                "points": points,
                "critique_format": critique_format,
                "critique_flaws": flaws,
            }
        ],
    }


def parse_points(reply: str, max_points: int, prompt: str = "") -> Points:
    """Parse the numbered points of a critique.

    A small model often forgets the numbers: then its paragraphs are the points, and the format is
    "free", so that a report can count these replies. Flaws change nothing in the pipeline, so that
    their cost shows in the results.
    """
    text = clean(reply, prompt)
    if not text:
        return Points([], "empty", ["empty"])
    if _NO_PROBLEM.fullmatch(text):
        return Points([], "none", [])
    lines = [match["point"].strip() for match in map(_NUMBERED.match, text.split("\n")) if match]
    if not lines:
        paragraphs = [" ".join(part.split()) for part in text.split("\n\n") if part.strip()]
        return _limited(Points(paragraphs, "free", ["unnumbered"]), max_points, prompt)
    points = [line for line in lines if not _NO_PROBLEM.fullmatch(line)]
    if not points:
        return Points([], "none", [])
    is_denied = len(points) < len(lines) or any(map(_NO_PROBLEM.fullmatch, text.split("\n")))
    flaws = ["contradictory"] if is_denied else []
    return _limited(Points(points, "numbered", flaws), max_points, prompt)


def _limited(parsed: Points, max_points: int, prompt: str) -> Points:
    """Drop the points beyond the limit, and add the flaws of the points that stay."""
    points, flaws = parsed.points[:max_points], list(parsed.flaws)
    if len(parsed.points) > max_points:
        flaws.append("too many")
    if any(_repeats(point, prompt) for point in points):
        flaws.append("repeats the prompt")
    return Points(points, parsed.format, flaws)


def _repeats(point: str, prompt: str) -> bool:
    """Tell whether the words of a point are in the prompt, one after the other."""
    words = _WORD.findall(point.lower())
    prompt_text = " ".join(_WORD.findall(prompt.lower()))
    # The spaces around both keep a match from starting or ending inside a word.
    return len(words) >= _MIN_REPEATED_WORDS and f" {' '.join(words)} " in f" {prompt_text} "
