"""Control tokens of chat formats that a model or a server wrote as text.

| token, outside code | decision | example |
|---|---|---|
| a user's turn at the start, with the assistant's after it | the text after the assistant's token | `[INST] Why? [/INST] Use a lock.` |
| other tokens at the start | left out, unless nothing else remains | `<|assistant|> Use a lock.` |
| touches the text before it, or follows a full stop | cut | `Use a lock.<|im_end|>` |
| a line of its own after a full stop, or one that names a speaker or touches the text after it | cut | `<|im_start|>user` |
| after a colon or a list mark; a sentence goes on after it; any other | text | `- <|im_end|>` |
"""

import re

from nodes.markdown_code import CodeSpans

_HEADER = r"(?:<\|(?:im_start|start_header_id|header_start|start_of_role|start)\|>|<start_of_turn>)"
_HEADER_END = r"(?:<\|(?:end_header_id|header_end|end_of_role|im_sep)\|>)?"
_USER = (
    rf"{_HEADER}(?:user|system|developer)(?![a-z]){_HEADER_END}|<\|(?:user|system|USER_TOKEN|SYSTEM_TOKEN)\|>"
    r"|\[INST\]|<\uff5cUser\uff5c>"
)
_ASSISTANT = (
    rf"{_HEADER}(?:assistant|model)(?![a-z]){_HEADER_END}|<\|(?:assistant|CHATBOT_TOKEN)\|>"
    r"|\[/INST\]|<\uff5cAssistant\uff5c>"
)
_OTHER = (
    r"<\|(?:im_start|im_end|im_sep|end|endoftext|eot_id|eom_id|end_of_text|begin_of_text|end_of_turn"
    r"|start_header_id|end_header_id|start|return|START_OF_TURN_TOKEN|END_OF_TURN_TOKEN|EOS_TOKEN"
    r"|eot|EOT|eom|eos|header_start|header_end|start_of_role|end_of_role|assistant_end|user_end)\|>"
    r"|</?SYS>>|<</?SYS>>|<(?:start|end)_of_turn>|<\uff5c[^\uff5c\n]{1,30}\uff5c>|</s>|<eos>|\[EOS\]"
)
_TOKEN = re.compile(rf"(?P<user>{_USER})|(?P<assistant>{_ASSISTANT})|{_OTHER}")
_RUN = re.compile(rf"(?:(?:{_USER}|{_ASSISTANT}|{_OTHER}|<s>|<bos>|\[BOS\])\s*)+")
"""Tokens with nothing but white space between them."""
_MENTION = re.compile(r" [a-z]")
_TEXT_START = re.compile(r"<(?:s|bos|sos)>|\[BOS\]", re.IGNORECASE)
"""A text that shows it shows its end as well."""
_TEXT_END = ("</s>", "<eos>", "[EOS]")
_LIST_MARK = re.compile(r"(?:[-*+>|]|\d{1,3}[.)])*")
_LOOK_BACK = 200
"""Number of characters before a token that decide what it is."""
_SENTENCE_END = tuple(".!?`)}]\"'*~")


def without_leading_tokens(text: str) -> str:
    """Return a text without the control tokens and the copy of the user's turn at its start."""
    run = _RUN.match(text)
    if not run or _MENTION.match(text, len(run[0].rstrip())):
        return text
    start = run.end()
    speakers = [match.lastgroup for match in _TOKEN.finditer(run[0]) if match.lastgroup]
    if speakers and speakers[-1] == "user":
        code = CodeSpans(text)
        replies = (match for match in _TOKEN.finditer(text) if match["assistant"])
        start = next((match.end() for match in replies if match.start() not in code), start)
    return text[start:].lstrip() or text


def before_next_token(text: str) -> str:
    """Return a text up to the first control token that ends or begins a turn."""
    if not _TOKEN.search(text):
        return text
    code = CodeSpans(text)
    for run in _RUN.finditer(text):
        if run.start() not in code and _is_cut(text, run):
            return text[: run.start()]
    return text


def _is_cut(text: str, run: re.Match[str]) -> bool:
    before = text[max(0, run.start() - _LOOK_BACK) : run.start()]
    content = before.rstrip()
    # [/INST] ends a user's turn: text before it is a template.
    if not content or content.endswith(":") or run[0].startswith("[/INST]"):
        return False
    if not _TOKEN.match(run[0]) or (run[0].startswith(_TEXT_END) and _TEXT_START.search(before)):
        return False
    if _MENTION.match(text, run.end() - 1 if run[0][-1].isspace() else run.end()):
        return False
    line = before.rpartition("\n")[2]
    if not line.strip():
        names_speaker = any(match.lastgroup for match in _TOKEN.finditer(run[0]))
        touches_next = run[0][-1] in ">]" and text[run.end() : run.end() + 1].isalpha()
        return names_speaker or touches_next or content.endswith(_SENTENCE_END)
    if _LIST_MARK.fullmatch(line.strip()):
        return False
    if line[-1] in " \t":
        return content.endswith(_SENTENCE_END)
    # `x[INST]` is an index, and `"<|im_end|>"` is a string.
    is_index = run[0].startswith("[") and (line[-1].isalnum() or line[-1] == "_")
    return not is_index and line[-1] not in "\"'([{,=|/"
