"""Log-probabilities of given tokens: what the model itself thinks of an option or a text."""

import math
from collections.abc import Sequence
from time import perf_counter

from graph.models.budget import FittedPrompt
from graph.models.loading import LoadedModel
from graph.models.verdict import ScoringPlan, plan
from nodes.model import Likelihood

_PLACES_AT_ONCE = 256
"""Rows of the vocabulary's width that are normalised together: 50 MB of 32-bit numbers each time."""


SCORED_TOKENS = 256
"""Of a longer text only its start is scored: prompt and text have to fit the window."""


def likelihoods(loaded: LoadedModel, batch: Sequence[FittedPrompt]) -> list[Likelihood | Exception]:
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


def _likelihood(
    item: FittedPrompt, logprobs: Sequence[float], seconds: float
) -> Likelihood | Exception:
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


def option_logprobs(loaded: LoadedModel, scorings: Sequence[ScoringPlan]) -> list[list[float]]:
    """Return the log-probability of each option of each prompt, in one forward pass of all rows."""
    found = token_logprobs(loaded, scorings)
    return [[sum(term) for term in terms] for terms in found]


def token_logprobs(loaded: LoadedModel, scorings: Sequence[ScoringPlan]) -> list[list[list[float]]]:
    """Return the log-probability of each token of each option of each prompt."""
    rows = [row for scoring in scorings for row in scoring.rows]
    places = [
        (offset + row, place, token)
        for offset, scoring in _offsets(scorings)
        for term in scoring.terms
        for row, place, token in term
    ]
    values = iter(_at_places(loaded, rows, places))
    return [[[next(values) for _ in term] for term in scoring.terms] for scoring in scorings]


def _at_places(
    loaded: LoadedModel, rows: Sequence[tuple[int, ...]], places: Sequence[tuple[int, int, int]]
) -> list[float]:
    """Return the log-probability of each (row, place, token)."""
    import torch

    model, pad = loaded.model, loaded.tokenizer.pad_token_id
    width = max(len(row) for row in rows)
    keep = max(len(rows[row]) - place + 1 for row, place, _ in places)
    ids = torch.tensor([[pad] * (width - len(row)) + list(row) for row in rows])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
    with torch.inference_mode():
        logits = model(
            input_ids=ids.to(model.device),
            attention_mask=mask.to(model.device),
            position_ids=(mask.cumsum(-1) - 1).clamp(min=0).to(model.device),
            logits_to_keep=keep,
            use_cache=False,
        ).logits
    found: list[float] = []
    for start in range(0, len(places), _PLACES_AT_ONCE):
        part = places[start : start + _PLACES_AT_ONCE]
        picked = torch.stack(
            [logits[row, keep - 1 - (len(rows[row]) - place)] for row, place, _ in part]
        )
        scores = torch.log_softmax(picked.float(), dim=-1)
        found += [float(scores[i, token]) for i, (_, _, token) in enumerate(part)]
    return found


def _offsets(scorings: Sequence[ScoringPlan]) -> list[tuple[int, ScoringPlan]]:
    offsets, total = [], 0
    for scoring in scorings:
        offsets.append((total, scoring))
        total += len(scoring.rows)
    return offsets
