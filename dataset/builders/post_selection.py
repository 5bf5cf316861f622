"""The selection of posts: the conditions of the original query, as options."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Selection:
    """The conditions on a question and an answer; the defaults are the original's."""

    since: date = date(2020, 1, 1)
    """The first day (UTC) on which a question may have been posted."""
    min_question_score: int = 5
    min_answer_score: int = 5
    tags: tuple[str, ...] = ("python", "javascript", "java")
    """A question needs one of them; lower case."""
    like_original: bool = False
    """Whether a part of a tag's name is enough, as with LIKE '%java%'."""
    limit: int | None = 20_000
    """The most answers: those with the highest scores, ties by question id, then answer id."""

    def matches(self, tags: Collection[str]) -> bool:
        """Tell whether a question with these tags passes."""
        if self.like_original:
            joined = "|".join(tags)
            return any(tag in joined for tag in self.tags)
        return any(tag in tags for tag in self.tags)
