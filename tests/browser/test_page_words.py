"""The words of the ask page: those of the trace on the terminal."""

import asyncio
import json

import pytest

from graph.config import load_config
from graph.narration import narrate, print_answer
from serving.page.event_documents import documents as documents_of
from serving.question_queue import Answered, StepEnded
from tests.fakes.candidate_pools import passage
from tests.fakes.fake_models import reply, verdict
from tests.fakes.page_tabs import wait_until_ready

SHOW = """
async (documents) => {
  const { RunView } = await import("/assets/run_view.js");
  const run = new RunView("why?", "semantic");
  document.getElementById("answers").replaceChildren(run.node);
  for (const item of JSON.parse(documents)) run.show(item);
  for (const details of run.node.querySelectorAll("details")) details.open = true;
}
"""
DRAFTS = [
    {"text": "one", "reasoning": "", "source": "passage", "passage": 7},
    {"text": "two", "reasoning": "", "source": "adaptation"},
    {"text": "", "reasoning": "", "source": "baseline"},
]
WRITTEN = [{"text": text, "reasoning": ""} for text in ("one", "two")]
PAIR = {"first": 0, "second": 1, "first_wins": 0.6543, "orders_agree": False}
UNREAD = {"first": 1, "second": 2, "first_wins": None, "orders_agree": None}
VERDICTS = [verdict({"A": 0.7, "B": 0.3})] * 4
CACHED = {"cached_tokens": 1_024, "cut_tokens": 12, "cut_tokens_estimated": True}
LIKELIHOOD = {"scored_tokens": 3, "prompt_tokens": 9, "cut_tokens": 0, "tokens_estimated": False}
ACCEPT = {
    "node": "accept",
    "candidates": WRITTEN,
    "preferences": [PAIR],
    "verdicts": VERDICTS[:2],
}
WITHHELD = {
    "node": "abstain",
    "expected_score": 0.1239,
    "withheld": True,
    "answer": "No answer was found.",
}
STEPS = [
    {"node": "retrieve", "seconds": 12.34, "passages": []},
    {"node": "retrieve", "seconds": 0.04, "passages": [passage(1, "p1"), passage(2, "p2")]},
    {"node": "assess_passages", "expected_score": 0.1234, "closed_book": True},
    {"node": "assess_passages", "expected_score": 0.5, "closed_book": False},
    {
        "node": "generate",
        "candidates": WRITTEN,
        "replies": [reply("one", prompt_tokens=2_048, **CACHED), reply("two")],
    },
    {"node": "generate", "candidates": [DRAFTS[2]], "replies": [reply("", tokens_estimated=True)]},
    {"node": "extra_candidates", "candidates": WRITTEN},
    {"node": "adapt", "candidates": WRITTEN[:1], "replies": [reply("one", prompt_tokens=1)]},
    {"node": "refine", "candidates": WRITTEN[1:], "answer": "two"},
    {
        "node": "rerank_drafts",
        "candidates": DRAFTS,
        "preferences": [PAIR, UNREAD],
        "verdicts": VERDICTS,
        "chosen": 1,
    },
    {"node": "rerank_drafts", "candidates": DRAFTS, "agreements": [0.5, 0.25, 0.0], "chosen": 0},
    {
        "node": "rerank_drafts",
        "candidates": DRAFTS[1:],
        "likelihoods": [
            {**LIKELIHOOD, "mean_logprob": -1.23456},
            {**LIKELIHOOD, "mean_logprob": None},
        ],
        "chosen": 0,
    },
    {
        "node": "rerank_passages",
        "candidates": DRAFTS[:2],
        "scores": [
            {"score": 0.5, "expected": 0.25, "features": {}},
            {"score": -1.0, "features": {}},
        ],
        "chosen": 0,
    },
    {**ACCEPT, "chosen": 0},
    {**ACCEPT, "chosen": 1},
    {"node": "critique", "points": ["no example"], "critique_format": "numbered"},
    {"node": "critique", "points": [], "critique_format": "none"},
    {"node": "critique", "points": [], "critique_format": "empty"},
    {"node": "abstain", "expected_score": 0.9, "withheld": False},
    WITHHELD,
]


@pytest.fixture(scope="module")
def own_page(browser, server):
    """A page for the runs of all tests here."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(server.url)
    wait_until_ready(page)
    yield page
    context.close()


def words_of_page(page, server, events):
    """Return the text of a run with these events, its spaces joined, in lower case."""

    async def documents():
        async def as_they_happen():
            for event in events:
                yield event

        return [
            document async for document in documents_of(as_they_happen(), load_config("semantic"))
        ]

    run = asyncio.run_coroutine_threadsafe(documents(), server.loop).result()
    page.evaluate(SHOW, json.dumps(run))
    return " ".join(page.locator(".run").inner_text().split()).lower()


def words_of_trace(printed):
    """Yield the parts of the lines of a trace that the page has too."""
    head, *lines = printed.splitlines()
    yield from head.strip(" ─").split("  |  ")
    for line in lines:
        # The page has a table of the verdicts, and says of points how they are written only if they are not numbered.
        if " as a: " not in line.lower():
            line = line.replace(" (numbered)", "")
            yield line.removeprefix("0 points (").removesuffix(")") if "critique" in line else line


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step["node"])
def test_a_step_has_the_words_of_the_trace(own_page, server, capsys, step):
    page_words = words_of_page(own_page, server, [StepEnded(step)])
    narrate(step)
    for part in words_of_trace(capsys.readouterr().out):
        if step.get("passages"):
            part = part.partition("  ")[0].replace("[1] ", "score ").replace("[2] ", "score ")
        # The browser writes the numbers of a list.
        part = " ".join(part.split()).lower().removeprefix("1. ")
        assert part in page_words


def test_all_calls_of_a_step_are_there_word_for_word(own_page, server):
    step = {
        "node": "rerank_drafts",
        "replies": [reply("written", prompt="to reply", prompt_tokens=4)],
        "verdicts": [{**verdict({"A": 0.7, "B": 0.3}), "prompt": "to choose"}],
        "likelihoods": [{**LIKELIHOOD, "mean_logprob": -1.0, "prompt": "to score"}],
    }
    words_of_page(own_page, server, [StepEnded(step)])
    calls = own_page.locator(".calls")
    assert calls.locator("pre.text").all_inner_texts() == [
        "to reply",
        "written",
        "to choose",
        "to score",
    ]
    assert calls.locator("summary").first.inner_text() == "3 model calls, word for word"
    assert calls.locator("summary").last.inner_text() == "Call 3: 9 tokens read"


@pytest.mark.parametrize(
    "steps",
    [
        [{"node": "retrieve", "passages": []}, {"node": "extract", "candidates": [DRAFTS[2]]}],
        [{"node": "retrieve", "passages": [passage(1, "p")]}],
        [{"node": "retrieve", "passages": [passage(1, "p")]}, {"node": "rerank_passages"}],
        [{"node": "generate", "replies": [reply("")]}],
    ],
)
def test_the_reason_of_an_empty_answer_is_that_of_the_trace(own_page, server, capsys, steps):
    events = [*map(StepEnded, steps), Answered("", [], False, 1.0)]
    words_of_page(own_page, server, events)
    print_answer("", steps)
    reason = capsys.readouterr().out.splitlines()[1].strip().strip("()")
    assert own_page.locator(".answer").inner_text().lower() == f"{reason}."


def test_a_withheld_answer_is_called_so(own_page, server):
    events = [StepEnded(WITHHELD), Answered(WITHHELD["answer"], [], True, 2.0)]
    words_of_page(own_page, server, events)
    assert own_page.locator(".status").inner_text() == "the answer is withheld, after 2.0 s"
    paragraphs = own_page.locator(".answer p").all_inner_texts()
    assert paragraphs == ["Expected score 0.124: the answer is withheld.", "No answer was found."]


def test_the_parts_of_a_run_have_the_names_of_the_report(own_page, server):
    words = words_of_page(
        own_page, server, [StepEnded(STEPS[1]), Answered("an answer", [], False, 1.0)]
    )
    titles = own_page.locator(".run .part-title").all_inner_texts()
    assert [title.lower() for title in titles] == ["answer", "passages", "steps"]
    assert "source" not in words


@pytest.mark.parametrize(("count", "summaries"), [(4, []), (5, ["The 5 extra candidates"])])
def test_many_texts_of_a_step_are_folded(own_page, server, count, summaries):
    step = {"node": "extra_candidates", "candidates": WRITTEN[:1] * count}
    words_of_page(own_page, server, [StepEnded(step)])
    assert own_page.locator(".step-body > details > summary").all_inner_texts() == summaries
    assert own_page.locator(".draft").count() == count
