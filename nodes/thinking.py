"""The thinking of reasoning models, which is removed from a reply before anything reads the reply.

Such models write their thoughts into the reply, between marks of their own, and then the answer.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from nodes.markdown_code import CodeSpans

_TAG_NAMES = r"(?:think|thinking|thoughts?|reasoning|scratchpad|seed:think)"
# In this order: tags, Magistral, OpenThinker and Sky-T1, Command A, Kimi.
_OPENING = rf"<\s*{_TAG_NAMES}\s*>|\[THINK\]|<\|begin_of_thought\|>|<\|START_THINKING\|>|◁think▷"
_CLOSING = rf"<\s*/\s*{_TAG_NAMES}\s*>|\[/THINK\]|<\|end_of_thought\|>|<\|END_THINKING\|>|◁/think▷"
"""The marks around a thinking block; small models mix their spellings, so any one closes a block."""
_MARK = re.compile(rf"(?=[<\[◁])(?:(?P<opening>{_OPENING})|{_CLOSING})", re.IGNORECASE)
_PREFILLED = re.compile(rf"(?:{_OPENING})\s*\Z", re.IGNORECASE)
_BEFORE_FENCE = re.compile(f"(?:{_CLOSING})(?=```|~~~)", re.IGNORECASE)
_WRAPPER_NAMES = r"(?:answer|final_answer|response|output)"
_WRAPPER = re.compile(
    rf"\s*<(?P<name>{_WRAPPER_NAMES})>(?P<answer>\s*[^\s<](?:(?!</?(?P=name)>).)*)</(?P=name)>\s*",
    re.IGNORECASE | re.DOTALL,
)
"""Tags around the whole answer; an answer that begins with a tag may be XML."""
_START_BLOCKS = re.compile(
    r"""\s*(?>(?:
      <(?P<name>reflection|reasoning_content|inner_monologue|antThinking|cot)>.*?</(?P=name)>
    | <analysis>(?=\s*(?:[^\s<]+\s+){3}[^\s<])(?:(?!</?[a-z]).)*</analysis>
    | <\|think\|>.*?<\|/think\|>
    | <unused94>.*?<unused95>
    | &lt;(?P<escaped>think|thinking)&gt;.*?&lt;/(?P=escaped)&gt;
    | <details\ type=["']?reasoning["']?[^>\n]*>.*?</details>
    )(?!\ [a-z])\s*)++"""
    rf"(?=[^\s<]|<{_WRAPPER_NAMES}>)",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
"""Blocks that are thoughts only at the start of a reply that goes on: their names have other uses.

`<analysis>` is also a common name in XML: it needs four words, and no tag within.
"""
_AROUND_ANSWER = re.compile(
    r"<\|(?:begin_of_solution|end_of_solution|START_RESPONSE|END_RESPONSE)\|>"
)
"""Marks around the answer, which OpenThinker, Sky-T1 and Command A write after their thoughts."""
_CHANNELS = re.compile(r"(?:<\|start\|>assistant)?<\|channel\|>")
_FINAL_CHANNEL = re.compile(r"<\|channel\|>final[^\n]*?<\|message\|>")
_CHANNEL_END = re.compile(r"<\|(?:end|return|call|start)\|>")
_DECODED_ANALYSIS = re.compile(r"analysis(?=[A-Z])")
_DECODED_FINAL = re.compile(r"assistantfinal(?=\s*\S)(?! [a-z])")
"""The channels of gpt-oss where its special tokens were left out."""
_LINE_END = re.compile(r"[ \t]*(?:\n|\Z)")
_MENTION = re.compile(r" [a-z]")
_POINTER = re.compile(
    r"\b(?:tags?|marks?|markers?|tokens?|delimiters?|strings?|elements?|blocks?)\b", re.IGNORECASE
)
_POINTING_END = re.compile(
    r"\b(?:the|an?|its?|with|at|by|of|as|is|are|and|or|to|for|in|on|after|before|until|from|like|than"
    r"|closing|called|writes?|emits?|prints?|finds?|uses?|adds?|sees?)\Z",
    re.IGNORECASE,
)
"""Words that point to a mark as the subject of a sentence."""
_SENTENCE_START = re.compile(r"[ \t]+[A-Z0-9`]")
_REST_OF_SENTENCE = re.compile(r"""[ \t]+\S|[.,:;!?)\]}*]|["'](?!\w)""")
_LOOK_BACK = 200
"""Number of characters before a mark that decide what it is."""


class _Mark(NamedTuple):
    opens: bool
    start: int
    end: int
    in_code: bool


def without_thinking(text: str, prompt: str = "") -> str:
    """Return a reply without its thinking blocks.

    | mark, outside code | it is | example |
    |---|---|---|
    | opens the reply | a thought, to the closing mark or the end | `<think>hm</think>Use a dict.` |
    | opens the reply, a sentence goes on after it | text | `<think> is the opening tag.` |
    | opens a line, and a closing mark follows | a thought | `First.` `<think>hm</think>` |
    | the same after a line that ends with a colon | text | `Use tags:` `<think>` ... |
    | opens within a line of a reply that began with a thought | a thought, if a closing mark follows | `<think>a</think>One. <think>b</think>Two.` |
    | closes without an opening one, as a line or before text without a space | the end of a thought that began with the reply | `hm.</think>Use a dict.` |
    | the same between spaces, alone in the reply, and no word points to it | the same | `hm. </think> Use a dict.` |
    | the same, and nothing follows | a slip: the mark alone goes | `Use a dict.</think>` |
    | opens again where a closing mark would stand, and none closes: the last one | the end of the thought | `<think>hm` `<think>Use a dict.` |
    | `<analysis>` at the start: four words without tags, and text follows | a thought | `<analysis>It is a plain loop.</analysis>Use a dict.` |
    | any other | text | `Split at "</think>".` |

    A reply that is one unfinished thought has an empty answer. Tags around the whole answer are left
    out, as in `<answer>Use a dict.</answer>`.

    Args:
        text: The reply.
        prompt: The prompt as the model read it; the chat formats of some models end with an opening
            mark.
    """
    prefilled = _PREFILLED.search(prompt[-40:])
    if prefilled:
        text = f"{prefilled[0].rstrip()}\n{text}"
    text = _final_channel(text)
    marks = _marks(text)
    if marks:
        text = _AROUND_ANSWER.sub("", _outside_blocks(text, marks))
    if blocks := _START_BLOCKS.match(text):
        text = text[blocks.end() :]
    wrapper = _WRAPPER.fullmatch(text)
    return wrapper["answer"] if wrapper else text


def _outside_blocks(text: str, marks: Sequence[_Mark]) -> str:
    """Return the parts of a text that are in no thinking block."""
    parts: list[str] = []
    position = 0
    mentions: list[_Mark] = []
    began_with_block = False
    is_alone = len(marks) == 1
    for mark, closing in zip(marks, _closing_marks(text, marks), strict=True):
        if mark.in_code or mark.start < position:
            continue
        if mark.opens and _opens_block(text, mark, closing, position, in_thoughts=began_with_block):
            began_with_block = began_with_block or not text[: mark.start].strip()
            parts.append(text[position : mark.start])
            position = closing.end if closing else len(text)
        elif mark.opens:
            mentions.append(mark)
        elif mentions and _is_line(text, mark) <= _is_line(text, mentions[-1]):
            mentions.pop()
        elif _closes_reply_start(text, mark) or (is_alone and _is_between_sentences(text, mark)):
            is_last = not text[mark.end : mark.end + _LOOK_BACK].strip()
            parts = [*parts, text[position : mark.start]] if is_last else []
            position = mark.end
    return "".join([*parts, text[position:]])


def _marks(text: str) -> list[_Mark]:
    matches = list(_MARK.finditer(text))
    if not matches:
        return []
    # A fence is code also where it follows a closing mark in its line.
    code = CodeSpans(_BEFORE_FENCE.sub(lambda match: f"{match[0][:-1]}\n", text))
    return [
        _Mark(match["opening"] is not None, *match.span(), match.start() in code)
        for match in matches
    ]


def _closing_marks(text: str, marks: Sequence[_Mark]) -> list[_Mark | None]:
    """Return for each mark the mark that closes the block that it would open."""
    outside_code: _Mark | None = None
    anywhere: _Mark | None = None
    closing: list[_Mark | None] = []
    for mark in reversed(marks):
        # A thought that leaves a code fence open has its closing mark in what looks like code.
        closing.append(outside_code or anywhere)
        if not mark.opens:
            anywhere = mark
        if not mark.opens and not mark.in_code:
            outside_code = mark
    if not anywhere and not text[: marks[0].start].strip():
        closing[-1] = _repeated_opening(text, marks)
    return closing[::-1]


def _repeated_opening(text: str, marks: Sequence[_Mark]) -> _Mark | None:
    """Return the last opening mark that stands where a closing one would: `<think>hm<think>x`."""
    thought_start = len(text) - len(text[marks[0].end :].lstrip())
    text_end = len(text.rstrip())
    return next(
        (
            mark
            for mark in reversed(marks[1:])
            if thought_start < mark.start
            and mark.end < text_end
            and not mark.in_code
            and _closes_reply_start(text, mark)
        ),
        None,
    )


def _opens_block(
    text: str, mark: _Mark, closing: _Mark | None, start: int, *, in_thoughts: bool
) -> bool:
    """Tell whether an opening mark begins a thought, and is not part of the answer.

    The part of the answer before the mark begins at `start`.
    """
    is_mentioned = bool(_MENTION.match(text, mark.end))
    if is_mentioned and (not closing or _MENTION.match(text, closing.end)):
        return False
    before = text[max(start, mark.start - _LOOK_BACK) : mark.start].rstrip()
    if not before and mark.start - start < _LOOK_BACK:
        return True
    if not closing or (closing.in_code and not in_thoughts):
        return False
    if _starts_line(text, mark):
        # A line that ends with ">" is markup around the mark.
        return before[-1:] not in (":", ">")
    return in_thoughts and not is_mentioned


def _starts_line(text: str, mark: _Mark) -> bool:
    """Tell whether at most three spaces are before a mark in its line: more would be code."""
    before = text[max(0, mark.start - 4) : mark.start]
    indent = before.rpartition("\n")[2]
    return not indent.strip(" ") and len(indent) <= 3


def _is_line(text: str, mark: _Mark) -> bool:
    """Tell whether a mark is a whole line."""
    return _starts_line(text, mark) and bool(_LINE_END.match(text, mark.end))


def _closes_reply_start(text: str, mark: _Mark) -> bool:
    """Tell whether a closing mark without an opening one ends a thought, and is not mentioned."""
    before = text[max(0, mark.start - _LOOK_BACK) : mark.start]
    if before.rstrip()[-1:] == ":":
        return False
    if _is_line(text, mark):
        return True
    touches = before[-1:] not in (" ", "\t", '"', "'", "`", "(", "[", "{", "*")
    if _LINE_END.match(text, mark.end):
        return touches or before.rstrip()[-1:] in (".", "!", "?")
    return touches and not _REST_OF_SENTENCE.match(text, mark.end)


def _is_between_sentences(text: str, mark: _Mark) -> bool:
    """Tell whether a new sentence follows a mark between spaces, and no word points to the mark."""
    before = text[max(0, mark.start - _LOOK_BACK) : mark.start]
    words = before.rstrip()
    around = before + text[mark.end : mark.end + _LOOK_BACK].partition("\n")[0]
    return (
        before[-1:] in (" ", "\t")
        and words[-1:] != ":"
        and bool(_SENTENCE_START.match(text, mark.end))
        and not _POINTING_END.search(words)
        and not _POINTER.search(around)
    )


def _final_channel(text: str) -> str:
    """Return the message of the final channel of gpt-oss, or else the text.

    Empty if the model wrote channels and none of them is final.
    """
    reply = text.lstrip()
    if _DECODED_ANALYSIS.match(reply):
        code = CodeSpans(reply)
        finals = (match.end() for match in _DECODED_FINAL.finditer(reply))
        end = next((end for end in finals if end - 1 not in code), 0)
        return reply[end:]
    if not _CHANNELS.match(reply):
        return text
    messages = _FINAL_CHANNEL.split(reply)[1:]
    return _CHANNEL_END.split(messages[-1])[0] if messages else ""
