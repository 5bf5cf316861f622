"""The token budget: a prompt and its reply always fit the model's window.

The context of a question is cut once, for the longest of its steps: by whole sentences and whole
code blocks, the lowest-ranked passage first. So the prompts of all steps begin with the same
characters. Then the longest of a step's own texts is cut, by lines. The question and the instruction
are never cut: if they alone do not fit, that question fails with an error.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from itertools import accumulate
from typing import NamedTuple, TypeVar

from graph.models.traced_calls import UNTRACED, TracedCall, call_of
from graph.support.errors import PromptTooLongError
from nodes.model import Context, Prompt, Quote, Reserve

CUT_MARK = "[...]"
_UNIT = re.compile(r"```.*?(?:```|\Z)\n?|.+?(?:[.!?](?=\s)\s*|\n+|(?=```)|\Z)", re.DOTALL)
_MAX_TOKEN_CHARS = 128
"""No vocabulary in use has a longer token: text beyond this times the limit cannot fit."""
_CONTEXTS = 256
"""Contexts that are remembered: those of the questions that run at the same time."""
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


class _FittedContext(NamedTuple):
    text: str
    cut_tokens: int


class PromptFitter:
    """Renders prompts so that they fit the window of one model.

    Args:
        window: Tokens of prompt and reply together.
        count: Counts the tokens of a rendered text.
        protect: Makes a value from outside harmless, so that it cannot act as a control token.
        wrap: Puts a prompt into the model's chat format.
    """

    def __init__(
        self,
        *,
        window: int,
        count: Callable[[str], int],
        protect: Callable[[str], str] = str,
        wrap: Callable[[str], str] = str,
        text_scale: float = 1.0,
    ) -> None:
        self._window = window
        self._count = count
        self._protect = protect
        self._wrap = wrap
        self._text_scale = text_scale
        self._fit_context = lru_cache(maxsize=_CONTEXTS)(self._cut_context)

    def fit(self, prompt: Prompt, reply_tokens: int, suffix: str = "") -> FittedPrompt:
        """Render a prompt that leaves `reply_tokens` of the window.

        Args:
            prompt: The parts to render.
            reply_tokens: Tokens of the reply.
            suffix: The end of the prompt, if the template does not have all of it.

        Raises:
            PromptTooLongError: The question and the instruction alone exceed the window.
        """
        limit = self._window - reply_tokens
        whole = self._protected(prompt.whole)
        cuttable = self._protected(prompt.cuttable)

        def step_part(values: Mapping[str, str]) -> str:
            return prompt.template.format(**whole, **values) + suffix

        context = self._context(prompt.context, step_part(cuttable), reply_tokens)

        def render(values: Mapping[str, str]) -> str:
            return self._wrap(context.text + step_part(values))

        text = render(cuttable)
        tokens = uncut_tokens = self._count(text)
        if tokens > limit:
            text = render(_cut_values(cuttable, limit, lambda v: self._count(render(v)) <= limit))
            tokens = self._count(text)
        if tokens > limit:
            raise PromptTooLongError(
                f"the question and the instruction take {tokens} tokens, the model's window has room "
                f"for {limit}: shorten the question or lower generation.max_new_tokens"
            )
        cut_tokens = context.cut_tokens + uncut_tokens - tokens
        return FittedPrompt(text, tokens, cut_tokens, call=call_of(prompt))

    def fit_all(
        self, prompts: Sequence[Prompt], reply_tokens: int, suffix: str = ""
    ) -> list[FittedPrompt | Exception]:
        """Render prompts as `fit` does; return its error in place of a prompt that does not fit."""
        outcomes: list[FittedPrompt | Exception] = []
        for prompt in prompts:
            try:
                outcomes.append(self.fit(prompt, reply_tokens, suffix))
            except Exception as error:  # only this prompt's question fails, and records the error
                outcomes.append(error)
        return outcomes

    def _context(
        self, context: Context | None, step_part: str, reply_tokens: int
    ) -> _FittedContext:
        if context is None:
            return _FittedContext("", 0)
        if not context.reserves:
            context = replace(context, reserves=(Reserve(step_part, 0, reply_tokens),))
        return self._fit_context(context)

    def _cut_context(self, context: Context) -> _FittedContext:
        """Render a context with as many passages as leave room for each of its steps."""
        safe = replace(
            context,
            question=self._protect(context.question),
            passages=tuple(
                Quote(self._protect(quote.heading), self._protect(quote.text))
                for quote in context.passages
            ),
        )
        # A context that is too long fails at the first step that it has to leave room for.
        window = self._window
        room = {step: step.tokens(window, self._text_scale) for step in context.reserves}
        longest_first = sorted(room, key=room.__getitem__, reverse=True)

        def fits(quotes: tuple[Quote, ...]) -> bool:
            text = replace(safe, passages=quotes).render()
            return all(
                self._count(self._wrap(text + step.instruction)) + room[step] <= window
                for step in longest_first
            )

        if fits(safe.passages):
            return _FittedContext(safe.render(), 0)
        cut = replace(safe, passages=_cut_passages(safe.passages, window, fits))
        uncut_text, text = safe.render(), cut.render()
        cut_tokens = self._count(self._wrap(uncut_text)) - self._count(self._wrap(text))
        return _FittedContext(text, cut_tokens)

    def _protected(self, values: Mapping[str, str]) -> dict[str, str]:
        return {name: self._protect(value) for name, value in values.items()}


def units(text: str) -> list[str]:
    """Split a text into sentences, lines and whole code blocks; joined, they are the text again."""
    return _UNIT.findall(text)


def _cut_passages(
    passages: Sequence[Quote], limit: int, fits: Callable[[tuple[Quote, ...]], bool]
) -> tuple[Quote, ...]:
    split = [(quote.heading, units(quote.text[: limit * _MAX_TOKEN_CHARS])) for quote in passages]
    total = sum(len(parts) for _, parts in split)
    return _largest(total, partial(_first_units, split), fits)


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
    values: dict[str, str], limit: int, fits: Callable[[dict[str, str]], bool]
) -> dict[str, str]:
    lines = {
        name: value[: limit * _MAX_TOKEN_CHARS].splitlines(keepends=True)
        for name, value in values.items()
    }
    longest = max((len(value) for value in values.values()), default=0)
    most = min(longest, limit * _MAX_TOKEN_CHARS)
    return _largest(most, partial(_first_lines, lines), fits)


def _first_lines(lines: dict[str, list[str]], chars: int) -> dict[str, str]:
    """Return of each value the first lines that have at most `chars` characters together."""
    values = {}
    for name, parts in lines.items():
        ends = accumulate(map(len, parts))
        text = "".join(parts[: sum(end <= chars for end in ends)])
        cut_chars = sum(map(len, parts)) - len(text)
        values[name] = text + CUT_MARK if text and cut_chars > len(CUT_MARK) else text
    return values


def _largest(most: int, make: Callable[[int], _T], fits: Callable[[_T], bool]) -> _T:
    """Return `make(n)` for the largest n in 0..most that fits, or `make(0)`.

    Bisection assumes that more text has more tokens. A tokenizer may break this rule by a token or
    two, so the result is checked and stepped down until it fits.
    """
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if fits(make(middle)):
            low = middle
        else:
            high = middle - 1
    while low > 0 and not fits(make(low)):
        low -= 1
    return make(low)
