"""Batched models: engines, which run many prompts in one call, as the models that nodes call."""

from collections.abc import Sequence
from typing import Protocol

from graph.models.lockstep import Lockstep
from nodes.model import Continuation, Likelihood, Prompt, Reply, Verdict


class Engine(Protocol):
    """Runs a model on many prompts in one call; an outcome is a result or its prompt's error."""

    name: str

    @property
    def commit(self) -> str | None:
        """The commit of the model repository whose weights were loaded, if there is one."""
        ...

    def write_all(
        self, prompts: Sequence[Prompt], max_new_tokens: int, temperature: float
    ) -> Sequence[Reply | Exception]:
        """Write a reply to each prompt, in order."""
        ...

    def choose_all(
        self, prompts: Sequence[Prompt], options: Sequence[str]
    ) -> Sequence[Verdict | Exception]:
        """Choose one of the options for each prompt, in order."""
        ...


class BatchedModel:
    """An engine as `TextModel` and `Chooser`: calls of questions in lockstep run together."""

    def __init__(self, engine: Engine, lockstep: Lockstep) -> None:
        self.engine = engine
        self._lockstep = lockstep

    def write(
        self, prompts: Sequence[Prompt], *, max_new_tokens: int, temperature: float = 0.0
    ) -> list[Reply]:
        """Write a reply to each prompt, in order."""
        return self._lockstep.ask(
            ("write", self.engine.name, max_new_tokens, temperature),
            prompts,
            lambda joined: self.engine.write_all(joined, max_new_tokens, temperature),
        )

    def choose(self, prompts: Sequence[Prompt], options: Sequence[str]) -> list[Verdict]:
        """Choose one of the options for each prompt, in order."""
        check_options(options)
        return self._lockstep.ask(
            ("choose", self.engine.name, tuple(options)),
            prompts,
            lambda joined: self.engine.choose_all(joined, options),
        )


def check_options(options: Sequence[str]) -> None:
    """Check that there are two or more different options and none is empty.

    Raises:
        ValueError: The options do not fulfil this.
    """
    if len(options) < 2 or len(set(options)) < len(options) or not all(options):
        raise ValueError(f"options must be two or more different texts, got {list(options)!r}")


class ScoringEngine(Engine, Protocol):
    """An engine that also computes the probability of a given text."""

    def score_all(self, continuations: Sequence[Continuation]) -> Sequence[Likelihood | Exception]:
        """Compute the likelihood of each text after its prompt, in order."""
        ...


class ScoringModel(BatchedModel):
    """A `BatchedModel` that is a `LikelihoodModel` too."""

    def __init__(self, engine: ScoringEngine, lockstep: Lockstep) -> None:
        super().__init__(engine, lockstep)
        self._scoring = engine

    def likelihoods(self, continuations: Sequence[Continuation]) -> list[Likelihood]:
        """Compute the likelihood of each text after its prompt, in order."""
        return self._lockstep.ask(
            ("score", self.engine.name), continuations, self._scoring.score_all
        )
