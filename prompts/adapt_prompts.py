"""The prompt of adapt: turn the answer to a similar question into an answer to this one."""

from langchain_core.prompts import PromptTemplate

ADAPT = PromptTemplate.from_template(
    """<draft {boundary}>
{draft}
</draft {boundary}>

The draft was written for a similar question. Write the answer to the question above: keep what fits, \
use the names and the code of the question, and leave out what does not belong to it. Be brief."""
)
"""Variables: draft, boundary."""
