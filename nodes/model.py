"""The models as nodes see them: what a node sends to a model, and what comes back.

A node never sees a tokenizer, a device or a batch: it sends a `Prompt` and receives replies. A node
takes anything that fulfils `TextModel`, `Chooser` or `LikelihoodModel`, a fake of the tests included.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, NotRequired, Protocol, runtime_checkable

from langchain_core.prompts import PromptTemplate
from typing_extensions import TypedDict

TEXT_CHOICE_TOKENS = 32
"""Tokens of a verdict that is written: an option as text, or a JSON object with one."""
SCORED_TOKENS = 256
"""Of a longer text only this many first tokens are scored: prompt and text must fit the window."""


@dataclass(frozen=True)
class Quote:
    """A quoted text with its heading line; the text may be cut to fit, the heading may not."""

    heading: str
    text: str


@dataclass(frozen=True)
class Reserve:
    """The part of the window that a step needs behind the context."""

    instruction: str
    """The step's own part of the prompt, without the texts that it quotes."""
    text_tokens: int
    """The largest number of tokens of the texts that it quotes."""
    reply_tokens: int

    def tokens(self, window: int, text_scale: float = 1.0) -> int:
        """Return the tokens of texts and reply; the texts take at most half of a window's room.

        Args:
            window: Tokens of prompt and reply together.
            text_scale: The counted tokens of a text for each token that the model wrote, above 1 if
                tokens are estimated.
        """
        texts = math.ceil(self.text_tokens * text_scale)
        return self.reply_tokens + min(texts, (window - self.reply_tokens) // 2)


@dataclass(frozen=True)
class Context:
    """The beginning that the prompts of all steps of a question share: question and passages.

    The model cuts the passages once, the last one first, so that each of the steps fits its window.
    The template has the variables question, boundary and passages.
    """

    template: PromptTemplate = field(hash=False)
    question: str
    boundary: str
    """The word in the tags."""
    passages: tuple[Quote, ...] = ()
    reserves: tuple[Reserve, ...] = ()
    """The steps that share the context; empty if the prompt is the only one."""

    def render(self) -> str:
        """Return the whole text."""
        return self.template.format(
            question=self.question,
            boundary=self.boundary,
            passages="\n".join(f"{quote.heading}\n{quote.text}" for quote in self.passages),
        )


@dataclass(frozen=True)
class Prompt:
    """A context, and the template and values of a step's own part behind it.

    They are not yet joined, so that the model can cut them to its window: first the passages of the
    context, then `cuttable` values, the longest first. `whole` values are never cut.
    """

    template: PromptTemplate
    whole: Mapping[str, str] = field(default_factory=dict)
    cuttable: Mapping[str, str] = field(default_factory=dict)
    context: Context | None = None

    def render(self) -> str:
        """Return the whole text, uncut."""
        beginning = self.context.render() if self.context else ""
        return beginning + self.template.format(**self.whole, **self.cuttable)


class Reply(TypedDict):
    """One generated text and what it cost."""

    text: str
    """The generated text, without the prompt."""
    prompt: str
    """The text that the model was sent, after cutting, in the model's own chat format."""
    prompt_tokens: int
    cached_tokens: NotRequired[int]
    """Tokens at the beginning of the prompt that the engine had read before; absent if it does not say."""
    new_tokens: int
    tokens_estimated: bool
    """Whether the tokens of prompt and reply are estimates from the length of the texts: the model
    reported none."""
    cut_tokens: int
    """Tokens of passages and drafts that were left out so that the prompt fits the window."""
    cut_tokens_estimated: NotRequired[bool]
    """Present, and True, if `cut_tokens` is an estimate: the model has no tokenizer to count with."""
    seconds: float
    """This reply's equal share of the wall time of its batch."""
    halvings: int
    """How often its batch was halved for lack of memory. The size of a batch can change the rounding
    of its numbers, and so the text."""
    cached: bool
    """Whether the reply comes from the cache of an earlier run; `seconds` is then 0."""


class Verdict(TypedDict):
    """A choice among given options."""

    choice: str | None
    """The most probable option; None if a reply in text could not be read (unscored)."""
    probabilities: dict[str, float] | None
    """The probability of each option, sum 1; None if unscored or if the model gives no logits."""
    mass: float | None
    """Total probability of the options before normalising, in [0, 1]; None without logits."""
    prompt: str
    prompt_tokens: int
    cached_tokens: NotRequired[int]
    """As in `Reply`."""
    tokens_estimated: bool
    """As in `Reply`."""
    cut_tokens: int
    cut_tokens_estimated: NotRequired[bool]
    """As in `Reply`."""
    reply: str | None
    """The raw reply of a model that gives no logits and so answers in text."""
    seconds: float
    cached: bool
    """Whether the verdict comes from the cache of an earlier run; `seconds` is then 0."""


class Likelihood(TypedDict):
    """The likelihood that a model writes a given text after a prompt."""

    mean_logprob: float | None
    """Mean log-probability of a token, at most 0; None for an empty text."""
    scored_tokens: int
    """Tokens that the mean is taken over: of a long text, only its start."""
    prompt: str
    prompt_tokens: int
    cached_tokens: NotRequired[int]
    """As in `Reply`."""
    tokens_estimated: bool
    """As in `Reply`."""
    cut_tokens: int
    seconds: float
    cached: bool


class Continuation(NamedTuple):
    """A prompt and a text that may follow it."""

    prompt: Prompt
    text: str


class TextModel(Protocol):
    """A model that writes text."""

    def write(
        self, prompts: Sequence[Prompt], *, max_new_tokens: int, temperature: float = 0.0
    ) -> list[Reply]:
        """Answer each prompt, in order. Temperature 0 is greedy decoding."""
        ...


class Chooser(Protocol):
    """A model that chooses among options."""

    def choose(self, prompts: Sequence[Prompt], options: Sequence[str]) -> list[Verdict]:
        """Return one verdict for each prompt, in order."""
        ...


@runtime_checkable
class LikelihoodModel(Protocol):
    """A model that tells how likely it is to write a given text."""

    def likelihoods(self, continuations: Sequence[Continuation]) -> list[Likelihood]:
        """Score the text of each continuation after its prompt, in order."""
        ...
