"""From an engine, which takes many prompts at once, to the model that a node sees."""

from collections.abc import Sequence
from typing import Protocol

from graph.models.lockstep import Lockstep
from graph.models.verdict import check_options
from nodes.model import Continued, Likelihood, Prompt, Reply, Verdict


class Engine(Protocol):
    """Serves many prompts in one call; an outcome is a result or that prompt's own error."""

    name: str

    @property
    def commit(self) -> str | None:
        """The commit of the model repository that was loaded, if there is one."""
        ...

    def write_all(
        self, prompts: Sequence[Prompt], max_new_tokens: int, temperature: float
    ) -> Sequence[Reply | Exception]:
        """Answer each prompt, in order."""
        ...

    def choose_all(
        self, prompts: Sequence[Prompt], options: Sequence[str]
    ) -> Sequence[Verdict | Exception]:
        """Choose for each prompt, in order."""
        ...


class BatchedModel:
    """An engine as `TextModel` and `Chooser`: asks of questions that run in lockstep are joined."""

    def __init__(self, engine: Engine, lockstep: Lockstep) -> None:
        self.engine = engine
        self._lockstep = lockstep

    def write(
        self, prompts: Sequence[Prompt], *, max_new_tokens: int, temperature: float = 0.0
    ) -> list[Reply]:
        """Answer each prompt, in order."""
        return self._lockstep.ask(
            ("write", self.engine.name, max_new_tokens, temperature),
            prompts,
            lambda together: self.engine.write_all(together, max_new_tokens, temperature),
        )

    def choose(self, prompts: Sequence[Prompt], options: Sequence[str]) -> list[Verdict]:
        """Give one verdict for each prompt, in order."""
        check_options(options)
        return self._lockstep.ask(
            ("choose", self.engine.name, tuple(options)),
            prompts,
            lambda together: self.engine.choose_all(together, options),
        )


class ScoringEngine(Engine, Protocol):
    """An engine that gives the probabilities of given texts too."""

    def score_all(self, asked: Sequence[Continued]) -> Sequence[Likelihood | Exception]:
        """Say how likely the model is to write each text after its prompt, in order."""
        ...


class ScoringModel(BatchedModel):
    """A `BatchedModel` that is a `Scorer` too."""

    def __init__(self, engine: ScoringEngine, lockstep: Lockstep) -> None:
        super().__init__(engine, lockstep)
        self._scoring = engine

    def likelihoods(self, asked: Sequence[Continued]) -> list[Likelihood]:
        """Say how likely the model is to write each text after its prompt, in order."""
        return self._lockstep.ask(("score", self.engine.name), asked, self._scoring.score_all)
