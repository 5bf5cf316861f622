"""Fakes that record what they were sent, so that tests can assert both sides of a call."""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.prompts import PromptTemplate
from langchain_core.retrievers import BaseRetriever
from pydantic import Field

from nodes.model import SCORED_TOKENS, TEXT_CHOICE_TOKENS, Context, Prompt, Quote, Reply, Verdict
from nodes.state import Draft, Passage
from prompts import (
    adapt_prompts,
    critique_prompts,
    generate_prompts,
    judge_prompts,
    refine_prompts,
    rerank_prompts,
    rubric_prompts,
)
from prompts.choice_prompts import choice_instruction


def context_of(
    question: str = "why?", passages: Sequence[str] = (), before: str = "", **fields
) -> Context:
    """Return a context with a short template and numbered passages."""
    return Context(
        template=PromptTemplate.from_template(before + "{question}\n{passages}\n"),
        question=question,
        boundary="",
        passages=tuple(Quote(f"[{number}]", text) for number, text in enumerate(passages, 1)),
        **fields,
    )


def reply(text: str, **changes) -> Reply:
    fields: Reply = {
        "text": text,
        "prompt": "",
        "prompt_tokens": 7,
        "new_tokens": 3,
        "cut_tokens": 0,
        "tokens_estimated": False,
        "seconds": 0.5,
        "halvings": 0,
        "cached": False,
    }
    return {**fields, **changes}


def verdict(probabilities: dict[str, float] | None, choice: str | None = "?", mass=0.9) -> Verdict:
    if choice == "?":
        choice = max(probabilities, key=probabilities.__getitem__)
    return {
        "choice": choice,
        "probabilities": probabilities,
        "mass": mass,
        "prompt": "",
        "prompt_tokens": 5,
        "cut_tokens": 0,
        "tokens_estimated": False,
        "reply": None,
        "seconds": 0.25,
        "cached": False,
    }


class FakeModel:
    """A `TextModel` and `Chooser` with queued replies; running out of them is an error."""

    def __init__(self, replies: Sequence[str] = (), verdicts: Sequence[dict[str, float]] = ()):
        self.replies = list(replies)
        self.verdicts = list(verdicts)
        self.written: list[str] = []
        self.chosen: list[str] = []
        self.settings: list[tuple[int, float]] = []

    def write(self, prompts, *, max_new_tokens, temperature=0.0):
        replies = []
        for prompt in prompts:
            self.written.append(prompt.render())
            self.settings.append((max_new_tokens, temperature))
            replies.append(reply(self.replies.pop(0), prompt=prompt.render()))
        return replies

    def choose(self, prompts, options):
        verdicts = []
        for prompt in prompts:
            self.chosen.append(prompt.render())
            probabilities = self.verdicts.pop(0)
            assert probabilities is None or set(probabilities) == set(options)
            verdicts.append(verdict(probabilities, *([None] if probabilities is None else [])))
        return verdicts


class SentPrompt(NamedTuple):
    """A prompt as a model would be sent it."""

    prompt: Prompt
    reply_tokens: int
    suffix: str = ""


class PromptRecorder:
    """A model of all three kinds that records its prompts; its replies are a function of them."""

    def __init__(self, answer: Callable[[Prompt], str]) -> None:
        self.answer = answer
        self.sent: list[SentPrompt] = []

    def write(self, prompts, *, max_new_tokens, temperature=0.0):
        self.sent += [SentPrompt(prompt, max_new_tokens) for prompt in prompts]
        return [reply(self.answer(prompt), prompt=prompt.render()) for prompt in prompts]

    def choose(self, prompts, options):
        suffix = choice_instruction(options)
        self.sent += [SentPrompt(prompt, TEXT_CHOICE_TOKENS, suffix) for prompt in prompts]
        return [verdict({"A": 0.4, "B": 0.6}) for _ in prompts]

    def likelihoods(self, continuations):
        self.sent += [SentPrompt(prompt, SCORED_TOKENS + 1) for prompt, _ in continuations]
        return [{"mean_logprob": -1.0, "seconds": 0.0} for _ in continuations]


class LengthScorer:
    """A `CandidateScorer` that prefers long candidates."""

    def score(self, question, candidates, passages):
        features = {"question_cosine": 0.0}
        return [{"score": len(draft["text"]), "features": features} for draft in candidates]


class ExpectingScorer:
    """A `CandidateScorer` that prefers late candidates; a function of the text gives the expected score."""

    def __init__(self, expected: Callable[[str], float]) -> None:
        self.expected = expected
        self.asked: list[tuple[str, list[Draft], list[Passage]]] = []

    def score(self, question, candidates, passages):
        self.asked.append((question, list(candidates), list(passages)))
        return [
            {"score": float(number), "expected": self.expected(draft["text"]), "features": {}}
            for number, draft in enumerate(candidates)
        ]


class ScriptedEngine:
    """An `Engine` whose replies are a function of the prompt; records each call's prompts."""

    name = "scripted"
    commit = None
    batches = True

    def __init__(self, answer: Callable[[str], str] | None = None) -> None:
        self.answer = answer or (lambda text: f"answer {len(text)}")
        self.calls: list[list[str]] = []

    def write_all(self, prompts, max_new_tokens, temperature):
        texts = [prompt.render() for prompt in prompts]
        self.calls.append(texts)
        outcomes = []
        for text in texts:
            try:
                outcomes.append(reply(self.answer(text), prompt=text))
            except Exception as error:
                outcomes.append(error)
        return outcomes

    def choose_all(self, prompts, options):
        texts = [prompt.render() for prompt in prompts]
        self.calls.append(texts)
        share = 1 / len(options)
        return [verdict(dict.fromkeys(options, share), options[0]) for _ in texts]


class FakeRetriever(BaseRetriever):
    """Returns the same documents for every query, and records the queries."""

    documents: list[Document] = Field(default_factory=list)
    queries: list[str] = Field(default_factory=list)
    corpus: str = "no file"

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        self.queries.append(query)
        return list(self.documents)


def documents(*texts: str) -> list[Document]:
    return [
        Document(
            page_content=text,
            metadata={
                "question_id": str(100 + number),
                "title": f"title {number}",
                "score": 1.0 / number,
                "url": f"https://example.org/{number}",
                "licence": "CC BY-SA 4.0",
            },
        )
        for number, text in enumerate(texts, 1)
    ]


def section(prompt: str, name: str) -> str:
    """Return the text between a prompt's tags of that name, which must occur once."""
    openings = re.findall(rf"<{name}(?: [^<>\n]+)?>\n", prompt)
    assert len(openings) == 1, f"{openings} of {name} in {prompt!r}"
    closing = f"\n</{openings[0][1:-1]}"
    assert prompt.count(closing) == 1, f"{prompt.count(closing)} {closing!r} in {prompt!r}"
    return prompt.split(openings[0])[1].split(closing)[0]


def step_of(prompt: str) -> str:
    """Return the name of a prompt's template, by the instruction at its end."""
    names = [
        name
        for name, template in TEMPLATES.items()
        if prompt.endswith(template.template.rsplit("\n", 1)[-1][-60:])
    ]
    assert len(names) == 1, f"{names} for {prompt!r}"
    return names[0]


TEMPLATES = {
    "adapt": adapt_prompts.ADAPT,
    "answer": generate_prompts.ANSWER,
    "answer alone": generate_prompts.ANSWER_ALONE,
    "reason": generate_prompts.REASON,
    "answer from": generate_prompts.ANSWER_FROM,
    "critique": critique_prompts.CRITIQUE,
    "refine": refine_prompts.REFINE,
    "reason alone": generate_prompts.REASON_ALONE,
    "answer from alone": generate_prompts.ANSWER_FROM_ALONE,
    "refine alone": refine_prompts.REFINE_ALONE,
    "compare": rerank_prompts.COMPARE,
    "judge": judge_prompts.JUDGE,
    "rubric": rubric_prompts.RUBRIC,
}
