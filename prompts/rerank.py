"""The text of rerank: which of two answers is better."""

from langchain_core.prompts import PromptTemplate

from prompts.context import CONTEXT

OPTIONS = ("A", "B")

COMPARE = PromptTemplate.from_template(
    CONTEXT
    + """
====={border} answer A
{draft_a}
====={border} answer B
{draft_b}
====={border} end

Which answer is more correct and more useful to the programmer? Reply with one letter, A or B."""
)
"""Variables: border, question, passages, draft_a, draft_b."""
