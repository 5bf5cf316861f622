"""Log-probabilities of given tokens: how probable the model finds an option or a text."""

import math
from collections.abc import Sequence
from time import perf_counter

from graph.models.budget import FittedPrompt
from graph.models.loaded_model import LoadedModel
from graph.models.verdict import ScoringPlan, plan_scoring
from nodes.model import SCORED_TOKENS, Likelihood


def likelihoods(loaded: LoadedModel, batch: Sequence[FittedPrompt]) -> list[Likelihood | Exception]:
    """Compute the mean log-probability of a token of each continuation."""
    start = perf_counter()
    plans, counts = [], []
    for row in batch:
        prompt = loaded.encode(row.text)
        whole = loaded.encode(loaded.join(row.text, row.continuation))
        tokens = whole[: len(prompt) + SCORED_TOKENS]
        counts.append(max(0, len(tokens) - len(prompt)))
        plans.append(plan_scoring(prompt, [tokens]))
    logprobs = _token_logprobs(loaded, plans)
    seconds = (perf_counter() - start) / len(batch)
    return [
        _likelihood(row, terms[0] if count else [], seconds)
        for row, terms, count in zip(batch, logprobs, counts, strict=True)
    ]


def _likelihood(
    row: FittedPrompt, logprobs: Sequence[float], seconds: float
) -> Likelihood | Exception:
    if not all(math.isfinite(value) for value in logprobs):
        return ValueError("the model gave NaN or infinity instead of probabilities for a draft")
    return {
        "mean_logprob": math.fsum(logprobs) / len(logprobs) if logprobs else None,
        "scored_tokens": len(logprobs),
        "prompt_tokens": row.tokens,
        "cut_tokens": row.cut_tokens,
        "tokens_estimated": False,
        "prompt": row.text,
        "seconds": seconds,
        "cached": False,
    }


def option_logprobs(loaded: LoadedModel, plans: Sequence[ScoringPlan]) -> list[list[float]]:
    """Compute the log-probability of each option of each prompt, in one forward pass of all rows."""
    return [[sum(term) for term in terms] for terms in _token_logprobs(loaded, plans)]


def _token_logprobs(loaded: LoadedModel, plans: Sequence[ScoringPlan]) -> list[list[list[float]]]:
    """Return the log-probability of each token of each option of each prompt."""
    rows: list[tuple[int, ...]] = []
    tokens = []
    for plan in plans:
        offset = len(rows)
        rows += plan.rows
        tokens += [token._replace(row=offset + token.row) for term in plan.terms for token in term]
    values = iter(loaded.token_logprobs(rows, tokens))
    return [[[next(values) for _ in term] for term in plan.terms] for plan in plans]
