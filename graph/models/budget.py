"""The token budget: a prompt and its reply always fit the model's window.

Passages are cut first, the lowest-ranked first, by whole sentences and whole code blocks; then the
longest of the drafts, by lines. The question and the instruction are never cut: if they alone do
not fit, that question fails with an error.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate
from typing import TypeVar

from graph.models.traced_calls import UNTRACED, TracedCall
from graph.support.errors import PromptTooLongError
from nodes.model import Prompt, Quote

CUT_MARK = "[...]"
_UNIT = re.compile(r"```.*?(?:```|\Z)\n?|.+?(?:[.!?](?=\s)\s*|\n+|(?=```)|\Z)", re.DOTALL)
_MAX_TOKEN_CHARS = 128
"""No vocabulary in use has a longer token: text beyond this times the limit cannot fit."""
_T = TypeVar("_T")


@dataclass(frozen=True)
class FittedPrompt:
    """A rendered prompt that fits the window."""

    text: str
    tokens: int
    cut_tokens: int
    """Tokens that were left out to make it fit."""
    continuation: str = ""
    """The text to score after the prompt, if one is scored."""
    call: TracedCall = field(default=UNTRACED, compare=False, repr=False)
    """What LangChain's callbacks see of the call."""


def fit_prompt(
    prompt: Prompt,
    *,
    limit: int,
    count: Callable[[str], int],
    protect: Callable[[str], str],
    wrap: Callable[[str], str],
) -> FittedPrompt:
    """Render a prompt in at most `limit` tokens.

    Args:
        prompt: The parts to render.
        limit: Tokens for the whole prompt: the window without the reply.
        count: Counts the tokens of a rendered text.
        protect: Makes a value from outside harmless, so that it cannot act as a control token.
        wrap: Puts the rendered text into the model's chat format.

    Raises:
        PromptTooLongError: The question and the instruction alone exceed the limit.
    """
    safe = _protected(prompt, protect)

    def render(quotes: Sequence[Quote], values: dict[str, str]) -> str:
        passages = "\n".join(f"{quote.heading}\n{quote.text}" for quote in quotes)
        return wrap(safe.template.format(**{**safe.whole, "passages": passages, **values}))

    quotes, cuttable = safe.passages, dict(safe.cuttable)
    whole = render(quotes, cuttable)
    tokens = count(whole)
    if tokens <= limit:
        return FittedPrompt(whole, tokens, 0)
    quotes = _cut_passages(quotes, limit, lambda quotes: count(render(quotes, cuttable)))
    if not quotes:
        cuttable = _cut_values(cuttable, limit, lambda values: count(render((), values)))
    cut = render(quotes, cuttable)
    left = count(cut)
    if left > limit:
        raise PromptTooLongError(
            f"the question and the instruction take {left} tokens, the model's window has room for "
            f"{limit}: shorten the question or lower generation.max_new_tokens"
        )
    return FittedPrompt(cut, left, tokens - left)


def _protected(prompt: Prompt, protect: Callable[[str], str]) -> Prompt:
    return Prompt(
        prompt.template,
        {name: protect(value) for name, value in prompt.whole.items()},
        tuple(Quote(protect(quote.heading), protect(quote.text)) for quote in prompt.passages),
        {name: protect(value) for name, value in prompt.cuttable.items()},
    )


def units(text: str) -> list[str]:
    """Split a text into sentences, lines and whole code blocks; joined, they are the text again."""
    return _UNIT.findall(text)


def _cut_passages(
    passages: Sequence[Quote], limit: int, size: Callable[[Sequence[Quote]], int]
) -> tuple[Quote, ...]:
    split = [(quote.heading, units(quote.text[: limit * _MAX_TOKEN_CHARS])) for quote in passages]
    total = sum(len(parts) for _, parts in split)
    return _largest(total, limit, partial(_first_units, split), size)


def _first_units(split: list[tuple[str, list[str]]], count: int) -> tuple[Quote, ...]:
    """Return the quotes that hold the first `count` units of all quotes together."""
    quotes = []
    for heading, parts in split:
        if count <= 0:
            break
        text = "".join(parts[:count]).rstrip()
        quotes.append(Quote(heading, f"{text} {CUT_MARK}" if count < len(parts) else text))
        count -= len(parts)
    return tuple(quotes)


def _cut_values(
    values: dict[str, str], limit: int, size: Callable[[dict[str, str]], int]
) -> dict[str, str]:
    lines = {
        name: value[: limit * _MAX_TOKEN_CHARS].splitlines(keepends=True)
        for name, value in values.items()
    }
    longest = max((len(value) for value in values.values()), default=0)
    most = min(longest, limit * _MAX_TOKEN_CHARS)
    return _largest(most, limit, partial(_first_lines, lines), size)


def _first_lines(lines: dict[str, list[str]], chars: int) -> dict[str, str]:
    """Return of each value the first lines that have at most `chars` characters together."""
    values = {}
    for name, parts in lines.items():
        ends = accumulate(map(len, parts))
        text = "".join(parts[: sum(end <= chars for end in ends)])
        cut_chars = sum(map(len, parts)) - len(text)
        values[name] = text + CUT_MARK if text and cut_chars > len(CUT_MARK) else text
    return values


def _largest(most: int, limit: int, make: Callable[[int], _T], size: Callable[[_T], int]) -> _T:
    """Return `make(n)` for the largest n in 0..most that fits, or `make(0)`.

    Bisection assumes that more text has more tokens. A tokenizer may break this rule by a token or
    two, so the result is checked and stepped down until it fits.
    """
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if size(make(middle)) <= limit:
            low = middle
        else:
            high = middle - 1
    while low > 0 and size(make(low)) > limit:
        low -= 1
    return make(low)
