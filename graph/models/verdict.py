"""Verdicts: a choice among options by the probability that the model gives to each.

The options' own tokens are scored in one forward pass. Nothing is sampled and no reply is parsed,
so that a verdict may be uncertain but is never unreadable.
"""

import math
import re
from collections.abc import Sequence
from typing import NamedTuple

from nodes.replies import clean

_CHOICE_LABEL = re.compile(r"\A(?:final )?(?:answer|output|response|choice)\W*:", re.IGNORECASE)


class ScoredToken(NamedTuple):
    """A token whose log-probability is computed after the first `position` tokens of a row."""

    row: int
    """An index of the rows that run."""
    position: int
    token: int


class ScoringPlan(NamedTuple):
    """The computation that scores the options of one prompt."""

    rows: list[tuple[int, ...]]
    """The token ids that the model reads."""
    terms: list[list[ScoredToken]]
    """The tokens of each option; their log-probabilities add up to the option's."""


def plan_scoring(prompt: Sequence[int], continued: Sequence[Sequence[int]]) -> ScoringPlan:
    """Plan the rows that score each option.

    Options whose tokens differ only in the last one share a row, so that options of one token, the
    usual case, need a single row.

    Args:
        prompt: Token ids of the prompt.
        continued: Token ids of prompt and option, encoded as one text, for each option: the first
            token of an option may merge with the end of the prompt, and "A" and " A" differ.
    """
    start = _common_length([prompt, *continued])
    rows: dict[tuple[int, ...], int] = {}
    terms = []
    for tokens in continued:
        row = rows.setdefault(tuple(tokens[:-1]), len(rows))
        # An option that lies within the shared tokens is scored by its last token: without a term
        # its log-probability would be 0, the highest. The model needs a token before the first.
        first = max(min(start, len(tokens) - 1), 1)
        terms.append([ScoredToken(row, i, tokens[i]) for i in range(first, len(tokens))])
    return ScoringPlan(list(rows), terms)


def _common_length(sequences: Sequence[Sequence[int]]) -> int:
    length = 0
    for column in zip(*sequences, strict=False):
        if len(set(column)) > 1:
            break
        length += 1
    return length


class Distribution(NamedTuple):
    """The probabilities of the options."""

    choice: str
    """The most probable option."""
    probabilities: dict[str, float]
    """Of each option; their sum is 1."""
    mass: float
    """The sum of the probabilities before they were normalised, in [0, 1]."""


def normalise(options: Sequence[str], logprobs: Sequence[float]) -> Distribution:
    """Turn the log-probabilities of the options into a distribution; ties go to the first option.

    Raises:
        ValueError: A log-probability is NaN, so the model computed no usable logits.
    """
    if any(math.isnan(value) for value in logprobs):
        raise ValueError("the model gave NaN instead of probabilities for the options")
    top = max(logprobs)
    if top == -math.inf:
        shares = [1 / len(options)] * len(options)
        return Distribution(options[0], dict(zip(options, shares, strict=True)), 0.0)
    # Relative to the highest: the exponential of a long option's log-probability is 0.
    weights = [math.exp(value - top) for value in logprobs]
    total = math.fsum(weights)
    probabilities = {
        option: weight / total for option, weight in zip(options, weights, strict=True)
    }
    mass = min(1.0, math.fsum(math.exp(value) for value in logprobs))
    return Distribution(options[logprobs.index(top)], probabilities, mass)


def parse_choice(reply: str, options: Sequence[str]) -> str | None:
    """Parse the choice in the reply of a model without logits; return None if there is none.

    The cleaned reply must be one of the options as a whole, in any case, with only quotes, brackets,
    colons and full stops around it, and with a label such as `Answer:` before it.
    """
    text = clean(reply).strip("\"'`*()[].: ")
    word = _CHOICE_LABEL.sub("", text, count=1).strip("\"'`*()[].: ").casefold()
    matches = [option for option in options if option.strip().casefold() == word]
    return matches[0] if len(matches) == 1 else None
