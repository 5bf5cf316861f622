"""The engine of OpenVINO GenAI: prompts are read once on a CPU, and replies are written together."""

from collections.abc import Sequence

from graph.models.budget import FittedPrompt
from graph.models.engines.weights_engine import WeightsEngine
from graph.models.openvino_model import OpenVINOModel, Request, load_openvino_model
from graph.models.seeds import numbers, request_seed


class OpenVINOEngine(WeightsEngine[OpenVINOModel]):
    """A model that OpenVINO GenAI runs."""

    def _load(self) -> OpenVINOModel:
        return load_openvino_model(self.spec, self._batch_size)

    def _generate(
        self, batch: Sequence[FittedPrompt], max_new_tokens: int, temperature: float
    ) -> list[tuple[str, int]]:
        counts = numbers([row.text for row in batch])
        requests = [
            Request(
                self.loaded.encode(row.text),
                request_seed(self._seed, row.text, number),
                row.call.show if row.call.shows_tokens else None,
            )
            for row, number in zip(batch, counts, strict=True)
        ]
        return self.loaded.write(requests, max_new_tokens=max_new_tokens, temperature=temperature)

    def _option_logprobs(
        self, batch: Sequence[FittedPrompt], options: Sequence[str]
    ) -> list[list[float]]:
        """Return the log-probability of each option after each prompt.

        Options of one token, the usual case, share the prompt that the pipeline has read.
        """
        tokens = self._single_tokens(batch, options)
        logprobs = None
        if tokens is not None:
            prompts = [self.loaded.encode(row.text) for row in batch]
            texts = [str(self.loaded.tokenizer.decode([token])) for token in tokens]
            pairs = list(zip(texts, tokens, strict=True))
            logprobs = self.loaded.next_token_logprobs(prompts, pairs)
        return super()._option_logprobs(batch, options) if logprobs is None else logprobs

    def _single_tokens(
        self, batch: Sequence[FittedPrompt], options: Sequence[str]
    ) -> list[int] | None:
        """Return the token that each option is after every prompt; None if one is not a single token."""
        loaded = self.loaded
        tokens: dict[str, int] = {}
        for row in batch:
            prompt = loaded.encode(row.text)
            for option in options:
                *start, last = loaded.encode(loaded.join(row.text, option))
                if start != prompt or tokens.setdefault(option, last) != last:
                    return None
        return [tokens[option] for option in options]
