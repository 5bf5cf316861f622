"""The token budget: a prompt and its reply always fit the model's window.

Passages shrink first, the lowest-ranked first, by whole sentences and whole code blocks; then the
longest of the drafts, by lines. The question and the instruction are never cut: if they alone do
not fit, that question fails with a clear error.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import TypeVar

from graph.support.errors import PromptTooLongError
from nodes.model import Prompt, Quote

CUT_MARK = "[...]"
_UNIT = re.compile(r"```.*?(?:```|\Z)\n?|.+?(?:[.!?](?=\s)\s*|\n+|(?=```)|\Z)", re.DOTALL)
# No vocabulary in use has a token of more than 128 characters: what lies beyond cannot fit.
_MAX_TOKEN_CHARS = 128
_T = TypeVar("_T")


@dataclass(frozen=True)
class FittedPrompt:
    """A prompt's text within the window, and the tokens that were left out for it."""

    text: str
    tokens: int
    cut_tokens: int
    continuation: str = ""
    """What is scored after it, where a given text is scored."""


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
        limit: Tokens for the whole prompt: the window less the reply.
        count: Tokens of a rendered text.
        protect: Applied to each value from outside, so that no value can pose as a control token.
        wrap: Puts the rendered text into the model's chat format.

    Raises:
        PromptTooLongError: The question and the instruction alone exceed the limit.
    """
    safe = _protected(prompt, protect)

    def text(shown: Sequence[Quote], values: dict[str, str]) -> str:
        passages = "\n".join(f"{quote.heading}\n{quote.text}" for quote in shown)
        rendered = safe.template.format(**{**safe.whole, "passages": passages, **values})
        return wrap(rendered)

    cuttable = dict(safe.cuttable)
    tokens = count(text(safe.passages, cuttable))
    if tokens <= limit:
        return FittedPrompt(text(safe.passages, cuttable), tokens, 0)
    passages = _cut_passages(safe.passages, limit, lambda shown: count(text(shown, cuttable)))
    if not passages:
        cuttable = _cut_values(cuttable, limit, lambda values: count(text((), values)))
    cut = text(passages, cuttable)
    left = count(cut)
    if left > limit:
        raise _too_long(left, limit)
    return FittedPrompt(cut, left, tokens - left)


def _too_long(tokens: int, limit: int) -> PromptTooLongError:
    return PromptTooLongError(
        f"the question and the instruction take {tokens} tokens, the model's window has room for "
        f"{limit}: shorten the question or lower generation.max_new_tokens"
    )


def _protected(prompt: Prompt, protect: Callable[[str], str]) -> Prompt:
    return Prompt(
        prompt.template,
        {name: protect(value) for name, value in prompt.whole.items()},
        tuple(Quote(protect(quote.heading), protect(quote.text)) for quote in prompt.passages),
        {name: protect(value) for name, value in prompt.cuttable.items()},
    )


def units(text: str) -> list[str]:
    """Split a text into sentences, lines and whole code blocks; joined they are the text again."""
    return _UNIT.findall(text)


def _cut_passages(
    passages: Sequence[Quote], limit: int, size: Callable[[Sequence[Quote]], int]
) -> tuple[Quote, ...]:
    split = [(quote.heading, units(quote.text[: limit * _MAX_TOKEN_CHARS])) for quote in passages]
    total = sum(len(parts) for _, parts in split)
    return _largest(total, limit, partial(_first_units, split), size)


def _first_units(split: list[tuple[str, list[str]]], keep: int) -> tuple[Quote, ...]:
    shown = []
    for heading, parts in split:
        if keep <= 0:
            break
        kept = "".join(parts[:keep]).rstrip()
        shown.append(Quote(heading, f"{kept} {CUT_MARK}" if keep < len(parts) else kept))
        keep -= len(parts)
    return tuple(shown)


def _cut_values(
    values: dict[str, str], limit: int, size: Callable[[dict[str, str]], int]
) -> dict[str, str]:
    lines = {
        name: value[: limit * _MAX_TOKEN_CHARS].splitlines(keepends=True)
        for name, value in values.items()
    }
    longest = max((len(value) for value in values.values()), default=0)
    most = min(longest, limit * _MAX_TOKEN_CHARS)
    return _largest(most, limit, partial(_within, lines), size)


def _within(lines: dict[str, list[str]], chars: int) -> dict[str, str]:
    """Keep of each value the first lines that hold at most `chars` characters together."""
    kept = {}
    for name, parts in lines.items():
        ends = accumulate(map(len, parts))
        text = "".join(parts[: sum(end <= chars for end in ends)])
        left = sum(map(len, parts)) - len(text)
        kept[name] = text + CUT_MARK if text and left > len(CUT_MARK) else text
    return kept


def _largest(most: int, limit: int, make: Callable[[int], _T], size: Callable[[_T], int]) -> _T:
    """Return `make(n)` for the largest n in 0..most that fits, or `make(0)`.

    Bisection assumes that more text is more tokens; where a tokenizer breaks that by a token or
    two, the result is checked and stepped down.
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
