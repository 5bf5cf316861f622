"""The state of one question in the graph, its parts, and the updates that nodes return.

Everything here is a plain TypedDict, so that a state can be written to a journal as JSON and read
back unchanged. Each field of `State` names the nodes that write it.
"""

from collections.abc import Sequence
from typing import Annotated, Literal, NotRequired, Required

from typing_extensions import TypedDict

from nodes.model import Likelihood, Reply, Verdict


class Passage(TypedDict):
    """One retrieved post, as the model and the reader see it."""

    number: int
    """Number in the prompt, from 1: the `n` of a citation `[n]`."""
    question_id: str
    title: str
    text: str
    """Markdown: the answer of the post, then its question."""
    answer_chars: int
    """Length of the answer at the start of `text`, in characters."""
    score: float | None
    """The retriever's score; comparable only within one retriever. None if it gave none."""
    url: str
    licence: str
    part_scores: NotRequired[dict[str, float]]
    """The score by each part of the index, by its name; absent if the retriever gave none."""
    votes: NotRequired[float]
    """The votes of the answer; absent if they are unknown."""
    accepted: NotRequired[bool]
    """Whether the asker accepted the answer; absent if it is unknown."""


Source = Literal["draft", "baseline", "passage", "adaptation", "refinement", "reviewed"]
"""Where a candidate came from: `draft` was written from passages, `baseline` without any, `passage` is the
answer of one, `adaptation` was written from the answer of one, `refinement` was written after a critique,
and `reviewed` is the answer before the refinement."""


class Draft(TypedDict):
    """One candidate answer."""

    text: str
    reasoning: str
    """The model's notes before the answer; empty without chain of thought."""
    source: NotRequired[Source]
    """Absent in records of older versions."""
    passage: NotRequired[int]
    """The number of the passage whose answer this is; present if `source` is `passage`."""


class CandidateScore(TypedDict):
    """The score of one candidate by learned reranking."""

    score: float
    """Comparable within one question only; higher is better."""
    expected: NotRequired[float]
    """The expected score of the calibrated judge, in [0, 1]; comparable between questions. Absent in records
    of older versions, and if the formula has no expectation."""
    features: dict[str, float]
    """The features that are known of the candidate, by name (see graph/reranking/features.py)."""


class Preference(TypedDict):
    """The comparison of two candidates in both orders."""

    first: int
    second: int
    """Indices into the step's candidates."""
    first_wins: float | None
    """Mean probability of `first` over both orders; None if a verdict could not be read."""
    orders_agree: bool | None
    """Whether both orders have the same winner; None if a verdict could not be read."""


class Step(TypedDict, total=False):
    """The record of one node's work: the unit of a trace and of the journal."""

    node: Required[str]
    seconds: float
    replies: list[Reply]
    verdicts: list[Verdict]
    passages: list[Passage]
    candidates: list[Draft]
    preferences: list[Preference]
    agreements: list[float]
    """Mean similarity of each candidate to the other ones; written by consensus."""
    likelihoods: list[Likelihood]
    """One for each candidate; written by likelihood."""
    scores: list[CandidateScore]
    """One for each candidate; written by learned."""
    expected_score: float
    """The expected score of the best passage's answer (assess_passages) or of the answer (abstain)."""
    closed_book: bool
    """Whether prompts show no passage; written by assess_passages."""
    withheld: bool
    """Whether the answer was withheld; written by abstain."""
    chosen: int
    """Index of the chosen candidate. In a step of accept: 0 the reviewed answer, 1 the refined one."""
    points: list[str]
    critique_format: str
    critique_flaws: list[str]
    """Defects of the critique itself; see `Points` in nodes/critique.py."""
    answer: str
    score: float | None
    error: str
    """The reason why there is no score."""
    is_first: bool
    """Present, and True, in the first step of a question: the steps of the thread's question before are dropped there."""


def calls_of(step: Step) -> list[Reply | Verdict | Likelihood]:
    """Return all model calls of a step."""
    return [*step.get("replies", []), *step.get("verdicts", []), *step.get("likelihoods", [])]


WITHHELD = "the answer was withheld"
"""The reason why an abstention has no score."""


def is_withheld(steps: Sequence[Step]) -> bool:
    """Tell whether the answer of a question was withheld."""
    return any(step.get("withheld", False) for step in steps)


def add_steps(steps: list[Step], new_steps: list[Step]) -> list[Step]:
    """Append new steps. The first step of a question drops those of the question before it.

    With a checkpointer the questions of a thread share a state.
    """
    return new_steps if new_steps and new_steps[0].get("is_first") else steps + new_steps


class QuestionInput(TypedDict):
    """The input of the answering graph."""

    question: str


class AnswerOutput(TypedDict):
    """The output of the answering graph."""

    answer: str
    passages: list[Passage]
    withheld: bool
    """Whether `answer` only says that no answer was found; see answer.abstain."""


class State(QuestionInput, total=False):
    """The state of the answering graph. It has no reference answer, so none can reach a prompt."""

    passages: list[Passage]
    """Written by retrieve; by generate as an empty list where nothing is retrieved."""
    prompt_passages: int
    """The number of passages in a prompt, the first ones. Written by retrieve and assess_passages."""
    answer: str
    """The current answer.

    Written by generate, extract, adapt, rerank, consensus, likelihood, learned, refine, accept and abstain.
    """
    expected_score: float
    """The expected score of the answer. Written by learned; every config with abstain ends with it."""
    withheld: bool
    """Whether the answer was withheld. Written by abstain."""
    reviewed: str
    """The answer before the newest refinement. Written by refine."""
    reasoning: str
    """The reasoning of the current answer.

    Written by generate, extract, adapt, rerank, consensus, likelihood, learned and refine.
    """
    candidates: list[Draft]
    """The newest drafts. Written by generate, extract, adapt and refine."""
    extra_candidates: list[Draft]
    """Answers that reranking may choose instead of a draft. Written by extra_candidates."""
    points: list[str]
    """Problems of the current answer. Written by critique."""
    rounds: int
    """Number of refinements. Written by refine."""
    steps: Annotated[list[Step], add_steps]
    """The steps of this question so far; every node appends one."""


class JudgedState(State, total=False):
    """The state of the evaluation, in which the answering graph runs as a subgraph."""

    reference: str
    """The reference answer of the dataset; only judge reads it."""
    score: float | None
    """Acceptability in [0, 1]; None if unscored. Written by judge."""


class RetrieveUpdate(TypedDict):
    """Update of retrieve."""

    passages: list[Passage]
    prompt_passages: int
    steps: list[Step]


class AssessUpdate(TypedDict):
    """Update of assess_passages."""

    prompt_passages: int
    steps: list[Step]


class DraftUpdate(TypedDict):
    """Update of generate, extract and adapt; `passages` is the state's own list, or an empty one."""

    passages: list[Passage]
    candidates: list[Draft]
    answer: str
    reasoning: str
    steps: list[Step]


class ExtraCandidatesUpdate(TypedDict):
    """Update of extra_candidates."""

    extra_candidates: list[Draft]
    steps: list[Step]


class RerankUpdate(TypedDict):
    """Update of rerank, consensus, likelihood and learned."""

    answer: str
    reasoning: str
    expected_score: NotRequired[float]
    """Written by learned."""
    steps: list[Step]


class CritiqueUpdate(TypedDict):
    """Update of critique."""

    points: list[str]
    steps: list[Step]


class RefineUpdate(TypedDict):
    """Update of refine."""

    candidates: list[Draft]
    answer: str
    reasoning: str
    reviewed: str
    rounds: int
    steps: list[Step]


class AcceptUpdate(TypedDict):
    """Update of accept."""

    answer: str
    steps: list[Step]


class AbstainUpdate(TypedDict):
    """Update of abstain."""

    answer: str
    withheld: bool
    steps: list[Step]


class JudgeUpdate(TypedDict):
    """Update of judge."""

    score: float | None
    steps: list[Step]


NodeUpdate = (
    RetrieveUpdate
    | AssessUpdate
    | ExtraCandidatesUpdate
    | DraftUpdate
    | RerankUpdate
    | CritiqueUpdate
    | RefineUpdate
    | AcceptUpdate
    | AbstainUpdate
)
"""The update of any node of the answering graph."""
