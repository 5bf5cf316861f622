"""What a node may ask of a model, and what it gets back.

A node never sees a tokenizer, a device or a batch: it hands over a `Prompt` and receives replies.
Whatever fulfils `TextModel` or `Chooser` can be passed to a node, a test's fake included.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, runtime_checkable

from langchain_core.prompts import PromptTemplate
from typing_extensions import TypedDict


@dataclass(frozen=True)
class Quote:
    """A quoted text with its heading line; the text may be cut to fit, the heading may not."""

    heading: str
    text: str


@dataclass(frozen=True)
class Prompt:
    """A template and its values, still in parts, so that the model can cut them to its window.

    The template names its variables; `{passages}` is filled from `passages`. `whole` values are
    never cut. Passages are cut first, the last one first; then `cuttable` values, the longest first.
    """

    template: PromptTemplate
    whole: Mapping[str, str]
    passages: tuple[Quote, ...] = ()
    cuttable: Mapping[str, str] = field(default_factory=dict)


class Reply(TypedDict):
    """One generated text and what it cost."""

    text: str
    """Newly generated text only, never the prompt."""
    prompt: str
    """What the model was sent, after cutting, in the model's own chat format."""
    prompt_tokens: int
    new_tokens: int
    cut_tokens: int
    """Tokens of passages and drafts left out so that the prompt fits the window."""
    seconds: float
    """This row's equal share of its batch's wall time."""
    halvings: int
    """How often its batch was halved for lack of memory; such a batch's numerics may differ."""
    cached: bool
    """Whether it was kept from an earlier call; its seconds are then 0."""


class Verdict(TypedDict):
    """A choice among given options."""

    choice: str | None
    """The most probable option; None when a text reply could not be read (unscored)."""
    probabilities: dict[str, float] | None
    """Over the options, sum 1; None when unscored or when the model gives no logits."""
    mass: float | None
    """What the options got together before normalising, in [0, 1]; None without logits."""
    prompt: str
    prompt_tokens: int
    cut_tokens: int
    reply: str | None
    """The raw text, where the model was asked in text."""
    seconds: float
    cached: bool
    """Whether it was kept from an earlier call; its seconds are then 0."""


class Likelihood(TypedDict):
    """How likely a model is to write a given text after a prompt."""

    mean_logprob: float | None
    """Mean log-probability of a token, at most 0; None for an empty text."""
    scored_tokens: int
    """A long text is scored by its start."""
    prompt: str
    prompt_tokens: int
    cut_tokens: int
    seconds: float
    cached: bool


class Continued(NamedTuple):
    """A prompt and a text that may follow it."""

    prompt: Prompt
    text: str


class TextModel(Protocol):
    """Writes text."""

    def write(
        self, prompts: Sequence[Prompt], *, max_new_tokens: int, temperature: float = 0.0
    ) -> list[Reply]:
        """Answer each prompt, in order. Temperature 0 is greedy decoding."""
        ...


class Chooser(Protocol):
    """Chooses among options."""

    def choose(self, prompts: Sequence[Prompt], options: Sequence[str]) -> list[Verdict]:
        """Give one verdict for each prompt, in order."""
        ...


@runtime_checkable
class Scorer(Protocol):
    """Says how likely it is to write a given text."""

    def likelihoods(self, asked: Sequence[Continued]) -> list[Likelihood]:
        """Score each text after its prompt, in order."""
        ...
