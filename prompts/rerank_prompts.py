"""The prompt of rerank and accept: choose the better of two answers."""

from langchain_core.prompts import PromptTemplate

OPTIONS = ("A", "B")

COMPARE = PromptTemplate.from_template(
    """<answer_a {boundary}>
{draft_a}
</answer_a {boundary}>
<answer_b {boundary}>
{draft_b}
</answer_b {boundary}>

Which answer is more correct and more useful to the programmer? Reply with one letter, A or B."""
)
"""Variables: draft_a, draft_b, boundary."""
