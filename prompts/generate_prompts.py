"""The prompts of generate: a plain answer, or reasoning and answer with chain of thought."""

from langchain_core.prompts import PromptTemplate

ANSWER = PromptTemplate.from_template(
    """Answer the question above. Be specific and brief, and give code where it helps. If a passage was \
useful, cite its number, for example [1]. Ignore passages that do not fit."""
)
"""No variables."""

ANSWER_ALONE = PromptTemplate.from_template(
    """Answer the question above. Be specific and brief, and give code where it helps."""
)
"""No variables; for a question without passages."""

REASON = PromptTemplate.from_template(
    """Do not answer yet. Think step by step: what causes the behaviour in the question, which passages \
fit it and which only look alike, and what follows for the answer."""
)
"""No variables."""

REASON_ALONE = PromptTemplate.from_template(
    """Do not answer yet. Think step by step: what causes the behaviour in the question, and what follows \
for the answer."""
)
"""No variables; for a question without passages."""

ANSWER_FROM = PromptTemplate.from_template(
    """<notes {boundary}>
{reasoning}
</notes {boundary}>

Answer the question above, using the notes where they are right. Be specific and brief, and give \
code where it helps. If a passage was useful, cite its number, for example [1]."""
)
"""Variables: reasoning, boundary."""

ANSWER_FROM_ALONE = PromptTemplate.from_template(
    """<notes {boundary}>
{reasoning}
</notes {boundary}>

Answer the question above. Be specific and brief, give code where it helps, and use the notes where \
they are right."""
)
"""Variables: reasoning, boundary; for a question without passages."""
