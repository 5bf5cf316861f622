"""Turns of a conversation in a reply: the model's own label, and the run-on into the next turn.

Many models do not stop after their answer: they go on with the next speaker's turn. A line that
starts like a turn can as well belong to the answer: a setting (`User: git`), a line of a log, a
question of an FAQ. So the lines around it decide.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from nodes.markdown_code import CodeSpans

_ASSISTANT = frozenset(["Assistant", "ASSISTANT", "AI", "Bot", "Chatbot"])
_RESULTS = frozenset(["Answer", "A", "Output", "Response"])
"""Labels that answers use for results: they begin no turn."""
_SURE = frozenset(["Human", "HUMAN", "Instruct", "Assistant", "ASSISTANT", "Exercise"])
"""Labels that are rarely anything but a turn."""
_ECHOES = frozenset(["User", "USER", "Human", "HUMAN", "Instruct", "### Instruction", "user"])
"""Roles of a user's turn that a reply can repeat before its own."""
_LABEL = re.compile(
    r" {0,3}(?:\#{1,6} *)?(?:\*\*|__)?"
    r"(?P<role>User|USER|Human|HUMAN|Instruct|Question|Q|Assistant|ASSISTANT|AI|Bot|Chatbot"
    r"|Answer|A|Output|Response|(?:Follow-up )?(?P<exercise>Exercise)s?)"
    r"(?: \d{1,3}(?=[:.]))?(?::|(?<=\d)\.)(?:\*\*|__)?(?P<value>.*)"
)
_HEADING_ROLE = re.compile(r"\#{2,4} *(?P<role>Instruction|Human|Assistant|Response|User):? *")
_BARE_ROLE = re.compile(r"(?P<role>user|assistant|system|human) *")
_TOKEN = re.compile(
    r"<\|(?:im_start|im_end|im_sep|user|assistant|system|end|endoftext|eot_id|eom_id|end_of_text"
    r"|begin_of_text|start_header_id|end_header_id|end_of_turn|start|return)\|>"
    r"|\[/?INST\]|<</?SYS>>|<(?:start|end)_of_turn>|<\uff5c[^\uff5c\n]{1,30}\uff5c>|</s>"
)
"""Control tokens that a model or a server wrote as text."""
_OWN_LABEL = re.compile(
    rf"(?:(?:{_TOKEN.pattern})"
    r"|(?:\*\*|__)?(?:Assistant|ASSISTANT|AI Assistant|AI|Bot|Chatbot|Answer):(?:\*\*|__)?(?=\s|\Z)"
    r"|\#{2,4} *(?:Response|Assistant):? *(?=\n|\Z)|(?:assistant|model) *(?=\n|\Z|<\|))"
)
_SETTING = re.compile(r"[ \t]*[A-Za-z_][\w.-]*(?: [\w.-]+)?[ \t]*[:=][ \t]*\S")
_FENCE = re.compile(r" {0,3}(?:```|~~~)")
_SENTENCE_WORDS = 4
"""A value of fewer words without a mark at its end reads as a setting: `User: git`."""
_MAX_LABELS = 20


class _Line(NamedTuple):
    """A line that is not blank, outside code."""

    number: int
    text: str
    role: str
    """The role that it names, or empty."""
    value: str
    """The text after the role."""
    previous: str
    """The line before it that is not blank; empty for the first."""
    following: str
    """The line after it that is not blank; empty for the last."""
    is_adjacent: bool
    """Whether no blank line is between `previous` and the line."""
    is_answered: bool
    """Whether a turn of the assistant comes after it."""


def own_turn(text: str) -> str:
    """Return the part of a reply that is the model's own turn.

    The label of the turn (`Assistant:`) is left out, and so is everything from the first turn of
    another speaker on. If the reply begins with a copy of the user's turn, the turn after it is the
    model's own. The cut leaves no answer empty.
    """
    text = without_label(text)
    lines = text.split("\n")
    if echo := _end_of_echo(_roles(lines)):
        text = "\n".join([echo.value, *lines[echo.number + 1 :]])
        lines = without_label(text).split("\n")
    return _before_token("\n".join(lines[: _first_turn(lines)]))


def without_label(text: str) -> str:
    """Return a reply without the label of the model's own turn, as `Assistant:`."""
    text = text.lstrip()
    for _ in range(_MAX_LABELS):
        label = _OWN_LABEL.match(text)
        if not label:
            break
        value, _, rest = text[label.end() :].partition("\n")
        if len(value.split()) == 1 and _is_setting(rest.partition("\n")[0]):
            break
        text = text[label.end() :].lstrip()
    return text


def _end_of_echo(lines: Sequence[_Line]) -> _Line | None:
    """Return the line where the model's own turn begins after a copy of the user's; None without."""
    if not lines or lines[0].previous or lines[0].role not in _ECHOES:
        return None
    if lines[0].role in ("User", "USER") and not _is_sentence(lines[0]):
        return None
    starts = _ASSISTANT | {"assistant", "### Assistant", "### Response"}
    if lines[0].role == "Instruct":
        starts |= {"Output"}
    return next((line for line in lines[1:] if line.role in starts), None)


def _first_turn(lines: Sequence[str]) -> int:
    """Return the number of the line where another turn begins, or the number of lines."""
    content_roles: set[str] = set()
    in_content = has_headings = False
    for line in _roles(lines):
        if not line.role:
            in_content = False
            has_headings = has_headings or line.text.startswith("#")
        elif line.role in _RESULTS:
            pass  # a result in the answer's own FAQ, or alone: what it belongs to goes on
        elif in_content or line.role in content_roles or _is_introduced(line):
            content_roles.add(line.role)
            in_content = True
        elif _is_turn(line, has_headings=has_headings):
            return line.number
        else:
            in_content = True
    return len(lines)


def _roles(lines: Sequence[str]) -> list[_Line]:
    """Return the lines outside code that are not blank, with their roles and neighbours."""
    rows: list[_Line] = []
    in_code = is_answered = False
    prose = []
    for number, text in enumerate(lines):
        if text.strip():
            prose.append((number, text, in_code or bool(_FENCE.match(text))))
        in_code ^= bool(_FENCE.match(text))
    for index in range(len(prose) - 1, -1, -1):
        number, text, is_code = prose[index]
        role, value = ("", "") if is_code else _role_of(text)
        before_number, before, _ = prose[index - 1] if index else (-1, "", False)
        after = prose[index + 1][1] if index + 1 < len(prose) else ""
        is_adjacent = before_number == number - 1
        rows.append(_Line(number, text, role, value, before, after, is_adjacent, is_answered))
        is_answered = is_answered or role in _ASSISTANT or role == "assistant"
    return rows[::-1]


def _role_of(text: str) -> tuple[str, str]:
    """Return the role that a line names and the text after it; both empty if it names none."""
    text = _TOKEN.sub("", text)
    if heading := _HEADING_ROLE.fullmatch(text):
        return f"### {heading['role']}", ""
    if label := _LABEL.fullmatch(text):
        return label["exercise"] or label["role"], label["value"]
    if bare := _BARE_ROLE.fullmatch(text):
        return bare["role"], ""
    return "", ""


def _is_introduced(line: _Line) -> bool:
    """Tell whether the line before announces the line: it is a heading, or it ends with a colon."""
    before = line.previous.strip()
    if not before:
        return True
    is_heading = before.startswith("#") or (before.startswith("**") and before.endswith("**"))
    return before.endswith(":") or (is_heading and not line.role.startswith("#"))


def _is_turn(line: _Line, *, has_headings: bool) -> bool:
    """Tell whether a line that names a role begins a turn."""
    if line.role.startswith("#"):
        return line.role not in ("### Response", "### User") or not has_headings
    if line.role.islower():
        return _is_bare_turn(line)
    settings_beside = _is_setting(line.following) or (
        line.is_adjacent and _is_setting(line.previous)
    )
    if line.role in _SURE:
        return _is_sentence(line) or not settings_beside
    if line.is_answered and line.role not in ("Question", "Q"):
        return True
    if not line.value.strip() and not line.following:
        return True
    return _is_sentence(line) and (not settings_beside or line.value.strip().endswith("?"))


def _is_bare_turn(line: _Line) -> bool:
    """Tell whether a line that is only a role begins a turn, and is no word of a list or sentence."""
    if line.is_answered and line.role != "assistant":
        return True
    ends_before = not line.is_adjacent or line.previous.rstrip()[-1] in ".!?`)]}\"'*"
    if not line.following:
        return ends_before and not line.previous.strip().isidentifier()
    return ends_before and _reads_as_sentence(line.following)


def _is_sentence(line: _Line) -> bool:
    """Tell whether the text after a role, or the next line if there is none, is a sentence."""
    return _reads_as_sentence(line.value.strip() or line.following)


def _reads_as_sentence(text: str) -> bool:
    words = text.split()
    if not words or _is_setting(text):
        return False
    return (
        len(words) >= _SENTENCE_WORDS
        or words[-1][-1] == "?"
        or (len(words) > 1 and words[-1][-1] in ".!")
    )


def _is_setting(text: str) -> bool:
    """Tell whether a line is a key with its value, and no label of a turn."""
    return bool(_SETTING.match(text)) and not _role_of(text)[0]


def _before_token(text: str) -> str:
    """Cut a text before the first control token that ends or begins a turn.

    A token within a sentence or in code is only mentioned.
    """
    code = CodeSpans(text)
    for token in _TOKEN.finditer(text):
        before, after = text[: token.start()].rstrip(" "), text[token.end() :].lstrip(" ")
        ends_line = not after or after[0] == "\n" or _TOKEN.match(after)
        begins_turn = before[-1:] in ("\n", ".", "!", "?", "`", ")", "}")
        is_strike = token[0] == "</s>" and "<s>" in before
        if token.start() not in code and not is_strike and (ends_line or begins_turn):
            return text[: token.start()] if before.strip() else text
    return text
