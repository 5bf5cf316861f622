"""Batched models: engines, which run many prompts in one call, as the models that nodes call."""

from collections.abc import Callable, Hashable, Sequence
from typing import Any

from graph.models.engines import Engine, ScoringEngine
from graph.models.lockstep import Lockstep
from nodes.model import Continuation, Likelihood, Prompt, Reply, Verdict


class BatchedModel:
    """An engine as `TextModel` and `Chooser`: calls of questions in lockstep run together.

    The calls of an engine that does not batch run at once.
    """

    def __init__(self, engine: Engine, lockstep: Lockstep) -> None:
        self.engine = engine
        self._lockstep = lockstep

    def write(
        self, prompts: Sequence[Prompt], *, max_new_tokens: int, temperature: float = 0.0
    ) -> list[Reply]:
        """Write a reply to each prompt, in order."""
        return self._ask(
            ("write", self.engine.name, max_new_tokens, temperature),
            prompts,
            lambda joined: self.engine.write_all(joined, max_new_tokens, temperature),
        )

    def choose(self, prompts: Sequence[Prompt], options: Sequence[str]) -> list[Verdict]:
        """Choose one of the options for each prompt, in order."""
        check_options(options)
        return self._ask(
            ("choose", self.engine.name, tuple(options)),
            prompts,
            lambda joined: self.engine.choose_all(joined, options),
        )

    def _ask(
        self, key: Hashable, items: Sequence[Any], serve: Callable[[list[Any]], Sequence[Any]]
    ) -> list[Any]:
        if self.engine.batches:
            return self._lockstep.ask(key, items, serve)
        return self._lockstep.ask_alone(items, serve)


def check_options(options: Sequence[str]) -> None:
    """Check that there are two or more different options and none is empty.

    Raises:
        ValueError: The options do not fulfil this.
    """
    if len(options) < 2 or len(set(options)) < len(options) or not all(options):
        raise ValueError(f"options must be two or more different texts, got {list(options)!r}")


class ScoringModel(BatchedModel):
    """A `BatchedModel` that is a `LikelihoodModel` too."""

    def __init__(self, engine: ScoringEngine, lockstep: Lockstep) -> None:
        super().__init__(engine, lockstep)
        self._scoring = engine

    def likelihoods(self, continuations: Sequence[Continuation]) -> list[Likelihood]:
        """Compute the likelihood of each text after its prompt, in order."""
        return self._ask(("score", self.engine.name), continuations, self._scoring.score_all)
