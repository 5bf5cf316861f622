"""How likely a model is to write a given text after a prompt."""

import math
from collections.abc import Sequence
from time import perf_counter

from graph.models.budget import Fitted
from graph.models.loading import Loaded
from graph.models.scoring import token_logprobs
from graph.models.verdict import plan
from nodes.model import Likelihood

SCORED_TOKENS = 256
"""Of a longer text only its start is scored: prompt and text have to fit the window."""


def likelihoods(loaded: Loaded, batch: Sequence[Fitted]) -> list[Likelihood | Exception]:
    """Return the mean log-probability of a token of each continuation."""
    start = perf_counter()
    scorings, counts = [], []
    for item in batch:
        prompt = loaded.encode(item.text)
        whole = loaded.encode(loaded.continued(item.text, item.continuation))
        continued = whole[: len(prompt) + SCORED_TOKENS]
        counts.append(max(0, len(continued) - len(prompt)))
        scorings.append(plan(prompt, [continued]))
    found = token_logprobs(loaded, scorings)
    seconds = (perf_counter() - start) / len(batch)
    return [
        _likelihood(item, terms[0] if count else [], seconds)
        for item, terms, count in zip(batch, found, counts, strict=True)
    ]


def _likelihood(item: Fitted, logprobs: Sequence[float], seconds: float) -> Likelihood | Exception:
    if any(math.isnan(value) for value in logprobs):
        return ValueError("the model gave NaN instead of probabilities for a draft")
    return {
        "mean_logprob": math.fsum(logprobs) / len(logprobs) if logprobs else None,
        "scored_tokens": len(logprobs),
        "prompt_tokens": item.tokens,
        "cut_tokens": item.cut_tokens,
        "prompt": item.text,
        "seconds": seconds,
        "cached": False,
    }
