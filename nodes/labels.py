"""Labels of turns at the start of a line: `User:`, `**Question 2:**`, `### Response`."""

import re

SPEAKERS = {
    "user": "user",
    "human": "user",
    "question": "question",
    "q": "question",
    "task": "question",
    "problem": "question",
    "instruct": "task",
    "exercise": "task",
    "instruction": "task",
    "assistant": "assistant",
    "ai": "assistant",
    "bot": "assistant",
    "chatbot": "assistant",
    "system": "system",
    "answer": "result",
    "a": "result",
    "output": "result",
    "response": "result",
    "solution": "result",
}
"""The speaker of each role."""
_LABEL = re.compile(
    r" {0,3}(?:\#{1,6} *)?(?P<bold>\*{1,3}|_{1,3})?(?P<bracket>\[)?"
    r"(?P<role>[Uu]ser|USER|[Hh]uman|HUMAN|Instruct|Question|Q(?=\d{1,3}[:.].*\?)|Q(?!\d)|Task"
    r"|Problem(?= \d)|[Aa]ssistant|ASSISTANT|AI|Bot|Chatbot"
    r"|Answer|A|Output|Response|Solution|(?:Follow-up )?(?P<exercise>Exercise)(?:s|(?= \d)))"
    r"(?P<number> ?\d{1,3}(?=[:.]))?(?(bracket)\])"
    r"(?: ?(?:\*{1,3}|_{1,3})?[:\uff1a]|(?<=\d)\.)(?:\*{1,3}|_{1,3})?(?P<value>.*)"
)
"""A line with the label of any speaker and its value: `**Question 2:** Why?`."""
_HEADING_ROLE = re.compile(
    r"\#{3,4} *(?P<role>Instruction|Human|Assistant|Response|User)(?P<colon>:?) *"
)
"""A heading that is a role alone: `### Instruction:`."""
_BARE_ROLE = re.compile(r"(?P<role>user|assistant|system|human) *")
"""A line that is a role alone, where the tokens around it were left out: `user`."""
_OWN_LABEL = re.compile(
    r"(?P<mark>\*{1,3}|_{1,2})?(?P<bracket>\[)?(?:(?i:AI assistant|assistant|(?:final )?answer)"
    r"|(?P<weak>AI|Bot|Chatbot|A(?=[:*_]+ +\S+ +\S)(?!(?s:.*)\bB:)"
    r"|Response(?=[:*_]+ +[A-Z`'\"*]\S* +\S)))"
    r"(?(bracket)\](?!: *\S+:/))(?(mark)(?:[:\uff1a](?P=mark)|(?P=mark) ?[:\uff1a])| ?[:\uff1a])(?=\s|\Z|[A-Z`]|[^\x00-\x7f])"
)
"""The label of the model's own turn at the start of a reply: `**Assistant:**`, `Final answer:`."""
_OWN_HEADING = re.compile(
    r"\#{2,4} *(?:Response|Assistant|Answer)(?:: *(?=\n|\Z)| *\n(?=\S))"
    r"|(?P<section>\#{1,4} *(?:(?:Response|Assistant|Answer): *(?=\S)|(?:Final )?Answer *\n(?=\s*\S)))"
    r"|(?:assistant *\n|(?:Assistant|ASSISTANT|Answer|\*\*(?:Assistant|Answer)\*\*) *\n(?! *[a-z]))"
    r"(?=\s*\S+[ \t]+\S)"
)
"""A heading or line that is the label of the own turn, with text below: `### Response`, `Answer`.

A line in lower case right below a word goes on with its sentence: `Answer` `is a class.`
"""
_SETTING = re.compile(r"[ \t]*[A-Za-z_][\w.-]*(?: [\w.-]+)?[ \t]*[:=][ \t]*\S")
"""A key with its value: `role: admin`, `x = 1`."""


def own_label_end(text: str) -> int:
    """Return the length of the label of the model's own turn that a text begins with, or 0."""
    label = _OWN_LABEL.match(text)
    if label and not _is_entry(text, label):
        return label.end()
    heading = _OWN_HEADING.match(text)
    return heading.end() if heading and not (heading["section"] and "\n#" in text) else 0


def _is_entry(text: str, label: re.Match[str]) -> bool:
    """Tell whether a label is a key among others, or the name of a variable."""
    value, _, rest = text[label.end() :].partition("\n")
    next_line = rest.partition("\n")[0]
    is_variable = label[0].islower() and is_setting(value)
    return is_variable or is_setting(next_line) or bool(label["weak"] and _SETTING.match(next_line))


def role_of(text: str) -> tuple[str, str, str, bool] | None:
    """Return the label of a line that names a speaker, as `**User:** hi`, or None.

    Returns:
        Its kind (label, heading or bare), the role as the line spells it, the value after it, and
        whether a label is bold or numbered, or a heading has a colon.
    """
    if heading := _HEADING_ROLE.fullmatch(text):
        return "heading", heading["role"], "", bool(heading["colon"])
    if label := _LABEL.fullmatch(text):
        role = label["exercise"] or label["role"]
        return "label", role, label["value"], bool(label["bold"] or label["number"])
    if bare := _BARE_ROLE.fullmatch(text):
        return "bare", bare["role"], "", False
    return None


def is_setting(text: str) -> bool:
    """Tell whether a line is a key with its value, and no label of a turn."""
    return bool(_SETTING.match(text)) and not role_of(text)
