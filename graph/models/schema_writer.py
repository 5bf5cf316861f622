"""Replies that follow a JSON schema: a token that would break it is never chosen.

The grammar of a schema and the tokens it allows come from llguidance (`opencoder[ragas]`), which
needs neither a compiler nor a package beside its wheel.
"""

import json
from collections.abc import Mapping, Sequence
from threading import Lock
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from langchain_core.prompts import PromptTemplate

from graph.models.budget import FittedPrompt, fit_prompt
from graph.models.engines.huggingface_engine import HuggingFaceEngine
from graph.models.loading import LoadedModel
from graph.models.lockstep import Lockstep
from graph.models.memory import halving
from graph.support.errors import MissingExtraError
from nodes.model import Prompt, Reply

if TYPE_CHECKING:
    from torch import Tensor

_AS_IS = PromptTemplate.from_template("{text}")


class _Row(NamedTuple):
    fitted: FittedPrompt
    grammar: str


class SchemaWriter:
    """Writes JSON greedily; what questions in lockstep ask is written in one batch."""

    def __init__(self, engine: HuggingFaceEngine, lockstep: Lockstep, *, batch_size: int) -> None:
        self._engine = engine
        self._lockstep = lockstep
        self._batch_size = batch_size
        self._lock = Lock()
        self._tokenizer: Any = None

    @property
    def loaded(self) -> LoadedModel:
        """The model; the first use loads it."""
        return self._engine.loaded

    def load(self) -> None:
        """Load the model now: what cannot be loaded is an error at once, and not each question's.

        Raises:
            ConfigError: there is no such model.
        """
        self._guiding()

    def write(self, text: str, schema: Mapping[str, object], max_new_tokens: int) -> Reply:
        """Answer a prompt with JSON of a schema.

        A reply that is not done after `max_new_tokens` is cut off there, and is no JSON then.

        Raises:
            PromptTooLongError: the prompt and the reply do not fit the window.
            ValueError: the schema has a part that cannot be enforced.
        """
        grammar = _grammar(schema)
        found: Reply = self._lockstep.ask(
            ("schema", self._engine.name, max_new_tokens),
            [(text, grammar)],
            lambda asked: self._write_all(asked, max_new_tokens),
        )[0]
        return found

    def _write_all(
        self, asked: Sequence[tuple[str, str]], max_new_tokens: int
    ) -> list[Reply | Exception]:
        with self._lock:
            outcomes: dict[int, Reply | Exception] = {}
            rows: list[tuple[int, _Row]] = []
            for number, (text, grammar) in enumerate(asked):
                try:
                    rows.append((number, _Row(self._fit(text, max_new_tokens), grammar)))
                except Exception as error:  # costs its own question, and is recorded there
                    outcomes[number] = error
            # Rows of like length side by side pad little.
            rows.sort(key=lambda pair: (-pair[1].fitted.tokens, pair[0]))
            for start in range(0, len(rows), self._batch_size):
                part = rows[start : start + self._batch_size]
                made = halving(
                    [row for _, row in part],
                    lambda batch, halvings: self._write(batch, halvings, max_new_tokens),
                )
                outcomes.update({n: each for (n, _), each in zip(part, made, strict=True)})
            return [outcomes[number] for number in range(len(asked))]

    def _fit(self, text: str, max_new_tokens: int) -> FittedPrompt:
        loaded = self.loaded
        return fit_prompt(
            Prompt(_AS_IS, {"text": text}),
            limit=loaded.window - max_new_tokens,
            count=lambda rendered: len(loaded.encode(rendered)),
            protect=loaded.protect,
            wrap=loaded.wrap,
        )

    def _write(
        self, batch: Sequence[_Row], halvings: int, max_new_tokens: int
    ) -> list[Reply | Exception]:
        start = perf_counter()
        guide = _Guide(self._guiding(), [row.grammar for row in batch])
        made = _generate(self.loaded, [row.fitted.text for row in batch], guide, max_new_tokens)
        seconds = (perf_counter() - start) / len(batch)
        return [
            {
                "text": text,
                "prompt": row.fitted.text,
                "prompt_tokens": row.fitted.tokens,
                "new_tokens": tokens,
                "cut_tokens": row.fitted.cut_tokens,
                "seconds": seconds,
                "halvings": halvings,
                "cached": False,
            }
            for row, (text, tokens) in zip(batch, made, strict=True)
        ]

    def _guiding(self) -> Any:
        """Return llguidance's view of the tokenizer; making it takes a second."""
        if self._tokenizer is None:
            from llguidance.hf import from_tokenizer

            loaded = self.loaded
            size = int(loaded.model.config.get_text_config().vocab_size)
            tokenizer: Any = loaded.tokenizer
            self._tokenizer = from_tokenizer(
                tokenizer, n_vocab=size, eos_token=sorted(loaded.pipeline.eos)
            )
        return self._tokenizer


class _Guide:
    """A logits processor: keeps each row to its grammar."""

    def __init__(self, tokenizer: Any, grammars: Sequence[str]) -> None:
        import llguidance

        self._size, self._end = tokenizer.vocab_size, tokenizer.eos_token
        self._rows = [llguidance.LLMatcher(tokenizer, grammar) for grammar in grammars]
        for row in self._rows:
            if row.is_error():
                raise ValueError(f"the schema cannot be enforced: {row.get_error()}")
        self._begun = False

    def __call__(self, input_ids: "Tensor", scores: "Tensor") -> "Tensor":
        import torch
        from llguidance.numpy import allocate_token_bitmask, fill_next_token_bitmask

        mask = allocate_token_bitmask(len(self._rows), self._size)
        done = []
        last = input_ids[:, -1].tolist()
        for number, row in enumerate(self._rows):
            if self._begun and not row.is_stopped():
                row.consume_token(last[number])
            if row.is_stopped():
                done.append(number)
            else:
                fill_next_token_bitmask(row, mask, number)
        self._begun = True
        # Bits of a token's word stand from the lowest to the highest.
        allowed = np.unpackbits(mask.view(np.uint8), axis=1, bitorder="little")
        refused = allowed[:, : scores.shape[1]] == 0
        # A grammar that allows nothing more does not ask for the end by itself.
        refused[done] = True
        refused[done, self._end] = False
        return scores.masked_fill(torch.from_numpy(refused).to(scores.device), float("-inf"))


def _generate(
    loaded: LoadedModel, prompts: Sequence[str], guide: _Guide, max_new_tokens: int
) -> list[tuple[str, int]]:
    """Return each prompt's new text and its count of new tokens."""
    import torch
    from transformers import GenerationConfig, LogitsProcessorList

    model: Any = loaded.model
    pad = loaded.tokenizer.pad_token_id
    rows = [loaded.encode(prompt) for prompt in prompts]
    width = max(map(len, rows))
    ids = torch.tensor([[pad] * (width - len(row)) + row for row in rows])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
    eos = loaded.pipeline.eos
    with torch.inference_mode():
        made = model.generate(
            input_ids=ids.to(model.device),
            attention_mask=mask.to(model.device),
            logits_processor=LogitsProcessorList([guide]),
            generation_config=GenerationConfig(
                max_new_tokens=max_new_tokens,
                do_sample=False,
                repetition_penalty=loaded.spec.repetition_penalty,
                pad_token_id=pad,
                eos_token_id=sorted(eos),
            ),
        )
    texts = []
    for row in made[:, width:].tolist():
        count = next((place for place, token in enumerate(row) if token in eos), len(row))
        text = str(loaded.tokenizer.decode(row[:count], skip_special_tokens=True))
        texts.append((text, min(count + 1, len(row))))
    return texts


def _grammar(schema: Mapping[str, object]) -> str:
    try:
        from llguidance import LLMatcher
    except ImportError:
        raise MissingExtraError(
            "replies that follow a schema need llguidance: pip install 'opencoder[ragas]'"
        ) from None
    # Free white space would let a small model write line breaks to the end of its budget.
    compact: Any = {"whitespace_flexible": False}
    return str(LLMatcher.grammar_from_json_schema(json.dumps(schema), overrides=compact))
