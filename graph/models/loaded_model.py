"""What every model in this process has: a tokenizer, a chat format, a window and its own identity."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graph.models.verdict import ScoredToken
from graph.schema import ModelSpec
from graph.support.errors import ConfigError
from graph.support.text import without_surrogates

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class LoadedModel(ABC):
    """A model in memory with its tokenizer and its chat format."""

    spec: ModelSpec
    tokenizer: "PreTrainedTokenizerBase"
    window: int
    """Tokens of prompt and reply together."""
    control_tokens: tuple[str, ...]

    @property
    @abstractmethod
    def identity(self) -> dict[str, object]:
        """What a result depends on besides the spec, the prompts and the settings."""

    @property
    def commit(self) -> str | None:
        """The commit of the loaded repository; None for local models."""
        return None

    @abstractmethod
    def token_logprobs(
        self, rows: Sequence[tuple[int, ...]], tokens: Sequence[ScoredToken]
    ) -> list[float]:
        """Read rows of token ids; return the log-probability of each token."""

    def encode(self, text: str) -> list[int]:
        """Return the token ids of a text in the model's chat format."""
        special = adds_special(self.spec)
        return list(self.tokenizer.encode(text, add_special_tokens=special))

    def wrap(self, text: str) -> str:
        """Put a prompt into the model's chat format, up to where its reply begins."""
        if self.spec.chat_format == "phi":
            return f"Instruct: {text}\nOutput:"
        if self.spec.chat_format == "plain":
            return text
        message = [{"role": "user", "content": text}]
        return str(
            self.tokenizer.apply_chat_template(message, tokenize=False, add_generation_prompt=True)
        )

    def protect(self, value: str) -> str:
        """Make a value from outside harmless: each control token in it becomes plain text."""
        value = without_surrogates(value)
        for token in self.control_tokens:
            value = value.replace(token, f"{token[:1]} {token[1:]}")
        return value

    def join(self, prompt: str, continuation: str) -> str:
        """Append a continuation to a wrapped prompt the way the model would write it."""
        between = "" if self.spec.chat_format == "template" else " "
        return prompt + between + continuation


def adds_special(spec: ModelSpec) -> bool:
    """Tell whether the tokenizer adds its own start token; a chat template contains one already."""
    return spec.chat_format != "template"


def control_tokens(tokenizer: "PreTrainedTokenizerBase") -> tuple[str, ...]:
    """Return the special tokens of a tokenizer that a text could contain by mistake or on purpose."""
    added = {str(t) for t in tokenizer.added_tokens_decoder.values() if t.special}
    special = set(tokenizer.all_special_tokens)
    # A single character is ordinary text too, and cannot be split.
    return tuple(sorted(token for token in added | special if len(token) > 1))


def end_tokens(configured: object, tokenizer: "PreTrainedTokenizerBase") -> frozenset[int]:
    """Return the tokens that end a reply.

    Args:
        configured: The end tokens of the generation config: one, several or None. A chat model may
            end a reply with another token than its tokenizer ends a text.
        tokenizer: Its own end token counts as well.
    """
    ids = configured if isinstance(configured, list) else [configured]
    return frozenset(token for token in [*ids, tokenizer.eos_token_id] if token is not None)


def check_chat_template(spec: ModelSpec, tokenizer: "PreTrainedTokenizerBase") -> None:
    """Check that a tokenizer has the chat template that its spec asks for.

    Raises:
        ConfigError: It has none.
    """
    if spec.chat_format == "template" and not tokenizer.chat_template:
        raise ConfigError(f"{spec.model!r} has no chat template: set its chat_format to plain")
