"""The configured local model and encoder behind ragas' own interfaces.

Importing this imports ragas: it is imported where ragas is used, after `open_ragas` has switched
its telemetry off.
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

if TYPE_CHECKING:
    from graph.retrieval.encoder import Encoder

_REPLY_SHARE = 8
_MOST_TOKENS = 1024
_TOKENS_AN_ITEM = 80
"""What an item of a list takes at most, with its statement, reason and verdict, in English."""
MAX_CHARS = 120
_MAX_REASON_CHARS = 60
_LEAST_CHARS = 80
"""A text that is cut below this says nothing any more."""
_EXAMPLES_SHARE = 0.25
_NEVER_CUT = ("question", "statements")
_COUNTING = Lock()
"""Fast tokenizers refuse to be used by two threads at once ("Already borrowed")."""


class Unreadable(Exception):
    """A reply is not what was asked for; the message is the reason that is counted."""


class Window(Protocol):
    """What a model can read at once, as `graph.models.loading.Loaded` says it."""

    @property
    def window(self) -> int:
        """Tokens of prompt and reply together."""
        ...

    def encode(self, text: str) -> list[int]:
        """Return the tokens that the model reads."""
        ...

    def wrap(self, text: str) -> str:
        """Put a prompt into the model's chat format."""
        ...

    def protect(self, value: str) -> str:
        """Make control tokens plain characters."""
        ...


class Writer(Protocol):
    """What ragas' questions are put to."""

    @property
    def loaded(self) -> Window:
        """What says how much fits."""
        ...

    def write(self, text: str, schema: Mapping[str, object], max_new_tokens: int) -> Reply:
        """Answer a prompt with JSON of a schema."""
        ...


@dataclass
class Trace:
    """What one metric asked for one question."""

    replies: list[Reply] = field(default_factory=list)
    cut_chars: int = 0
    """Characters of contexts and answers left out so that prompts fit the window."""


class LocalModel(InstructorBaseRagasLLM):
    """A local model for ragas; replies follow the schema of what is asked for."""

    def __init__(self, writer: Writer, trace: Trace) -> None:
        self._writer, self._trace = writer, trace

    def generate(self, prompt: str, response_model: type[Any]) -> Any:
        """Return what the model answers, as an object of `response_model`.

        Raises:
            Unreadable: the reply is cut off.
            PromptTooLongError: the prompt does not fit the window.
        """
        tokens = reply_tokens(self._writer.loaded.window)
        schema = bounded(response_model.model_json_schema(), tokens // _TOKENS_AN_ITEM)
        reply = self._writer.write(prompt, schema, tokens)
        self._trace.replies.append(reply)
        try:
            return response_model.model_validate_json(reply["text"])
        except ValidationError:
            ended = reply["new_tokens"] < tokens
            raise Unreadable(
                "the reply does not parse"
                if ended
                else f"the reply did not end within {tokens} tokens"
            ) from None

    async def agenerate(self, prompt: str, response_model: type[Any]) -> Any:
        """Do as `generate`; nothing is awaited."""
        return self.generate(prompt, response_model)


class LocalEmbeddings(BaseRagasEmbedding):
    """The encoder of the run for ragas."""

    def __init__(self, encoder: "Encoder") -> None:
        super().__init__()
        self._encoder = encoder

    def embed_text(self, text: str, **kwargs: Any) -> list[float]:
        """Return the vector of a text, of length 1."""
        del kwargs
        return self.embed_texts([text])[0]

    def embed_texts(self, texts: list[str], **kwargs: Any) -> list[list[float]]:
        """Return the vectors of texts."""
        del kwargs
        return [[float(x) for x in row] for row in self._encoder.encode(texts)]

    async def aembed_text(self, text: str, **kwargs: Any) -> list[float]:
        """Do as `embed_text`; nothing is awaited."""
        return self.embed_text(text, **kwargs)

    async def aembed_texts(self, texts: list[str], **kwargs: Any) -> list[list[float]]:
        """Do as `embed_texts`; nothing is awaited."""
        return self.embed_texts(texts, **kwargs)


class WindowedPrompt:
    """A prompt of ragas that fits the window.

    Its examples are shown to every question, or, where they would take more than a quarter of the
    window, to none. Then the longest texts are cut at the end; the question is never cut.
    """

    def __init__(self, inner: Any, trace: Trace, room: int, count: Callable[[str], int]) -> None:
        self._inner, self._trace, self._room, self._count = inner, trace, room, count
        if count(inner._generate_examples()) > room * _EXAMPLES_SHARE:
            inner.examples = []

    def to_string(self, data: BaseModel) -> str:
        """Return the prompt.

        Raises:
            PromptTooLongError: it does not fit, however much is cut.
        """
        fields = {
            name: value
            for name, value in data.model_dump().items()
            if isinstance(value, str) and name not in _NEVER_CUT
        }
        longest = max(map(len, fields.values()), default=0)
        made = self._made(data, fields, longest)
        if self._count(made) <= self._room:
            return made
        low, high = _LEAST_CHARS, longest
        if self._count(self._made(data, fields, low)) > self._room:
            raise PromptTooLongError("the prompt does not fit the window")
        while low < high:
            middle = (low + high + 1) // 2
            if self._count(self._made(data, fields, middle)) <= self._room:
                low = middle
            else:
                high = middle - 1
        self._trace.cut_chars += sum(max(0, len(value) - low) for value in fields.values())
        return self._made(data, fields, low)

    def _made(self, data: BaseModel, fields: Mapping[str, str], chars: int) -> str:
        cut = {name: value[:chars] for name, value in fields.items()}
        return str(self._inner.to_string(data.model_copy(update=cut)))


def model_metric(metric: str, writer: Writer, encoder: "Encoder", trace: Trace) -> Any:
    """Return a metric of ragas that asks `writer`, its prompts fitted to the window."""
    model = LocalModel(writer, trace)
    made: Any
    if metric == "answer_relevancy":
        # Greedy replies to the same prompt are the same: one question is as good as three.
        made = collections.AnswerRelevancy(model, LocalEmbeddings(encoder), strictness=1)
    elif metric == "faithfulness":
        made = collections.Faithfulness(model)
    elif metric == "context_precision":
        made = collections.ContextPrecisionWithReference(model)
    else:
        made = collections.ContextRecall(model)
    loaded = writer.loaded

    def count(text: str) -> int:
        with _COUNTING:
            return len(loaded.encode(loaded.wrap(loaded.protect(text))))

    for name, prompt in vars(made).items():
        if hasattr(prompt, "to_string"):
            room = loaded.window - reply_tokens(loaded.window)
            setattr(made, name, WindowedPrompt(prompt, trace, room, count))
    return made


def reply_tokens(window: int) -> int:
    """Return how long a reply may be: an eighth of the window, and no more than it takes."""
    return min(_MOST_TOKENS, window // _REPLY_SHARE)


def bounded(schema: Mapping[str, Any], items: int) -> dict[str, Any]:
    """Return a schema of ragas that a reply can fulfil within few tokens.

    Lists hold 1 to `items` items, texts end, and nothing besides is allowed. Every whole number
    that the metrics ask for is a verdict, 0 or 1.
    """
    made = {name: _bounded(value, name, items) for name, value in schema.items()}
    if made.get("type") == "object":
        made["additionalProperties"] = False
    return made


def _bounded(value: Any, name: str, items: int) -> Any:
    if isinstance(value, list):
        return [_bounded(each, name, items) for each in value]
    if not isinstance(value, dict):
        return value
    made = bounded(value, items)
    if made.get("type") == "array":
        made |= {"minItems": 1, "maxItems": max(1, items)}
    elif made.get("type") == "integer":
        made |= {"minimum": 0, "maximum": 1}
    elif made.get("type") == "string":
        longest = _MAX_REASON_CHARS if name == "reason" else MAX_CHARS
        made |= {"minLength": 1, "maxLength": longest}
    return made
