"""LangChain's HuggingFacePipeline with real batches, honoured settings and exact token counts.

The stock wrapper slices a batch but its inner pipeline then runs row by row, it ignores `stop`
and the settings of a pipeline built beforehand, and it does not say how many tokens it made.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.outputs import Generation, LLMResult
from langchain_huggingface import HuggingFacePipeline

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


class BatchedPipeline(HuggingFacePipeline):
    """A LangChain LLM whose `generate(list)` is one `model.generate` call for the whole list."""

    eos: frozenset[int]
    adds_special: bool

    @classmethod
    def of(
        cls,
        model: "PreTrainedModel",
        tokenizer: "PreTrainedTokenizerBase",
        eos: frozenset[int],
        *,
        adds_special: bool,
    ) -> "BatchedPipeline":
        """Wrap a loaded model; `adds_special` is whether the tokenizer adds its own BOS."""
        from transformers import pipeline

        made: Any = pipeline  # its overloads do not know the common base of tokenizers
        inner = made("text-generation", model=model, tokenizer=tokenizer)
        return cls(pipeline=inner, eos=eos, adds_special=adds_special)

    def write(
        self,
        prompts: list[str],
        *,
        max_new_tokens: int,
        temperature: float,
        repetition_penalty: float,
        stop: list[str],
        seed: int,
    ) -> list[tuple[str, int]]:
        """Return each prompt's new text and its count of new tokens, an end token included."""
        result = self.generate(
            prompts,
            stop=stop or None,
            pipeline_kwargs={
                "max_new_tokens": max_new_tokens,
                "temperature": temperature,
                "repetition_penalty": repetition_penalty,
                "seed": seed,
            },
        )
        return [
            (row[0].text, int((row[0].generation_info or {})["new_tokens"]))
            for row in result.generations
        ]

    def _generate(
        self,
        prompts: list[str],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> LLMResult:
        settings = {**(self.pipeline_kwargs or {}), **kwargs.get("pipeline_kwargs", {})}
        import torch

        torch.manual_seed(int(settings.pop("seed", 0)))
        records = self.pipeline(
            prompts,
            batch_size=len(prompts),
            return_tensors=True,
            add_special_tokens=self.adds_special,
            generation_config=self._generation_config(settings),
            **({"stop_sequence": stop} if stop else {}),
        )
        width = max(self._length(prompt) for prompt in prompts)
        rows = [self._row(record[0]["generated_token_ids"][width:], stop) for record in records]
        return LLMResult(generations=[[row] for row in rows])

    def _generation_config(self, settings: dict[str, Any]) -> object:
        """State every setting, so that nothing of a checkpoint's own defaults slips in."""
        from transformers import GenerationConfig

        temperature = float(settings.get("temperature", 0.0))
        sampling = {"do_sample": True, "temperature": temperature, "top_k": 0, "top_p": 1.0}
        return GenerationConfig(
            max_new_tokens=int(settings.get("max_new_tokens", 256)),
            repetition_penalty=float(settings.get("repetition_penalty", 1.0)),
            pad_token_id=self.pipeline.tokenizer.pad_token_id,
            eos_token_id=sorted(self.eos) or None,
            **(sampling if temperature > 0 else {"do_sample": False}),
        )

    def _length(self, prompt: str) -> int:
        tokenizer = self.pipeline.tokenizer
        return len(tokenizer.encode(prompt, add_special_tokens=self.adds_special))

    def _row(self, tokens: Sequence[int], stop: list[str] | None) -> Generation:
        tokenizer = self.pipeline.tokenizer
        ended = next((i for i, token in enumerate(tokens) if token in self.eos), None)
        if ended is None:
            # A row that met a stop string is padded to the end of its batch.
            pads = {tokenizer.pad_token_id} - self.eos
            count = next((i for i, token in enumerate(tokens) if token in pads), len(tokens))
            made = tokens[:count]
        else:
            count, made = ended + 1, tokens[:ended]
        text = tokenizer.decode(made, skip_special_tokens=True)
        cuts = [text.find(mark) for mark in stop or [] if mark in text]
        return Generation(
            text=text[: min(cuts)] if cuts else text,
            generation_info={"new_tokens": count},
        )
