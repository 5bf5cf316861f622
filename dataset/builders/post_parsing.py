"""The parser of posts: from the attributes of one post in a dump to a question or an answer."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from dataset.builders.post_selection import Selection
from dataset.tags import parse_tags
from graph.support.table_files import MAX_FIELD

MAX_ID = 2**63 - 1
REQUIRED_COLUMNS = (
    "Id",
    "PostTypeId",
    "ParentId",
    "CreationDate",
    "Score",
    "Body",
    "Title",
    "Tags",
)
POST_COLUMNS = (
    *REQUIRED_COLUMNS,
    "AcceptedAnswerId",
    "OwnerUserId",
    "OwnerDisplayName",
    "ContentLicense",
)
"""The attributes of a dump's rows that are read."""
DAMAGED = "\ufdd0"
"""The mark in place of bytes that are not text: a code point that Unicode reserves for no use."""

_INTEGER = re.compile(r"-?[0-9]{1,19}")
_KINDS = {"1": "question", "2": "answer"}


class DumpPost(NamedTuple):
    """A post that passed the selection; the fields are columns of the parquet parts."""

    id: int
    parent: int
    """The question of an answer; the accepted answer of a question. Either may be 0."""
    score: int
    created: str
    title: str
    tags: str
    body: str
    author: str
    licence: str


@dataclass(frozen=True, slots=True)
class RejectedPost:
    """A post that is left out."""

    reason: str
    question_id: int = 0
    """Its id if it is a question with a valid one: then its answers are not orphans."""


class PostParser:
    """Parses posts and rejects those that a selection leaves out."""

    def __init__(self, selection: Selection, site: str) -> None:
        self._selection, self._site = selection, site
        # The numbers in the whole input, before the selection.
        self.questions = self.answers = 0

    def parse(self, row: Mapping[str, str]) -> tuple[str, DumpPost] | RejectedPost:
        """Return the kind ("question" or "answer") and the post, or the reason of the rejection."""
        kind = _KINDS.get(row.get("PostTypeId", ""), "")
        self.questions += kind == "question"
        self.answers += kind == "answer"
        if damage := _damage(row):
            return RejectedPost(damage)
        if not kind:
            return RejectedPost("neither question nor answer")
        post_id = parse_id(row.get("Id", ""))
        if not post_id:
            return RejectedPost("bad id")
        is_question = kind == "question"
        post = self._question(row, post_id) if is_question else self._answer(row, post_id)
        if isinstance(post, DumpPost):
            return kind, post
        return RejectedPost(post, post_id if is_question else 0)

    def _question(self, row: Mapping[str, str], post_id: int) -> DumpPost | str:
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
        if not selection.matches(tags):
            return "tag not wanted"
        if not row.get("Title", "").strip():
            return "empty title"
        accepted_id = parse_id(row.get("AcceptedAnswerId", "")) or 0
        return self._post(row, post_id, accepted_id, score, "|".join(tags))

    def _answer(self, row: Mapping[str, str], post_id: int) -> DumpPost | str:
        score = parse_score(row.get("Score", ""))
        question_id = parse_id(row.get("ParentId", "")) or 0
        if parse_day(row.get("CreationDate", "")) is None:
            return "bad creation date"
        if score is None:
            return "bad score"
        if score < self._selection.min_answer_score:
            return "answer score too low"
        if not question_id:
            return "answer without a question id"
        return self._post(row, post_id, question_id, score, "")

    def _post(
        self, row: Mapping[str, str], post_id: int, parent: int, score: int, tags: str
    ) -> DumpPost | str:
        if not row.get("Body", "").strip():
            return "empty body"
        created = row["CreationDate"].strip()
        user_id = row.get("OwnerUserId", "")
        return DumpPost(
            id=post_id,
            parent=parent,
            score=score,
            created=created,
            title=row.get("Title", ""),
            tags=tags,
            body=row["Body"],
            author=author_or_profile(row.get("OwnerDisplayName", ""), user_id, self._site),
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
    if not _INTEGER.fullmatch(text):
        return None
    return number if 0 < (number := int(text)) <= MAX_ID else None


def parse_score(text: str) -> int | None:
    """Return a score that fits into 64 bits, else None."""
    text = text.strip()
    if not _INTEGER.fullmatch(text):
        return None
    return number if abs(number := int(text)) <= MAX_ID else None


def parse_day(text: str) -> date | None:
    """Return the day of `2020-01-31T12:00:00.000` or a similar time, else None."""
    try:
        return date.fromisoformat(text.strip()[:10])
    except ValueError:
        return None


def author_or_profile(name: str, user_id: str, site: str) -> str:
    """Return a display name, else the address of the user's profile, else the empty text."""
    if name := name.strip():
        return name
    number = parse_id(user_id)
    return f"https://{site}/users/{number}" if number else ""


def licence_by_date(created: str) -> str:
    """Return the licence of a post of this day; the empty text if it is not a day.

    Source: the dates of change that Stack Exchange names in its licensing help page.
    """
    day = parse_day(created)
    if day is None:
        return ""
    if day < date(2011, 4, 8):
        return "CC BY-SA 2.5"
    return "CC BY-SA 3.0" if day < date(2018, 5, 2) else "CC BY-SA 4.0"
