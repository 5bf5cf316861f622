"""Turns of a conversation in a reply: the model's own label, and the run-on into the next turn.

Many models do not stop after their answer: they go on with the next speaker's turn. A line that
starts like a turn can as well belong to the answer. So a line begins a run-on only if it reads as
its speaker would, nothing around it shows that it belongs to the answer, and all that follows reads
as a dialogue. Where that cannot be told, the text stays. Labels are English.

A line that begins a turn, outside code:

| kind | speaker | it reads as a turn if | example |
|---|---|---|---|
| label | user | `User`, `Human`: it asks, requests or thanks | `User: How do I sort it?` |
| label | question | `Question`, `Q`: it is a sentence, and the reply does not answer it below | `Question 2: Why?` |
| label | question | `Task`, `Problem 2`: the same, it requests, and it begins a paragraph | `Task: Sort it.` |
| label | task | always; `Exercise` needs a number | `Exercise 2: Sort a list.` |
| label | assistant | it is a sentence | `Assistant: Is there more?` |
| label | result | never by itself; it goes on with a dialogue | `Answer: 5` |
| heading | any | a colon or text follows at once, and the reply has no headings of its own | `### Instruction:` |
| bare | any | it follows a full stop, and a sentence follows | `user` |
| any | any | nothing follows at all | `Human:` |

It belongs to the answer all the same in these cases:

| case | example |
|---|---|
| it is the first line, or a line that ends with a colon or a bracket or is a title is before it | `It prints:` `User: hi, how are you?` |
| the answer names its label before, in the same case | `print("User: hi")` `User: hi, how are you?` |
| it is one of several lines of the user that ask nothing | `User: enter a name` `User: enter an age` |
| it is a task of a list: the first, one after another task that the answer names, or one with its solution | `Task A is easy.` `Task 2: Sort it.` |
| a setting is beside it, and it asks nothing | `Host: x.org` `User: show me` |
| it goes on with turns that stay, or an earlier one of its speaker stays | `User: git` `Assistant: gpt` |
| a paragraph follows that no speaker said | `User: How?` *blank* `The program then ends.` |
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from nodes.control_tokens import before_next_token, without_leading_tokens
from nodes.labels import SPEAKERS, is_setting, own_label_end, role_of
from nodes.markdown_code import CodeSpans

_SPEECH = re.compile(
    r"\?|^(?:thank|thx|ok|hi\b|hello|hey|yes\b|no\b|great|good|nice|cool|sort|write|explain|show"
    r"|give|make|add|use|tell|help|fix|create|implement|convert|change)"
    r"|\b(?:please|thanks)\b",
    re.IGNORECASE,
)
"""Marks of what a user says: a question, a request or thanks."""
_SPEECH_IN_SENTENCE = re.compile(
    r"(?i:\b(?:my|me|you|your|we|our|how|what|why|which|now|can|could)\b)|\bI\b"
)
"""Marks of it if they are in a sentence: `User: your name` is none."""
_REQUEST = re.compile(
    r"(?:write|implement|create|given|reverse|sort|find|explain|design|define|compute|calculate|print"
    r"|return|count|convert|build|make|remove|generate|determine|what|how|why)\b",
    re.IGNORECASE,
)
_FIRST_OF_LIST = re.compile(r"\W*(?:Task|Problem) 1\b")
_EARLIER_TASK = re.compile(r"\b(?i:task|problem) (?:\d|[A-H]\b)")
"""A task that the answer names before, with a colon or without."""
_MENTION = re.compile(rf"\b({'|'.join(SPEAKERS)})\b['\"\])*_]{{0,3}} ?[:\uff1a]", re.IGNORECASE)
_RULE = re.compile(r" {0,3}(?:-{3,}|\*{3,}|_{3,})\s*")
_SYSTEM_TURN = re.compile(r"\W{0,9}System\W{1,6}You are .*")
_PROSE = re.compile(r"[A-Za-z\"'`*(]")
"""The start of a paragraph that is no list, quotation or code."""
_MIN_WORDS = 4
"""A text of fewer words without a mark at its end is no sentence: `Question: name`."""
_MAX_LABELS = 20


class _Line(NamedTuple):
    """A line of a reply that is not blank."""

    number: int
    text: str
    is_code: bool
    after_blank: bool


class _Turn(NamedTuple):
    """A line that names a speaker, with the lines up to the next such line."""

    kind: str
    """label, heading or bare."""
    word: str
    """Its role as the line spells it."""
    value: str
    """The text after the role in its line."""
    is_marked: bool
    """Whether a label is bold or numbered, or a heading has a colon."""
    position: int
    """The index of its line among the lines that are not blank."""
    body: Sequence[_Line]
    """The lines after it."""

    @property
    def role(self) -> str:
        """As a key of `SPEAKERS`."""
        return self.word.lower()

    @property
    def speaker(self) -> str:
        """The speaker of its role."""
        return SPEAKERS[self.role]

    @property
    def speech(self) -> str:
        """The text after the role, or else the next line."""
        return self.value.strip() or (self.body[0].text.strip() if self.body else "")

    @property
    def has_prose(self) -> bool:
        """Whether a paragraph of prose comes after its first paragraph."""
        later = self.body if self.value.strip() else self.body[1:]
        return any(
            line.after_blank and not line.is_code and _PROSE.match(line.text) for line in later
        )


def own_turn(text: str) -> str:
    """Return the part of a reply that is the model's own turn.

    The label of the turn (`Assistant:`) is left out, and so is everything from the first turn of
    another speaker on. If the reply begins with a copy of the user's turn, the turn after it is the
    model's own. The cut leaves no answer empty.
    """
    text = without_label(_without_echo(without_label(text)))
    turn = before_next_token(text)
    turn = "\n".join(turn.split("\n")[: _run_on_start(turn)])
    return turn if turn == text else _without_left_over(turn)


def _without_left_over(text: str) -> str:
    """Return a text that was cut without the lines at its end that belong to the next turn."""
    lines = text.split("\n")
    while len(lines) > 1:
        before, line = lines[-2:]
        # Dashes right below a word make its line a heading.
        is_heading = "-" in line and before.rstrip()[-1:].isalnum()
        is_rule = _RULE.fullmatch(line) and not is_heading
        if line.strip() and not is_rule and not _SYSTEM_TURN.fullmatch(line):
            break
        lines.pop()
    return "\n".join(lines)


def without_label(text: str) -> str:
    """Return a reply without the label of the model's own turn, as `Assistant:`."""
    text = without_leading_tokens(text.lstrip())
    for _ in range(_MAX_LABELS):
        end = own_label_end(text)
        if not end:
            break
        text = without_leading_tokens(text[end:].lstrip())
    return text


def _without_echo(text: str) -> str:
    """Return a reply without the copy of the user's turn that it begins with."""
    lines = _lines(text)
    turns = _turns(lines)
    if len(turns) < 2 or turns[0].position or turns[0].speaker not in ("user", "task"):
        return text
    first, reply = turns[:2]
    starts = ("assistant", "result") if first.speaker == "task" else ("assistant",)
    is_separate = first.kind != "label" or lines[reply.position].after_blank or "?" in first.speech
    if reply.speaker not in starts or not (is_separate or first.role == "instruct"):
        return text
    rest = text.split("\n")[lines[reply.position].number + 1 :]
    return "\n".join([reply.value, *rest]).strip() or text


def _run_on_start(text: str) -> int:
    """Return the number of the line where another turn begins, or the number of lines."""
    lines = _lines(text)
    turns = _turns(lines)
    mentions = _first_mentions(lines, turns)
    answer_roles: set[str] = set()
    end_of_answer_turn = 0
    for turn, reads_on in zip(turns, _read_as_dialogue(lines, turns), strict=True):
        if turn.speaker == "result" and turn.kind == "label":
            continue
        is_mentioned = turn.kind == "label" and mentions.get(turn.word, len(lines)) < turn.position
        goes_on = is_mentioned or turn.role in answer_roles or turn.position == end_of_answer_turn
        if not goes_on and reads_on and _begins_run_on(lines, turn):
            return lines[turn.position].number
        answer_roles.add(turn.role)
        end_of_answer_turn = 0 if turn.has_prose else turn.position + len(turn.body) + 1
    return text.count("\n") + 1


def _first_mentions(lines: Sequence[_Line], turns: Sequence[_Turn]) -> dict[str, int]:
    """Return the position of the first line within which a label stands, for each spelling.

    `User:` is a label of the answer then, and the key `user:` says nothing about it.
    """
    starts = {turn.position for turn in turns}
    mentions: dict[str, int] = {}
    for position, line in enumerate(lines):
        if position not in starts:
            for word in _MENTION.findall(line.text):
                mentions.setdefault(word, position)
    return mentions


def _lines(text: str) -> list[_Line]:
    code = CodeSpans(text)
    lines: list[_Line] = []
    position, after_blank = 0, False
    for number, line in enumerate(text.split("\n")):
        if line.strip():
            lines.append(_Line(number, line, position in code, after_blank))
        after_blank = not line.strip()
        position += len(line) + 1
    return lines


def _turns(lines: Sequence[_Line]) -> list[_Turn]:
    starts = [
        (index, role)
        for index, line in enumerate(lines)
        if not line.is_code and (role := role_of(line.text))
    ]
    ends = [index for index, _ in starts[1:]] + [len(lines)]
    return [
        _Turn(*role, index, lines[index + 1 : end])
        for (index, role), end in zip(starts, ends, strict=False)
    ]


def _read_as_dialogue(lines: Sequence[_Line], turns: Sequence[_Turn]) -> list[bool]:
    """Tell for each turn whether all from it to the end of the reply reads as a dialogue."""
    results = []
    reads_on = True
    following: _Turn | None = None
    for number in range(len(turns) - 1, -1, -1):
        turn = turns[number]
        earlier = turns[number - 1] if number else None
        reads_on = reads_on and not _leaves_dialogue(lines, earlier, turn, following)
        results.append(reads_on)
        following = turn
    return results[::-1]


def _leaves_dialogue(
    lines: Sequence[_Line], earlier: _Turn | None, turn: _Turn, following: _Turn | None
) -> bool:
    """Tell whether text follows a turn that its speaker did not say."""
    if turn.kind != "label":
        return turn.kind == "heading" and any(
            line.text.startswith("#") and not line.is_code for line in turn.body
        )
    if turn.speaker == "question" and _is_answered(turn, following):
        return True
    if following and following.role == turn.role:
        asks = "?" in turn.value + following.value
        is_list = turn.speaker == "user" and not turn.body and not asks
        if is_list or turn.role in ("task", "problem"):
            return True
    is_replied = following is not None and following.speaker in ("assistant", "result")
    if is_replied or not turn.has_prose:
        return False
    if turn.speaker not in ("assistant", "result") or not earlier:
        return True
    return earlier.speaker != "task" and not lines[turn.position].after_blank


def _is_answered(turn: _Turn, following: _Turn | None) -> bool:
    """Tell whether the reply answers its own question, as in an FAQ."""
    has_text = any(not line.after_blank for line in turn.body) and bool(turn.value.strip())
    has_result = following is not None and following.speaker == "result"
    is_pair = has_result and (turn.is_marked or turn.role in ("q", "task", "problem"))
    return has_text or turn.has_prose or is_pair


def _begins_run_on(lines: Sequence[_Line], turn: _Turn) -> bool:
    if not turn.position or _is_introduced(lines, turn) or _is_beside_setting(lines, turn):
        return False
    if turn.kind == "heading":
        before = lines[: turn.position]
        has_headings = any(line.text.startswith("#") and not line.is_code for line in before)
        is_followed = not turn.body or not turn.body[0].after_blank
        return not has_headings and (turn.is_marked or is_followed)
    if turn.kind == "bare":
        return _is_bare_turn(lines, turn)
    if turn.role in ("task", "problem"):
        line = lines[turn.position]
        is_request = line.after_blank and bool(_REQUEST.match(turn.speech))
        return is_request and not _is_in_list_of_tasks(lines, turn)
    if turn.speaker == "task" or (turn.position == len(lines) - 1 and not turn.value.strip()):
        return True
    if turn.speaker == "question" and turn.speech[:1].islower() and "?" not in turn.speech:
        return False
    return _is_speech(turn.speech) if turn.speaker == "user" else _is_sentence(turn.speech)


def _is_in_list_of_tasks(lines: Sequence[_Line], turn: _Turn) -> bool:
    """Tell whether a task is the first of a list, or the answer names another one before it."""
    before = lines[: turn.position]
    is_first = bool(_FIRST_OF_LIST.match(lines[turn.position].text))
    return is_first or any(_EARLIER_TASK.search(line.text) for line in before)


def _is_bare_turn(lines: Sequence[_Line], turn: _Turn) -> bool:
    """Tell whether a word that is a line begins a turn, and is not a word of a list or sentence."""
    before = lines[turn.position - 1].text.rstrip()
    if not lines[turn.position].after_blank and before[-1] not in ".!?`)]}\"'*~":
        return False
    if turn.position == len(lines) - 1:
        return not before.strip().isidentifier()
    if not turn.body:
        return False
    is_next = not turn.body[0].after_blank
    return _is_speech(turn.speech) or (is_next and _is_sentence(turn.speech))


def _is_introduced(lines: Sequence[_Line], turn: _Turn) -> bool:
    """Tell whether the line before announces the turn, or the turn of the system above it."""
    position = turn.position - 1
    while position and _SYSTEM_TURN.fullmatch(lines[position].text):
        position -= 1
    line = lines[position]
    before = line.text.strip()
    if line.is_code:
        return False
    if before[-1] in ":{[(,":
        return turn.role != "instruct" or not _is_sentence(turn.speech)
    is_bold = before.startswith("**") and before.endswith("**") and before[-3:-2] not in ".!?"
    is_title = before.startswith("#") or (is_bold and not _RULE.fullmatch(before))
    return turn.kind != "heading" and is_title


def _is_beside_setting(lines: Sequence[_Line], turn: _Turn) -> bool:
    """Tell whether a key with its value is in the line before or after."""
    if turn.kind == "heading" or "?" in turn.value:
        return False
    after = turn.body[0] if turn.body else None
    before = None if lines[turn.position].after_blank else lines[turn.position - 1]
    return any(line and not line.is_code and is_setting(line.text) for line in (before, after))


def _is_speech(text: str) -> bool:
    if is_setting(text):
        return False
    return bool(_SPEECH.search(text) or (_is_sentence(text) and _SPEECH_IN_SENTENCE.search(text)))


def _is_sentence(text: str) -> bool:
    words = text.split()
    if not words or is_setting(text):
        return False
    return (
        len(words) >= _MIN_WORDS
        or words[-1][-1] == "?"
        or (len(words) > 1 and words[-1][-1] in ".!")
    )
