"""critique: name what is wrong with the current answer."""

import re
from typing import NamedTuple

from nodes.model import TextModel
from nodes.prompting import ask
from nodes.replies import clean
from nodes.state import Critiqued, State
from prompts import critique as texts

_NUMBERED = re.compile(r"^\s*(?:\d{1,2}[.):]|[-*•])\s+(?P<point>\S.*)$")
_NOTHING = re.compile(
    r"\W*(?:there are )?no (?:problems?|issues?|errors?)"
    r"(?: (?:were |was )?(?:found|here|at all))?(?: (?:in|with) (?:it|this|the (?:draft|answer)))?\W*",
    re.IGNORECASE,
)


class Points(NamedTuple):
    """What a critique said, and in which form: numbered, free, none or empty."""

    points: list[str]
    format: str


def critique(state: State, *, model: TextModel, max_points: int, max_new_tokens: int) -> Critiqued:
    """List at most `max_points` problems of the current answer; an empty list ends the refining."""
    prompt = ask(state, texts.CRITIQUE, {"max_points": str(max_points)}, draft=state["answer"])
    replies = model.write([prompt], max_new_tokens=max_new_tokens)
    points, form = parse_points(replies[0]["text"], max_points)
    return {
        "points": points,
        "steps": [
            {
                "node": "critique",
                "seconds": replies[0]["seconds"],
                "replies": replies,
                "points": points,
                "critique_format": form,
            }
        ],
    }


def parse_points(reply: str, max_points: int) -> Points:
    """Read the numbered points of a critique.

    A small model often forgets the numbers: its paragraphs are then taken as points, and the form
    is recorded as "free", so that a report can say how often the format was missed.
    """
    text = clean(reply)
    if not text:
        return Points([], "empty")
    if _NOTHING.fullmatch(text):
        return Points([], "none")
    lines = [match["point"].strip() for match in map(_NUMBERED.match, text.split("\n")) if match]
    if lines:
        points = [line for line in lines if not _NOTHING.fullmatch(line)]
        return Points(points[:max_points], "numbered" if points else "none")
    paragraphs = [" ".join(part.split()) for part in text.split("\n\n") if part.strip()]
    return Points(paragraphs[:max_points], "free")
