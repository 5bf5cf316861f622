"""The texts of generate: plain, and in two steps with chain of thought."""

from langchain_core.prompts import PromptTemplate

from prompts.context import CONTEXT

ANSWER = PromptTemplate.from_template(
    CONTEXT
    + """
Answer the question. Be specific and brief, and give code where it helps. If a passage was useful, \
cite it by its number, for example [1]. Ignore passages that do not fit the question."""
)
"""Variables: border, question, passages."""

ANSWER_ALONE = PromptTemplate.from_template(
    CONTEXT
    + """
Answer the question. Be specific and brief, and give code where it helps."""
)
"""Variables: border, question, passages (empty: nothing was retrieved)."""

REASON = PromptTemplate.from_template(
    CONTEXT
    + """
Do not answer yet. Think step by step: what causes the behaviour in the question, which passages \
fit it and which only look alike, and what follows for the answer."""
)
"""Variables: border, question, passages."""

ANSWER_FROM = PromptTemplate.from_template(
    CONTEXT
    + """
Notes made while thinking about the question:
{reasoning}

Now answer the question, using the notes where they are right. Be specific and brief, and give code \
where it helps. If a passage was useful, cite it by its number, for example [1]."""
)
"""Variables: border, question, passages, reasoning."""
