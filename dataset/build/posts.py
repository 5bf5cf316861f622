"""From the attributes of one post to a question or an answer, or the reason why it is neither."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from dataset.build.selection import Selection, parse_tags

MAX_FIELD = 16 * 1024 * 1024
"""Characters of one field, the same cap as where corpora are read."""
MAX_ID = 2**63 - 1
NEEDED = ("Id", "PostTypeId", "ParentId", "CreationDate", "Score", "Body", "Title", "Tags")
COLUMNS = (
    *NEEDED,
    "AcceptedAnswerId",
    "OwnerUserId",
    "OwnerDisplayName",
    "ContentLicense",
)
DAMAGED = "\ufdd0"
"""Stands where a dump holds bytes that are no text: a code point that no text uses."""

_NUMBER = re.compile(r"-?[0-9]{1,19}")


@dataclass(frozen=True, slots=True)
class Post:
    """One post that passed the selection; the fields are those of the parquet parts."""

    id: int
    parent: int
    """Of an answer: its question. Of a question: its accepted answer. Either may be 0."""
    score: int
    day: str
    title: str
    tags: str
    body: str
    author: str
    licence: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """A post that is left out."""

    reason: str
    question: int = 0
    """Its id where it is a question with a good one: its answers have a parent, but no kept one."""


class Sorter:
    """Tells questions, answers and rejects apart by one selection."""

    def __init__(self, selection: Selection, site: str) -> None:
        self._selection, self._site = selection, site
        # Of the whole input, whatever the selection leaves of it.
        self.questions = self.answers = 0

    def sort(self, row: Mapping[str, str]) -> tuple[str, Post] | Rejected:
        """Return ("question" or "answer", post), or why the row is left out."""
        kind = {"1": "question", "2": "answer"}.get(row.get("PostTypeId", ""), "")
        self.questions += kind == "question"
        self.answers += kind == "answer"
        if damage := _damage(row):
            return Rejected(damage)
        if not kind:
            return Rejected("neither question nor answer")
        number = parse_id(row.get("Id", ""))
        if not number:
            return Rejected("bad id")
        made = self._question(row, number) if kind == "question" else self._answer(row, number)
        if isinstance(made, Post):
            return kind, made
        return Rejected(made, number if kind == "question" else 0)

    def _question(self, row: Mapping[str, str], number: int) -> Post | str:
        selection = self._selection
        day = parse_day(row.get("CreationDate", ""))
        score = parse_score(row.get("Score", ""))
        if day is None:
            return "bad creation date"
        if score is None:
            return "bad score"
        if day < selection.since:
            return "question too old"
        if score < selection.min_question_score:
            return "question score too low"
        tags = parse_tags(row.get("Tags", ""))
        if not selection.wants(tags):
            return "tag not wanted"
        if not row.get("Title", "").strip():
            return "empty title"
        accepted = parse_id(row.get("AcceptedAnswerId", "")) or 0
        return self._post(row, number, accepted, score, "|".join(tags))

    def _answer(self, row: Mapping[str, str], number: int) -> Post | str:
        day = parse_day(row.get("CreationDate", ""))
        score = parse_score(row.get("Score", ""))
        parent = parse_id(row.get("ParentId", "")) or 0
        if day is None:
            return "bad creation date"
        if score is None:
            return "bad score"
        if score < self._selection.min_answer_score:
            return "answer score too low"
        if not parent:
            return "answer without a question id"
        return self._post(row, number, parent, score, "")

    def _post(
        self, row: Mapping[str, str], number: int, parent: int, score: int, tags: str
    ) -> Post | str:
        if not row.get("Body", "").strip():
            return "empty body"
        created = row["CreationDate"].strip()
        return Post(
            id=number,
            parent=parent,
            score=score,
            day=created,
            title=row.get("Title", ""),
            tags=tags,
            body=row["Body"],
            author=author(row.get("OwnerDisplayName", ""), row.get("OwnerUserId", ""), self._site),
            licence=row.get("ContentLicense", "").strip() or licence_by_date(created),
        )


def _damage(row: Mapping[str, str]) -> str:
    for text in row.values():
        if len(text) > MAX_FIELD:
            return f"field above {MAX_FIELD} characters"
        if DAMAGED in text:
            return "bytes that are no text"
    return ""


def parse_id(text: str) -> int | None:
    """Return an id from 1 to 2^63 - 1, else None."""
    text = text.strip()
    if not _NUMBER.fullmatch(text):
        return None
    return number if 0 < (number := int(text)) <= MAX_ID else None


def parse_score(text: str) -> int | None:
    """Return a score that fits into 64 bits, else None."""
    text = text.strip()
    if not _NUMBER.fullmatch(text):
        return None
    return number if abs(number := int(text)) <= MAX_ID else None


def parse_day(text: str) -> date | None:
    """Return the day of `2020-01-31T12:00:00.000` or the like, else None."""
    try:
        return date.fromisoformat(text.strip()[:10])
    except ValueError:
        return None


def author(name: str, user: str, site: str) -> str:
    """Return a display name, else the address of the user's profile, else nothing."""
    if name := name.strip():
        return name
    number = parse_id(user)
    return f"https://{site}/users/{number}" if number else ""


def licence_by_date(created: str) -> str:
    """Return the licence under which a post of this day was given.

    Source: the dates of change that Stack Exchange names in its licensing help page.
    """
    day = parse_day(created)
    if day is None:
        return ""
    if day < date(2011, 4, 8):
        return "CC BY-SA 2.5"
    return "CC BY-SA 3.0" if day < date(2018, 5, 2) else "CC BY-SA 4.0"
