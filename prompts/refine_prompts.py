"""The prompt of refine: improve a draft by the points of its critique."""

from langchain_core.prompts import PromptTemplate

REFINE = PromptTemplate.from_template(
    """<draft {boundary}>
{draft}
</draft {boundary}>
<review {boundary}>
{points}
</review {boundary}>

Write the final answer to the question: keep what is right in the draft, mend what the review \
rightly finds, and do not mention the draft or the review. Be specific and brief, give code where \
it helps, and cite useful passages by their number, for example [1]."""
)
"""Variables: draft, points, boundary."""

REFINE_ALONE = PromptTemplate.from_template(
    """<draft {boundary}>
{draft}
</draft {boundary}>
<review {boundary}>
{points}
</review {boundary}>

Write the final answer to the question. Be specific and brief, and give code where it helps. Keep what is \
right in the draft, mend what the review rightly finds, and do not mention the draft or the review."""
)
"""Variables: draft, points, boundary; for a question without passages."""
