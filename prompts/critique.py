"""The text of critique: what is wrong with a draft."""

from langchain_core.prompts import PromptTemplate

from prompts.context import CONTEXT

CRITIQUE = PromptTemplate.from_template(
    CONTEXT
    + """
====={border} draft answer
{draft}
====={border} end

Review the draft answer as a senior engineer would. List at most {max_points} concrete problems, \
the worst first, one a line, numbered 1. 2. 3.: wrong facts, code that does not run, parts of the \
question left open. Do not rewrite the answer. If nothing is wrong, write only: No problems."""
)
"""Variables: border, question, passages, draft, max_points."""
