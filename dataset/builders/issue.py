"""The parser of a GitHub issue with its comments: a question and the best-liked answer."""

import re
from collections.abc import Collection, Mapping
from typing import NamedTuple

from dataset.builders.json_values import Damage
from graph.support.table_values import is_missing
from graph.support.text import is_unicode

POSITIVE_REACTIONS = ("+1", "heart", "hooray")
_BOT_SUFFIXES = ("[bot]", "-bot", "-robot")
_BOTS = {
    "ansibot",
    "bors",
    "codecov-commenter",
    "codecov-io",
    "coveralls",
    "dependabot",
    "github-actions",
    "googlebot",
    "homeassistant",
    "mary-poppins",
    "meeseeksmachine",
    "msftbot",
    "pep8speaks",
    "pytorchbot",
    "pytorchmergebot",
    "spring-issuemaster",
    "stale",
    "vscodebot",
}
"""Accounts of programs that are not recognisable by their type or the end of their name."""
_GHOST = "ghost"
"""GitHub's name for the author of a post whose account is deleted."""
_REPOSITORY = re.compile(r"(?:github\.com/(?:repos/)?)?([\w.-]+/[\w.-]+?)(?:/.*|\.git)?", re.ASCII)
_NUMBER = re.compile(r"/issues/([0-9]{1,12})(?:[/#?].*)?$")
_PULL_REQUEST_NAMES = {"pr", "pull", "pulls", "pullrequest", "pullrequests"}
"""The words for a pull request, in lower case and without other characters than letters."""
_DISCUSSION_NAMES = {"discussion", "discussions"}
_ADDRESS_OF = re.compile(
    r"(?:https?://)?[^/]+(?:/api/v3)?(?:/repos)?/[^/]+/[^/]+/(pull|discussion)s?/[0-9]+(?![\w-]).*",
    re.IGNORECASE | re.DOTALL,
)
"""The address of a pull request or of a discussion, or of a part of it: `/pull/7.patch`."""
_ADDRESSES = ("html_url", "url", "comments_url")
_PULL_REQUEST_NODES = ("PR_", "MDExOlB1bGxSZXF1ZXN0")
_DISCUSSION_NODES = ("D_", "MDEwOkRpc2N1c3Npb24")
"""How GitHub's node ids begin: the newer ones, and the older ones in base64 (`010:Discussion`)."""


class Issue(NamedTuple):
    """One row of the table."""

    eval_id: str
    question: str
    answer: str
    repository: str
    url: str
    issue_number: int


def parse_issue(value: object, repositories: Collection[str] = ()) -> Issue | str:
    """Return the row of an issue, or the reason why it is left out.

    Args:
        value: A JSON value: an issue of GitHub's API with its comments in `comments_details`.
        repositories: The repositories to keep, in lower case; empty to keep all.
    """
    if isinstance(value, Damage):
        return value.reason
    if not isinstance(value, dict):
        return "not an issue"
    if other := _other_kind(value):
        return other
    repository, number = _repository(value), _issue_number(value)
    if not (repository and number):
        return "no repository or number"
    if repositories and repository.lower() not in repositories:
        return "repository not wanted"
    texts = _texts(value)
    if isinstance(texts, str):
        return texts
    url = f"https://github.com/{repository}/issues/{number}"
    return Issue(f"{repository}#{number}", *texts, repository, url, number)


def _texts(issue: Mapping[str, object]) -> tuple[str, str] | str:
    question = f"{_text(issue, 'title').strip()}\n\n{_text(issue, 'body').strip()}".strip()
    if not question:
        return "empty question"
    answer = best_answer(issue)
    if not answer:
        return "no answer by another person"
    return (question, answer) if is_unicode(question + answer) else "text that is no Unicode"


def replies(issue: Mapping[str, object]) -> list[str]:
    """Return the comments of others than the asker and bots, in their order."""
    comments = issue.get("comments")
    return [
        body
        for comment in (comments if isinstance(comments, list) else [])
        if isinstance(comment, dict)
        and (body := _text(comment, "body").strip())
        and not _is_bot(comment)
        and _is_by_another(issue, comment)
    ]


def best_answer(issue: Mapping[str, object]) -> str:
    """Return the comment with the most +1, heart and hooray reactions, the earliest of equals.

    Empty comments and those by the asker or a bot do not count; without others the result is empty.
    """
    comments = issue.get("comments_details")
    if not isinstance(comments, list):
        comments = issue.get("comments")
    ranked = [
        (-_likes(comment), _text(comment, "created_at") or "9999", index)
        for index, comment in enumerate(comments if isinstance(comments, list) else [])
        if isinstance(comment, dict)
        and _text(comment, "body").strip()
        and not _is_bot(comment)
        and _is_by_another(issue, comment)
    ]
    if not ranked or not isinstance(comments, list):
        return ""
    return _text(comments[min(ranked)[2]], "body").strip()


def _is_by_another(issue: Mapping[str, object], comment: Mapping[str, object]) -> bool:
    asker, writer = _login(issue), _login(comment)
    if asker:
        return writer != asker
    # Without the asker's name, only a different association with the project proves another person.
    asker_role = _text(issue, "author_association")
    writer_role = _text(comment, "author_association")
    return bool(asker_role and writer_role) and asker_role != writer_role


def _is_bot(comment: Mapping[str, object]) -> bool:
    user = comment.get("user")
    if isinstance(user, dict) and _text(user, "type").lower() == "bot":
        return True
    login = _login(comment)
    return login.endswith(_BOT_SUFFIXES) or login in _BOTS


def _login(entry: Mapping[str, object]) -> str:
    """Return the author's account name in lower case; empty if it is unknown."""
    user = entry.get("user")
    login = _text(user, "login") if isinstance(user, dict) else _text(entry, "user")
    login = login.strip().lower()
    return "" if login == _GHOST else login


def _likes(comment: Mapping[str, object]) -> int:
    reactions = comment.get("reactions")
    if not isinstance(reactions, dict):
        return 0
    counts = [reactions.get(name) for name in POSITIVE_REACTIONS]
    return sum(count for count in counts if isinstance(count, int) and count > 0)


def _repository(issue: Mapping[str, object]) -> str:
    for name in ("repository_url", "html_url", "url", "repository", "repo"):
        text = _text(issue, name).strip().removeprefix("https://").removeprefix("api.")
        if match := _REPOSITORY.fullmatch(text):
            return match[1]
    return ""


def _other_kind(issue: Mapping[str, object]) -> str:
    """Return "pull request" or "discussion" by any mark of one; empty for an issue."""
    marks = {
        re.sub("[^a-z]", "", _text(issue, name).lower())
        for name in ("issue_or_pr", "type", "__typename")
    }
    matches = (_ADDRESS_OF.fullmatch(_text(issue, name).strip()) for name in _ADDRESSES)
    marks.update(match[1].lower() for match in matches if match)
    node = _text(issue, "node_id").strip()
    if (
        any(_has(issue, name) for name in ("pull_request", "diff_url", "patch_url"))
        or marks & _PULL_REQUEST_NAMES
        or node.startswith(_PULL_REQUEST_NODES)
    ):
        return "pull request"
    if marks & _DISCUSSION_NAMES or node.startswith(_DISCUSSION_NODES):
        return "discussion"
    return ""


def _has(issue: Mapping[str, object], name: str) -> bool:
    value = issue.get(name)
    return not is_missing(value) if isinstance(value, str) else bool(value)


def _issue_number(issue: Mapping[str, object]) -> int:
    number = issue.get("number", issue.get("issue_number"))
    if isinstance(number, int) and not isinstance(number, bool) and 0 < number < 10**12:
        return number
    for name in ("html_url", "url"):
        if match := _NUMBER.search(_text(issue, name)):
            return int(match[1])
    return 0


def _text(entry: Mapping[str, object], name: str) -> str:
    value = entry.get(name)
    return value if isinstance(value, str) else ""
