"""The prompts of generate: a plain answer, or reasoning and answer with chain of thought."""

from langchain_core.prompts import PromptTemplate

from prompts.context import template

ANSWER = template(
    """
Answer the question above. Be specific and brief, and give code where it helps. If a passage was \
useful, cite its number, for example [1]. Ignore passages that do not fit."""
)
"""Variables: question, passages, boundary."""

ANSWER_ALONE = PromptTemplate.from_template(
    """<question {boundary}>
{question}
</question {boundary}>

Answer the question above. Be specific and brief, and give code where it helps."""
)
"""Variables: question, boundary."""

REASON = template(
    """
Do not answer yet. Think step by step: what causes the behaviour in the question, which passages \
fit it and which only look alike, and what follows for the answer."""
)
"""Variables: question, passages, boundary."""

ANSWER_FROM = template(
    """<notes {boundary}>
{reasoning}
</notes {boundary}>

Answer the question above, using the notes where they are right. Be specific and brief, and give \
code where it helps. If a passage was useful, cite its number, for example [1]."""
)
"""Variables: question, passages, reasoning, boundary."""
