"""The end of a prompt whose verdict is written as text, for a model that gives no probabilities."""

from collections.abc import Sequence


def choice_instruction(options: Sequence[str]) -> str:
    """Return the order to reply with one of the options."""
    return f"\n\nReply with exactly one of these and nothing else: {', '.join(options)}"
