"""Abstention: an answer below the threshold is replaced, and unscored from there on."""

import pytest

from nodes.abstain import abstain
from nodes.judge import judge
from nodes.learned import learned
from nodes.state import is_withheld
from tests.fakes.candidate_pools import draft, passage
from tests.fakes.fake_models import ExpectingScorer, FakeModel, LengthScorer

PASSAGES = [passage(number, "a post") for number in range(1, 8)]
TEXT = "No answer was found. The nearest posts: [1], [2], [3], [4], [5]."


def state(answer="use a lock", expected=0.5, passages=PASSAGES):
    return {
        "question": "why?",
        "answer": answer,
        "passages": passages,
        "expected_score": expected,
        "withheld": False,
    }


@pytest.mark.parametrize(("expected", "is_withheld"), [(0.49, True), (0.5, False), (0.51, False)])
def test_a_score_at_the_threshold_is_enough(expected, is_withheld):
    update = abstain(state(expected=expected), threshold=0.5)
    assert update["withheld"] is is_withheld
    assert update["answer"] == (TEXT if is_withheld else "use a lock")


def test_a_withheld_answer_is_in_the_step_and_an_answer_that_stays_is_not_repeated():
    [withheld] = abstain(state(expected=0.2), threshold=0.5)["steps"]
    assert withheld == {
        "node": "abstain",
        "expected_score": 0.2,
        "withheld": True,
        "answer": TEXT,
    }
    [stays] = abstain(state(expected=0.7), threshold=0.5)["steps"]
    assert stays == {"node": "abstain", "expected_score": 0.7, "withheld": False}
    assert is_withheld([{"node": "generate"}, withheld])
    assert not is_withheld([{"node": "generate"}, stays])
    assert not is_withheld([])


def test_an_empty_answer_is_withheld_whatever_was_expected_of_it():
    update = abstain(state(answer="", expected=0.9), threshold=0.01)
    assert update["withheld"] is True
    assert update["answer"] == TEXT
    assert update["steps"][0]["expected_score"] == 0.0


@pytest.mark.parametrize(
    ("passages", "text"),
    [([], "No answer was found."), (PASSAGES[:1], "No answer was found. The nearest posts: [1].")],
)
def test_an_abstention_names_the_posts_that_there_are(passages, text):
    assert abstain(state(expected=0.0, passages=passages), threshold=0.5)["answer"] == text


def test_the_expected_score_is_that_of_the_chosen_candidate():
    candidates = [draft("red"), draft("blue"), draft("green")]
    scorer = ExpectingScorer({"red": 0.9, "blue": 0.8, "green": 0.3}.get)
    chosen = learned({**state(), "candidates": candidates}, scorer=scorer, node="rerank_drafts")
    assert (chosen["answer"], chosen["expected_score"]) == ("green", 0.3)


def test_a_formula_without_an_expectation_leaves_the_state_as_it_is():
    candidates = [draft("red")]
    update = learned(
        {**state(), "candidates": candidates}, scorer=LengthScorer(), node="rerank_drafts"
    )
    assert "expected_score" not in update


def test_the_judge_is_not_asked_about_an_abstention():
    withheld = {**state(), "reference": "because", "withheld": True}
    # The fake has no verdict: asking it would raise, which the judge records as an error.
    update = judge(withheld, chooser=FakeModel())
    assert update == {"score": None, "steps": [{"node": "judge", "score": None}]}
