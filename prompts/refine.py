"""The text of refine: mend a draft with a reviewer's points in hand."""

from langchain_core.prompts import PromptTemplate

from prompts.context import CONTEXT

REFINE = PromptTemplate.from_template(
    CONTEXT
    + """
====={border} draft answer
{draft}
====={border} review
{points}
====={border} end

Write the final answer to the question: keep what is right in the draft, mend what the review \
rightly finds, and do not mention the draft or the review. Be specific and brief, give code where \
it helps, and cite useful passages by their number, for example [1]."""
)
"""Variables: border, question, passages, draft, points."""
