"""Verdicts of a server: from the log-probabilities of the first token, or constrained by a schema."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.outputs import Generation

_WHOLE: Mapping[str, Any] = {"stream": False}
"""A verdict is no text to read as it comes; LangChain would stream it where a handler reads tokens."""
TOP_LOGPROBS = (20, 5)
"""Numbers of most probable tokens to ask for, in this order: some servers give at most 5."""


def are_told_apart(options: Sequence[str]) -> bool:
    """Tell whether the first token of a reply shows the option, whatever the tokens of the model are."""
    return len({option.strip()[:1] for option in options} - {""}) == len(options)


def logprob_settings(number: int) -> dict[str, Any]:
    """Return the settings of a request for the most probable first tokens, at most `number`."""
    return {**_WHOLE, "logprobs": True, "top_logprobs": number}


def logprobs_of(generation: Generation, options: Sequence[str]) -> list[float] | None:
    """Return the log-probability of each option by the first token; None if the server gave none.

    A token counts for the option that begins with it: `A`, ` A`, and `Ye` for `Yes`. An option
    without a token among the most probable ones has -inf.
    """
    tokens = _top_tokens(generation)
    if not tokens:
        return None
    shares = [
        math.fsum(
            math.exp(logprob) for text, logprob in tokens.items() if option.strip().startswith(text)
        )
        for option in options
    ]
    return [math.log(share) if share > 0 else -math.inf for share in shares]


def _top_tokens(generation: Generation) -> dict[str, float]:
    """Return the log-probability of each text that the first token can have, without spaces."""
    report: Any = (generation.generation_info or {}).get("logprobs")
    shares: dict[str, list[float]] = {}
    try:
        for token in report["content"][0]["top_logprobs"]:
            text, logprob = token["token"].strip(), float(token["logprob"])
            if text and logprob <= 1e-6:
                shares.setdefault(text, []).append(math.exp(logprob))
    # A report of another form is none.
    except (LookupError, TypeError, ValueError, AttributeError):
        return {}
    return {text: math.log(total) for text, values in shares.items() if (total := sum(values)) > 0}


def schema_settings(options: Sequence[str]) -> dict[str, Any]:
    """Return the settings of a request whose reply the server constrains to the options."""
    schema = {
        "type": "object",
        "properties": {"choice": {"type": "string", "enum": list(options)}},
        "required": ["choice"],
        "additionalProperties": False,
    }
    form = {"name": "choice", "strict": True, "schema": schema}
    return {**_WHOLE, "response_format": {"type": "json_schema", "json_schema": form}}


def parse_constrained(reply: str, options: Sequence[str]) -> str | None:
    """Parse the choice in a reply that follows the schema; return None if it does not."""
    try:
        choice = json.loads(reply)["choice"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    return choice if choice in options else None
