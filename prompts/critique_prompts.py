"""The prompt of critique: list the problems of a draft."""

from langchain_core.prompts import PromptTemplate

CRITIQUE = PromptTemplate.from_template(
    """<draft {boundary}>
{draft}
</draft {boundary}>

Review the draft answer as a senior engineer would. List at most {max_points} concrete problems, \
the worst first, one a line, numbered 1. 2. 3.: wrong facts, code that does not run, parts of the \
question left open. Do not rewrite the answer. If nothing is wrong, write only: No problems."""
)
"""Variables: draft, max_points, boundary."""
