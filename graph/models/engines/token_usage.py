"""Tokens of a call: those that a model or its server reports, or else estimates."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from langchain_core.outputs import Generation

_USAGE_NAMES = (
    ("inputtokens", "outputtokens"),
    ("prompttokens", "completiontokens"),
    ("prompttokens", "responsetokens"),
    ("promptevalcount", "evalcount"),
    ("prompttokencount", "candidatestokencount"),
    ("inputtokencount", "outputtokencount"),
    ("inputtokencount", "generatedtokencount"),
)
"""Names under which models and servers report the tokens of a prompt and of its reply.

In lower case and without underscores: some write `inputTokens`.
"""
_USAGE_REPORTS = ("usage_metadata", "usageMetadata", "token_usage", "usage", "token_count")
_DETAIL_REPORTS = ("inputtokendetails", "inputtokensdetails", "prompttokensdetails")
_CACHED_NAMES = ("cacheread", "cachedtokens")
"""Names, in such a report on the tokens of a prompt, of those that the server had read before."""
_DIGITS = re.compile(r"[0-9]{1,15}")
_BYTES_A_TOKEN = 3
"""The assumed length of a token; real ones are longer on average, so that no prompt is too long."""


class Usage(NamedTuple):
    """The tokens of a call, as the model reports them."""

    prompt_tokens: int
    new_tokens: int
    cached_tokens: int | None = None
    """Tokens of the prompt that had been read before; None if the model does not say."""


ESTIMATE_SCALE = 1.5
"""Estimated tokens of a text for each token that a model wrote, at most for nearly all texts: 1.07 on
average and 1.45 at the 97.5th percentile of 286 Stack Overflow answers, by SmolLM2's tokenizer."""


def estimate_tokens(text: str) -> int:
    """Estimate the number of tokens of a text, for a model that gives no tokenizer."""
    return -(-len(text.encode("utf-8", "replace")) // _BYTES_A_TOKEN)


def reported_usage(generation: Generation, of_call: Mapping[str, Any] | None) -> Usage | None:
    """Return the tokens of prompt and reply as the model reports them; None if it does not.

    Args:
        generation: The reply.
        of_call: The report on the whole call, if it was of this reply alone.
    """
    message = getattr(generation, "message", None)
    for report in (
        getattr(message, "usage_metadata", None),
        getattr(message, "response_metadata", None),
        generation.generation_info,
        of_call,
    ):
        if isinstance(report, Mapping):
            nested = (report.get(name) for name in _USAGE_REPORTS)
            for counts in (report, *nested):
                if (usage := _counts(counts)) is not None:
                    return usage
    return None


def _counts(report: object) -> Usage | None:
    values = _by_plain_name(report)
    counts = {name: _count(value) for name, value in values.items()}
    for prompt_name, reply_name in _USAGE_NAMES:
        prompt_tokens, new_tokens = counts.get(prompt_name), counts.get(reply_name)
        # A server that does not count may report 0: no prompt is empty.
        if prompt_tokens and new_tokens is not None:
            return Usage(prompt_tokens, new_tokens, _cached_tokens(values, prompt_tokens))
    return None


def _cached_tokens(values: Mapping[str, object], prompt_tokens: int) -> int | None:
    for report in _DETAIL_REPORTS:
        details = _by_plain_name(values.get(report))
        for name in _CACHED_NAMES:
            count = _count(details.get(name))
            if count is not None and count <= prompt_tokens:
                return count
    return None


def _by_plain_name(report: object) -> dict[str, object]:
    """Return the values of a report by their names in lower case without underscores."""
    if not isinstance(report, Mapping):
        return {}
    return {str(name).replace("_", "").lower(): value for name, value in report.items()}


def _count(value: object) -> int | None:
    """Return a whole number of at least 0, also one written as 31.0 or "31"; None for all else."""
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
