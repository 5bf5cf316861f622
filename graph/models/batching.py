"""Batched models: engines, which run many prompts in one call, as the models that nodes call."""

from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Any

from graph.models.engines import Engine, ScoringEngine
from graph.models.lockstep import Lockstep
from graph.models.traced_calls import call_of, traced
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
            self._traced(prompts, max_tokens=max_new_tokens, temperature=temperature),
            lambda joined: self.engine.write_all(joined, max_new_tokens, temperature),
        )

    def choose(self, prompts: Sequence[Prompt], options: Sequence[str]) -> list[Verdict]:
        """Choose one of the options for each prompt, in order."""
        check_options(options)
        return self._ask(
            ("choose", self.engine.name, tuple(options)),
            self._traced(prompts, options=list(options)),
            lambda joined: self.engine.choose_all(joined, options),
        )

    def _traced(self, prompts: Sequence[Prompt], **settings: object) -> list[Prompt]:
        return traced(prompts, self.engine, {"model": self.engine.name, **settings})

    def _ask(
        self, key: Hashable, items: Sequence[Any], serve: Callable[[list[Any]], Sequence[Any]]
    ) -> list[Any]:
        ask = partial(self._lockstep.ask, key) if self.engine.batches else self._lockstep.ask_alone
        return ask(items, partial(_serve, serve))


def _serve(serve: Callable[[list[Any]], Sequence[Any]], items: list[Any]) -> Sequence[Any]:
    """Serve items of one or many questions, and end the LLM runs that the engine left open."""
    prompts = [item.prompt if isinstance(item, Continuation) else item for item in items]
    calls = [call_of(prompt) for prompt in prompts]
    try:
        outcomes = serve(items)
    except BaseException as error:
        for call in calls:
            call.end(error)
        raise
    # The lockstep refuses another number of outcomes.
    if len(outcomes) != len(calls):
        return outcomes
    return [call.end(outcome) for call, outcome in zip(calls, outcomes, strict=True)]


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
        prompts = traced(
            [prompt for prompt, _ in continuations],
            self.engine,
            {"model": self.engine.name},
            [text for _, text in continuations],
        )
        return self._ask(
            ("score", self.engine.name),
            [
                Continuation(prompt, text)
                for prompt, (_, text) in zip(prompts, continuations, strict=True)
            ],
            self._scoring.score_all,
        )
