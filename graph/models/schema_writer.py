"""The writer of replies that follow a JSON schema: a token that breaks the schema is never chosen.

llguidance (`opencoder[ragas]`) turns a schema into a grammar and computes the tokens that it allows.
"""

import json
from collections.abc import Mapping, Sequence
from threading import Lock
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from langchain_core.prompts import PromptTemplate

from graph.models.budget import FittedPrompt
from graph.models.engines.huggingface_engine import HuggingFaceEngine
from graph.models.loading import TorchModel
from graph.models.lockstep import Lockstep
from graph.models.memory import run_in_batches, run_or_halve
from graph.support.errors import MissingExtraError
from nodes.model import Prompt, Reply

if TYPE_CHECKING:
    from torch import Tensor

_WHOLE = PromptTemplate.from_template("{text}")


class _Row(NamedTuple):
    fitted: FittedPrompt
    grammar: str


class SchemaWriter:
    """Writes JSON by greedy decoding; requests of questions in lockstep are written in one batch."""

    def __init__(self, engine: HuggingFaceEngine, lockstep: Lockstep, *, batch_size: int) -> None:
        self._engine = engine
        self._lockstep = lockstep
        self._batch_size = batch_size
        self._lock = Lock()
        self._tokenizer: Any = None

    @property
    def loaded(self) -> TorchModel:
        """The model; the first use loads it."""
        return self._engine.loaded

    def load(self) -> None:
        """Load the model now, so that a model that cannot be loaded is one error, not one a question.

        Raises:
            ConfigError: There is no such model.
        """
        self._guided_tokenizer()

    def write(self, text: str, schema: Mapping[str, object], max_new_tokens: int) -> Reply:
        """Write the reply to a prompt as JSON of a schema.

        A reply that does not end within `max_new_tokens` is cut off there, and then is no JSON.

        Raises:
            PromptTooLongError: The prompt and the reply do not fit the window.
            ValueError: The schema has a part that cannot be enforced.
        """
        grammar = _grammar(schema)
        reply: Reply = self._lockstep.ask(
            ("schema", self._engine.name, max_new_tokens),
            [(text, grammar)],
            lambda requests: self._write_all(requests, max_new_tokens),
        )[0]
        return reply

    def _write_all(
        self, requests: Sequence[tuple[str, str]], max_new_tokens: int
    ) -> list[Reply | Exception]:
        with self._lock:
            return run_in_batches(
                [self._row(text, grammar, max_new_tokens) for text, grammar in requests],
                lambda rows: run_or_halve(
                    rows, lambda part, halvings: self._write(part, halvings, max_new_tokens)
                ),
                batch_size=self._batch_size,
                tokens=lambda row: row.fitted.tokens,
            )

    def _row(self, text: str, grammar: str, max_new_tokens: int) -> _Row | Exception:
        [fitted] = self._engine.fitter.fit_all([Prompt(_WHOLE, {"text": text})], max_new_tokens)
        return fitted if isinstance(fitted, Exception) else _Row(fitted, grammar)

    def _write(
        self, batch: Sequence[_Row], halvings: int, max_new_tokens: int
    ) -> list[Reply | Exception]:
        start = perf_counter()
        guide = _Guide(self._guided_tokenizer(), [row.grammar for row in batch])
        texts = _generate(self.loaded, [row.fitted.text for row in batch], guide, max_new_tokens)
        seconds = (perf_counter() - start) / len(batch)
        return [
            {
                "text": text,
                "prompt": row.fitted.text,
                "prompt_tokens": row.fitted.tokens,
                "new_tokens": new_tokens,
                "cut_tokens": row.fitted.cut_tokens,
                "tokens_estimated": False,
                "seconds": seconds,
                "halvings": halvings,
                "cached": False,
            }
            for row, (text, new_tokens) in zip(batch, texts, strict=True)
        ]

    def _guided_tokenizer(self) -> Any:
        """Return llguidance's form of the tokenizer; it is built once, which takes a second."""
        if self._tokenizer is None:
            from llguidance.hf import from_tokenizer

            loaded = self.loaded
            # The model's vocabulary, not the tokenizer's: logits may be padded to a round number.
            size = int(loaded.model.config.get_text_config().vocab_size)
            tokenizer: Any = loaded.tokenizer
            self._tokenizer = from_tokenizer(
                tokenizer, n_vocab=size, eos_token=sorted(loaded.pipeline.eos)
            )
        return self._tokenizer


class _Guide:
    """A logits processor that forbids the tokens which the grammar of a row does not allow."""

    def __init__(self, tokenizer: Any, grammars: Sequence[str]) -> None:
        import llguidance

        self._size, self._end = tokenizer.vocab_size, tokenizer.eos_token
        self._rows = [llguidance.LLMatcher(tokenizer, grammar) for grammar in grammars]
        for row in self._rows:
            if row.is_error():
                raise ValueError(f"the schema cannot be enforced: {row.get_error()}")
        self._has_begun = False

    def __call__(self, input_ids: "Tensor", scores: "Tensor") -> "Tensor":
        import torch
        from llguidance.numpy import allocate_token_bitmask, fill_next_token_bitmask

        mask = allocate_token_bitmask(len(self._rows), self._size)
        stopped = []
        last = input_ids[:, -1].tolist()
        for index, row in enumerate(self._rows):
            # At the first call the last token is the prompt's.
            if self._has_begun and not row.is_stopped():
                row.consume_token(last[index])
            if row.is_stopped():
                stopped.append(index)
            else:
                fill_next_token_bitmask(row, mask, index)
        self._has_begun = True
        # A word of the mask holds 32 tokens, the first of them in its lowest bit.
        allowed = np.unpackbits(mask.view(np.uint8), axis=1, bitorder="little")
        forbidden = allowed[:, : scores.shape[1]] == 0
        # llguidance 1.9 gives no mask for a stopped grammar; such a row may only end.
        forbidden[stopped] = True
        forbidden[stopped, self._end] = False
        return scores.masked_fill(torch.from_numpy(forbidden).to(scores.device), float("-inf"))


def _generate(
    loaded: TorchModel, prompts: Sequence[str], guide: _Guide, max_new_tokens: int
) -> list[tuple[str, int]]:
    """Return the new text of each prompt and its number of new tokens."""
    import torch
    from transformers import GenerationConfig, LogitsProcessorList

    model: Any = loaded.model
    ids, mask = loaded.pad([loaded.encode(prompt) for prompt in prompts])
    with torch.inference_mode():
        rows = model.generate(
            input_ids=ids,
            attention_mask=mask,
            logits_processor=LogitsProcessorList([guide]),
            generation_config=GenerationConfig(
                max_new_tokens=max_new_tokens,
                do_sample=False,
                repetition_penalty=loaded.spec.repetition_penalty,
                pad_token_id=loaded.tokenizer.pad_token_id,
                eos_token_id=sorted(loaded.pipeline.eos),
            ),
        )
    return [loaded.pipeline.decode(row) for row in rows[:, ids.shape[1] :].tolist()]


def _grammar(schema: Mapping[str, object]) -> str:
    try:
        from llguidance import LLMatcher
    except ImportError:
        raise MissingExtraError(
            "replies that follow a schema need llguidance: pip install 'opencoder[ragas]'"
        ) from None
    # With flexible white space a small model may write line breaks to the end of its budget.
    compact: Any = {"whitespace_flexible": False}
    return str(LLMatcher.grammar_from_json_schema(json.dumps(schema), overrides=compact))
