"""critique: name what is wrong with the current answer."""

import re
from typing import NamedTuple

from nodes.model import TextModel
from nodes.prompting import ask
from nodes.replies import clean
from nodes.state import Critiqued, State
from prompts import critique as texts

_WORD = re.compile(r"\w+")
_NUMBERED = re.compile(r"^\s*(?:\d{1,2}[.):]|[-*•])\s+(?P<point>\S.*)$")
_NOTHING = re.compile(
    r"\W*(?:there are )?no (?:problems?|issues?|errors?)"
    r"(?: (?:were |was )?(?:found|here|at all))?(?: (?:in|with) (?:it|this|the (?:draft|answer)))?\W*",
    re.IGNORECASE,
)


_MIN_WORDS = 4
"""Of a repeated point: shorter ones stand in any text by chance."""


class Points(NamedTuple):
    """What a critique said, and in which form: numbered, free, none or empty."""

    points: list[str]
    format: str
    flaws: list[str]
    """empty; unnumbered: the format was missed; too many: points beyond the limit were left out;
    contradictory: points, and that there are none; repeats the prompt: a point stands word for word
    in what the critic was given."""


def critique(state: State, *, model: TextModel, max_points: int, max_new_tokens: int) -> Critiqued:
    """List at most `max_points` problems of the current answer; an empty list ends the refining."""
    prompt = ask(state, texts.CRITIQUE, {"max_points": str(max_points)}, draft=state["answer"])
    replies = model.write([prompt], max_new_tokens=max_new_tokens)
    points, form, flaws = parse_points(replies[0]["text"], max_points, replies[0]["prompt"])
    return {
        "points": points,
        "steps": [
            {
                "node": "critique",
                "seconds": replies[0]["seconds"],
                "replies": replies,
                "points": points,
                "critique_format": form,
                "critique_flaws": flaws,
            }
        ],
    }


def parse_points(reply: str, max_points: int, prompt: str = "") -> Points:
    """Read the numbered points of a critique.

    A small model often forgets the numbers: its paragraphs are then taken as points, and the form
    is recorded as "free", so that a report can say how often the format was missed. Flaws are named
    and nothing more: the pipeline goes on with what was written, so that its cost shows.
    """
    text = clean(reply)
    if not text:
        return Points([], "empty", ["empty"])
    if _NOTHING.fullmatch(text):
        return Points([], "none", [])
    lines = [match["point"].strip() for match in map(_NUMBERED.match, text.split("\n")) if match]
    if not lines:
        paragraphs = [" ".join(part.split()) for part in text.split("\n\n") if part.strip()]
        return _points(paragraphs, "free", ["unnumbered"], max_points, prompt)
    points = [line for line in lines if not _NOTHING.fullmatch(line)]
    if not points:
        return Points([], "none", [])
    denied = len(points) < len(lines) or any(map(_NOTHING.fullmatch, text.split("\n")))
    return _points(points, "numbered", ["contradictory"] if denied else [], max_points, prompt)


def _points(found: list[str], form: str, flaws: list[str], limit: int, prompt: str) -> Points:
    points = found[:limit]
    if len(found) > limit:
        flaws.append("too many")
    if any(_repeats(point, prompt) for point in points):
        flaws.append("repeats the prompt")
    return Points(points, form, flaws)


def _repeats(point: str, prompt: str) -> bool:
    words = _WORD.findall(point.lower())
    given = " ".join(_WORD.findall(prompt.lower()))
    return len(words) >= _MIN_WORDS and f" {' '.join(words)} " in f" {given} "
