"""LangChain's HuggingFacePipeline with real batches, all settings and exact token counts.

The pipeline of langchain-huggingface 1.2 slices the prompts into batches, but transformers then
runs them one by one. It also ignores `stop` and the settings of a pipeline that was built before,
and it does not count new tokens.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.outputs import Generation, LLMResult
from langchain_huggingface import HuggingFacePipeline

from graph.models.text_stream import Show, TextStream

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


class BatchedPipeline(HuggingFacePipeline):
    """A LangChain LLM that writes a list of prompts in one `model.generate` call."""

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
        """Wrap a loaded model; `adds_special` tells whether the tokenizer adds its start token."""
        from transformers import pipeline

        build: Any = pipeline  # its overloads do not know the common base of tokenizers
        inner = build("text-generation", model=model, tokenizer=tokenizer)
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
        shows: Sequence[Show | None] = (),
    ) -> list[tuple[str, int]]:
        """Return the new text of each prompt and its number of new tokens, the end token included.

        Args:
            prompts: The prompts, which run as one batch.
            max_new_tokens: The largest number of new tokens.
            temperature: 0 is greedy decoding.
            repetition_penalty: 1 is none.
            stop: Strings that end a text.
            seed: The seed of sampling.
            shows: Takes the text of each prompt so far after each token; empty if nobody reads them.
        """
        # Not `generate`: the engine's calls are LLM runs already, and LangChain's global cache does
        # not know the settings that are arguments here.
        result = self._generate(
            prompts,
            stop=stop or None,
            shows=shows,
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

    def decode(self, tokens: Sequence[int], stop: Sequence[str] = ()) -> tuple[str, int]:
        """Return the text of a generated row and its number of tokens, the end token included.

        Args:
            tokens: The new tokens of one row, padded to the length of its batch.
            stop: Strings that end the text; it is cut off before the first of them.
        """
        tokenizer = self.pipeline.tokenizer
        end = next((i for i, token in enumerate(tokens) if token in self.eos), None)
        if end is None:
            # A row that ends with a stop string has no end token, and padding follows it.
            pads = {tokenizer.pad_token_id} - self.eos
            end = next((i for i, token in enumerate(tokens) if token in pads), len(tokens))
            count = end
        else:
            count = end + 1
        text = tokenizer.decode(tokens[:end], skip_special_tokens=True)
        cuts = [text.find(mark) for mark in stop if mark in text]
        return text[: min(cuts)] if cuts else text, count

    def _generate(
        self,
        prompts: list[str],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> LLMResult:
        settings = {**(self.pipeline_kwargs or {}), **kwargs.get("pipeline_kwargs", {})}
        shows: Sequence[Show | None] = kwargs.get("shows", ())
        import torch

        torch.manual_seed(int(settings.pop("seed", 0)))
        records = self.pipeline(
            prompts,
            batch_size=len(prompts),
            return_tensors=True,
            add_special_tokens=self.adds_special,
            generation_config=self._generation_config(settings),
            **({"stop_sequence": stop} if stop else {}),
            streamer=self._text_stream(shows, stop or ()) if any(shows) else None,
        )
        # Prompts are padded on the left, so that all new tokens begin after the longest prompt.
        width = max(self._length(prompt) for prompt in prompts)
        rows = [
            self.decode(record[0]["generated_token_ids"][width:], stop or ()) for record in records
        ]
        return LLMResult(
            generations=[
                [Generation(text=text, generation_info={"new_tokens": count})]
                for text, count in rows
            ]
        )

    def _text_stream(self, shows: Sequence[Show | None], stop: Sequence[str]) -> TextStream:
        return TextStream(lambda tokens: self.decode(tokens, stop)[0], stop, shows)

    def _generation_config(self, settings: dict[str, Any]) -> object:
        """Build a config that states every setting: none is left to the checkpoint's defaults."""
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
