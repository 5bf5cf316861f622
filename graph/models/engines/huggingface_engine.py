"""The engine of Hugging Face models: transformers, in padded batches."""

from collections.abc import Sequence

from graph.models.budget import FittedPrompt
from graph.models.engines.weights_engine import WeightsEngine
from graph.models.loading import TorchModel, load_model
from graph.models.seeds import batch_seed


class HuggingFaceEngine(WeightsEngine[TorchModel]):
    """A model that transformers runs."""

    def _load(self) -> TorchModel:
        return load_model(self.spec)

    def _generate(
        self, batch: Sequence[FittedPrompt], max_new_tokens: int, temperature: float
    ) -> list[tuple[str, int]]:
        texts = [row.text for row in batch]
        return self.loaded.pipeline.write(
            texts,
            max_new_tokens=max_new_tokens,
            temperature=temperature,
            repetition_penalty=self.spec.repetition_penalty,
            stop=list(self.spec.stop),
            seed=batch_seed(self._seed, texts),
            shows=[row.call.show if row.call.shows_tokens else None for row in batch],
        )
