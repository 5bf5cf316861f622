"""Adapters that put the configured local model and encoder behind ragas' own interfaces.

Importing this module imports ragas, so it is imported inside functions alone, after `open_ragas`
has switched ragas' telemetry off.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import BaseModel, ValidationError
from ragas.embeddings.base import BaseRagasEmbedding
from ragas.llms.base import InstructorBaseRagasLLM
from ragas.metrics import collections

from graph.support.errors import PromptTooLongError
from nodes.model import Reply
from nodes.thinking import without_thinking

if TYPE_CHECKING:
    from graph.retrieval.encoder import Encoder

_REPLY_SHARE = 8
"""A reply may take one such part of the window."""
_MAX_REPLY_TOKENS = 1024
_TOKENS_PER_ITEM = 80
"""Upper bound for a list item with its statement, reason and verdict, in English."""
MAX_CHARS = 120
_MAX_REASON_CHARS = 60
_MIN_TEXT_CHARS = 80
"""Texts of a prompt are never cut below this: less would carry no meaning."""
_EXAMPLES_SHARE = 0.25
"""Largest share of the room for a prompt that its examples may take."""
_NEVER_CUT = ("question", "statements")
# Fast tokenizers (tokenizers 0.23) fail with "Already borrowed" if two threads use one at once.
_COUNTING = Lock()


class UnreadableReplyError(Exception):
    """An error for a reply that does not parse; its message is the reason that is counted."""


class Window(Protocol):
    """The window of a loaded model, as `graph.models.loading.LoadedModel` has it."""

    @property
    def window(self) -> int:
        """Number of tokens of prompt and reply together."""
        ...

    def encode(self, text: str) -> list[int]:
        """Return the token ids of a text."""
        ...

    def wrap(self, text: str) -> str:
        """Return a prompt in the model's chat format."""
        ...

    def protect(self, value: str) -> str:
        """Return a text whose control tokens are plain characters."""
        ...


class Writer(Protocol):
    """A model that writes JSON of a given schema."""

    @property
    def loaded(self) -> Window:
        """The loaded model, which knows its window."""
        ...

    def write(self, text: str, schema: Mapping[str, object], max_new_tokens: int) -> Reply:
        """Return a reply to a prompt: JSON that follows `schema`, unless it is cut off."""
        ...


@dataclass
class Trace:
    """The replies to one metric for one answer."""

    replies: list[Reply] = field(default_factory=list)
    cut_chars: int = 0
    """Number of characters of contexts and answers that were left out to fit the window."""


class LocalModel(InstructorBaseRagasLLM):
    """A local model behind ragas' interface; its replies follow the schema that ragas expects."""

    def __init__(self, writer: Writer, trace: Trace) -> None:
        self._writer, self._trace = writer, trace

    def generate(self, prompt: str, response_model: type[Any]) -> Any:
        """Return the model's reply as an object of `response_model`.

        Raises:
            UnreadableReplyError: the reply is cut off, or is no such object.
            PromptTooLongError: the prompt does not fit the window.
        """
        tokens = reply_tokens(self._writer.loaded.window)
        schema = bounded(response_model.model_json_schema(), tokens // _TOKENS_PER_ITEM)
        reply = self._writer.write(prompt, schema, tokens)
        self._trace.replies.append(reply)
        try:
            return response_model.model_validate_json(_without_thoughts(reply))
        except ValidationError:
            ended = reply["new_tokens"] < tokens
            raise UnreadableReplyError(
                "the reply does not parse"
                if ended
                else f"the reply did not end within {tokens} tokens"
            ) from None

    async def agenerate(self, prompt: str, response_model: type[Any]) -> Any:
        """Return the same as `generate`, without awaiting anything."""
        return self.generate(prompt, response_model)


def _without_thoughts(reply: Reply) -> str:
    # Texts in JSON are no Markdown: a mark in one of them is part of the text.
    is_json = reply["text"].lstrip().startswith("{")
    return reply["text"] if is_json else without_thinking(reply["text"], reply["prompt"])


class LocalEmbeddings(BaseRagasEmbedding):
    """A local encoder behind ragas' interface."""

    def __init__(self, encoder: "Encoder") -> None:
        super().__init__()
        self._encoder = encoder

    def embed_text(self, text: str, **kwargs: Any) -> list[float]:
        """Return the unit vector of a text."""
        del kwargs
        return self.embed_texts([text])[0]

    def embed_texts(self, texts: list[str], **kwargs: Any) -> list[list[float]]:
        """Return the unit vectors of texts."""
        del kwargs
        return [[float(x) for x in row] for row in self._encoder.encode(texts)]

    async def aembed_text(self, text: str, **kwargs: Any) -> list[float]:
        """Return the same as `embed_text`, without awaiting anything."""
        return self.embed_text(text, **kwargs)

    async def aembed_texts(self, texts: list[str], **kwargs: Any) -> list[list[float]]:
        """Return the same as `embed_texts`, without awaiting anything."""
        return self.embed_texts(texts, **kwargs)


class WindowedPrompt:
    """A prompt of ragas that is fitted to the window.

    Its examples are in the prompts of all questions or, if they would take more than a quarter of
    the room, of none. Texts that are too long are then cut at the end, the longest first; the
    question is never cut.
    """

    def __init__(self, inner: Any, trace: Trace, room: int, count: Callable[[str], int]) -> None:
        self._inner, self._trace, self._room, self._count = inner, trace, room, count
        if count(inner._generate_examples()) > room * _EXAMPLES_SHARE:
            inner.examples = []

    def to_string(self, data: BaseModel) -> str:
        """Return the prompt of these fields, cut to the room.

        Raises:
            PromptTooLongError: the prompt does not fit even with all texts at their shortest.
        """
        fields = {
            name: value
            for name, value in data.model_dump().items()
            if isinstance(value, str) and name not in _NEVER_CUT
        }
        longest = max(map(len, fields.values()), default=0)
        whole = self._cut_prompt(data, fields, longest)
        if self._count(whole) <= self._room:
            return whole
        low, high = _MIN_TEXT_CHARS, longest
        if self._count(self._cut_prompt(data, fields, low)) > self._room:
            raise PromptTooLongError("the prompt does not fit the window")
        # Bisection for the largest length at which the prompt fits.
        while low < high:
            middle = (low + high + 1) // 2
            if self._count(self._cut_prompt(data, fields, middle)) <= self._room:
                low = middle
            else:
                high = middle - 1
        self._trace.cut_chars += sum(max(0, len(value) - low) for value in fields.values())
        return self._cut_prompt(data, fields, low)

    def _cut_prompt(self, data: BaseModel, fields: Mapping[str, str], chars: int) -> str:
        cut = {name: value[:chars] for name, value in fields.items()}
        return str(self._inner.to_string(data.model_copy(update=cut)))


def model_metric(metric: str, writer: Writer, encoder: "Encoder", trace: Trace) -> Any:
    """Return a metric of ragas that asks `writer` with prompts that are fitted to the window."""
    model = LocalModel(writer, trace)
    scorer: Any
    if metric == "answer_relevancy":
        # Greedy replies to the same prompt are equal: one generated question is as good as three.
        scorer = collections.AnswerRelevancy(model, LocalEmbeddings(encoder), strictness=1)
    elif metric == "faithfulness":
        scorer = collections.Faithfulness(model)
    elif metric == "context_precision":
        scorer = collections.ContextPrecisionWithReference(model)
    else:
        scorer = collections.ContextRecall(model)
    loaded = writer.loaded

    def count(text: str) -> int:
        with _COUNTING:
            return len(loaded.encode(loaded.wrap(loaded.protect(text))))

    room = loaded.window - reply_tokens(loaded.window)
    # Ragas 0.4 has no hook between a metric and its prompts; they are attributes of the metric.
    for name, prompt in vars(scorer).items():
        if hasattr(prompt, "to_string"):
            setattr(scorer, name, WindowedPrompt(prompt, trace, room, count))
    return scorer


def reply_tokens(window: int) -> int:
    """Return the largest number of tokens of a reply: an eighth of the window, at most 1,024."""
    return min(_MAX_REPLY_TOKENS, window // _REPLY_SHARE)


def bounded(schema: Mapping[str, Any], items: int) -> dict[str, Any]:
    """Return a JSON schema of ragas that a reply can fulfil within few tokens.

    Lists hold 1 to `items` items, texts have a largest length, and objects have no further
    properties. Every whole number is bounded to 0 and 1: the metrics ask for verdicts alone.
    """
    limited = {name: _bounded(value, name, items) for name, value in schema.items()}
    if limited.get("type") == "object":
        limited["additionalProperties"] = False
    return limited


def _bounded(value: Any, name: str, items: int) -> Any:
    if isinstance(value, list):
        return [_bounded(item, name, items) for item in value]
    if not isinstance(value, dict):
        return value
    limited = bounded(value, items)
    if limited.get("type") == "array":
        limited |= {"minItems": 1, "maxItems": max(1, items)}
    elif limited.get("type") == "integer":
        limited |= {"minimum": 0, "maximum": 1}
    elif limited.get("type") == "string":
        longest = _MAX_REASON_CHARS if name == "reason" else MAX_CHARS
        limited |= {"minLength": 1, "maxLength": longest}
    return limited
