"""The state of one question on its way through the graph, and the parts it is made of.

Everything here is a plain TypedDict, so that a state can be written to a journal as JSON and
read back unchanged. Each field of `State` says which node writes it.
"""

import operator
from typing import Annotated, Literal

from typing_extensions import TypedDict

from nodes.model import Likelihood, Reply, Verdict

Control = Literal["extract", "baseline"]
"""A kind of answer that a pipeline has to beat."""


class Passage(TypedDict):
    """One retrieved post, as it is shown to the model and to the reader."""

    number: int
    """Its number in the prompt, from 1: the `n` of a citation `[n]`."""
    question_id: str
    title: str
    text: str
    """Markdown; code stands in fences."""
    answer_chars: int
    """How much of the text is the post's answer, which comes first; the rest is what was asked."""
    score: float
    """The retriever's score; comparable within one retriever only."""
    url: str
    licence: str


class Draft(TypedDict):
    """One candidate answer."""

    text: str
    reasoning: str
    """What the model wrote before answering; empty without chain of thought."""


class Preference(TypedDict):
    """How two candidates compared, asked in both orders."""

    first: int
    second: int
    """Indices into the step's candidates."""
    first_wins: float | None
    """Mean over both orders of the probability of `first`; None if a verdict could not be read."""
    orders_agree: bool | None
    """Whether both orders named the same winner."""


class Step(TypedDict, total=False):
    """What one node did: the unit of a trace and of the journal."""

    node: str
    seconds: float
    replies: list[Reply]
    verdicts: list[Verdict]
    passages: list[Passage]
    candidates: list[Draft]
    preferences: list[Preference]
    agreements: list[float]
    """Mean similarity of each candidate to the others, where consensus chose."""
    likelihoods: list[Likelihood]
    """Of each candidate, where likelihood chose."""
    chosen: int
    points: list[str]
    critique_format: str
    critique_flaws: list[str]
    """What was wrong with the critique itself; see nodes/critique.py."""
    answer: str
    score: float | None
    error: str
    """Why there is no score."""


def calls_of(step: Step) -> list[Reply | Verdict | Likelihood]:
    """Return what a step asked of models."""
    return [*step.get("replies", []), *step.get("verdicts", []), *step.get("likelihoods", [])]


class QuestionInput(TypedDict):
    """What goes into the answering graph."""

    question: str


class AnswerOutput(TypedDict):
    """What comes out of it."""

    answer: str
    passages: list[Passage]


class State(QuestionInput, total=False):
    """Inside the answering graph. There is no reference answer here, so none can reach a prompt."""

    passages: list[Passage]
    """Written by retrieve; by generate as an empty list where nothing is retrieved."""
    answer: str
    """The current answer. Written by generate, extract, rerank, refine and accept."""
    reviewed: str
    """What the current answer was refined from. Written by refine."""
    reasoning: str
    """Of the current answer. Written by generate, refine and rerank."""
    candidates: list[Draft]
    """The newest drafts. Written by generate and refine."""
    controls: list[Draft]
    """Answers that reranking may choose instead of a draft. Written by controls."""
    points: list[str]
    """What is wrong with the current answer. Written by critique."""
    rounds: int
    """How often the answer was refined. Written by refine."""
    steps: Annotated[list[Step], operator.add]
    """Every node appends one."""


class JudgedState(State, total=False):
    """The evaluation's state: the answering graph runs in it as a subgraph."""

    reference: str
    """Given by the dataset; read by judge alone."""
    score: float | None
    """Acceptability in [0, 1]; None when unscored. Written by judge."""


class Retrieved(TypedDict):
    """Update of retrieve."""

    passages: list[Passage]
    steps: list[Step]


class Drafted(TypedDict):
    """Update of generate and extract; passages pass through, none where nothing was retrieved."""

    passages: list[Passage]
    candidates: list[Draft]
    answer: str
    reasoning: str
    steps: list[Step]


class Controlled(TypedDict):
    """Update of controls."""

    controls: list[Draft]
    steps: list[Step]


class Reranked(TypedDict):
    """Update of rerank, consensus and likelihood."""

    answer: str
    reasoning: str
    steps: list[Step]


class Critiqued(TypedDict):
    """Update of critique."""

    points: list[str]
    steps: list[Step]


class Refined(TypedDict):
    """Update of refine."""

    candidates: list[Draft]
    answer: str
    reasoning: str
    reviewed: str
    rounds: int
    steps: list[Step]


class Accepted(TypedDict):
    """Update of accept."""

    answer: str
    steps: list[Step]


class Judged(TypedDict):
    """Update of judge."""

    score: float | None
    steps: list[Step]
