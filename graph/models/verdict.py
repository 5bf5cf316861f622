"""Verdicts: choose among options by the probability that the model gives to each.

Nothing is sampled and nothing is parsed: the options' own tokens are scored in one forward pass,
so a verdict can be uncertain but never unreadable.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple


class ScoringPlan(NamedTuple):
    """What has to be run to score the options of one prompt.

    `rows` are token sequences to feed the model; each of `terms` belongs to one option and lists
    (row, position, token): the log-probability of `token` after `position` tokens of that row.
    """

    rows: list[tuple[int, ...]]
    terms: list[list[tuple[int, int, int]]]


def check_options(options: Sequence[str]) -> None:
    """Raise ValueError unless there are two or more different, non-empty options."""
    if len(options) < 2 or len(set(options)) < len(options) or not all(options):
        raise ValueError(f"options must be two or more different texts, got {list(options)!r}")


def plan(prompt: Sequence[int], continued: Sequence[Sequence[int]]) -> ScoringPlan:
    """Lay out the rows that score each option.

    Args:
        prompt: Tokens of the prompt.
        continued: Tokens of prompt + option, encoded as one text, for each option: an option's
            first token may merge with the end of the prompt, and "A" and " A" differ.

    Options whose tokens differ only in the last place share a row, so that the usual case of
    single-token options is a single row.
    """
    start = _common_length([prompt, *continued])
    rows: dict[tuple[int, ...], int] = {}
    terms = []
    for tokens in continued:
        row = rows.setdefault(tuple(tokens[:-1]), len(rows))
        # An option must add something after what it shares with the prompt.
        first = max(min(start, len(tokens) - 1), 1)
        terms.append([(row, place, tokens[place]) for place in range(first, len(tokens))])
    return ScoringPlan(list(rows), terms)


def _common_length(sequences: Sequence[Sequence[int]]) -> int:
    length = 0
    for column in zip(*sequences, strict=False):
        if len(set(column)) > 1:
            break
        length += 1
    return length


class Distribution(NamedTuple):
    """Probabilities over the options (sum 1) and the mass they had before normalising."""

    choice: str
    probabilities: dict[str, float]
    mass: float


def normalise(options: Sequence[str], logprobs: Sequence[float]) -> Distribution:
    """Turn each option's log-probability into a choice; the first of equals wins.

    Raises:
        ValueError: a log-probability is NaN: the model gave no usable logits.
    """
    if any(math.isnan(value) for value in logprobs):
        raise ValueError("the model gave NaN instead of probabilities for the options")
    top = max(logprobs)
    if top == -math.inf:
        shares = [1 / len(options)] * len(options)
        return Distribution(options[0], dict(zip(options, shares, strict=True)), 0.0)
    weights = [math.exp(value - top) for value in logprobs]
    total = math.fsum(weights)
    probabilities = {
        option: weight / total for option, weight in zip(options, weights, strict=True)
    }
    mass = min(1.0, math.fsum(math.exp(value) for value in logprobs))
    return Distribution(options[logprobs.index(top)], probabilities, mass)


def parse_choice(reply: str, options: Sequence[str]) -> str | None:
    """Read a choice from the reply of a model that gives no logits; None if it is not clear.

    The whole reply has to be one of the options, bar quotes, brackets and a full stop around it.
    """
    said = reply.strip().strip("\"'`*()[].: ").casefold()
    found = [option for option in options if option.strip().casefold() == said]
    return found[0] if len(found) == 1 else None
