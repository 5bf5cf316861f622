"""The prompt of rerank and accept: choose the better of two answers."""

from prompts.context import template

OPTIONS = ("A", "B")

COMPARE = template(
    """<answer_a {boundary}>
{draft_a}
</answer_a {boundary}>
<answer_b {boundary}>
{draft_b}
</answer_b {boundary}>

Which answer is more correct and more useful to the programmer? Reply with one letter, A or B."""
)
"""Variables: question, passages, draft_a, draft_b, boundary."""
