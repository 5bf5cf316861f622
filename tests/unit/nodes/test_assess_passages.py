"""The gate before the writing: prompts show passages only if the best of their answers is expected to be good."""

import pytest

from nodes.assess_passages import assess_passages
from nodes.critique import critique
from nodes.generate import generate
from nodes.refine import refine
from tests.fakes.candidate_pools import passage
from tests.fakes.fake_models import ExpectingScorer, FakeModel, section, step_of

PASSAGES = [passage(1, "use a lock"), passage(2, "use a queue")]


def scorer_of(**expected: float) -> ExpectingScorer:
    """Return a scorer that expects the score of each answer by its last word."""
    return ExpectingScorer(lambda text: expected[text.split()[-1]])


def assessed(scorer, passages=PASSAGES, threshold=0.4, shown=2):
    state = {"question": "why?", "passages": passages, "prompt_passages": shown}
    update = assess_passages(state, scorer=scorer, closed_book_below=threshold)
    return {**state, **update}


@pytest.mark.parametrize(
    ("expected", "is_closed"),
    [(0.39, True), (0.4, False), (0.41, False)],
)
def test_the_best_answer_decides_and_a_score_at_the_threshold_is_enough(expected, is_closed):
    state = assessed(scorer_of(lock=0.1, queue=expected))
    assert state["prompt_passages"] == (0 if is_closed else 2)
    (step,) = state["steps"]
    assert step.pop("seconds") >= 0
    assert step == {
        "node": "assess_passages",
        "expected_score": expected,
        "closed_book": is_closed,
    }
    assert state["passages"] == PASSAGES


def test_open_prompts_show_as_many_passages_as_before():
    assert assessed(scorer_of(lock=0.9, queue=0.1), shown=1)["prompt_passages"] == 1


def test_the_candidates_are_the_answers_of_passages_without_empty_ones():
    scorer = scorer_of(lock=0.9)
    passages = [PASSAGES[0], passage(2, "only a question", answer_chars=0)]
    assessed(scorer, passages)
    [(question, candidates, scored_passages)] = scorer.asked
    assert question == "why?"
    assert candidates == [
        {"text": "use a lock", "reasoning": "", "source": "passage", "passage": 1}
    ]
    assert scored_passages == passages


@pytest.mark.parametrize("passages", [[], [passage(1, "only a question", answer_chars=0)]])
def test_without_an_answer_nothing_is_scored_and_the_book_is_closed(passages):
    scorer = scorer_of()
    state = assessed(scorer, passages)
    assert state["prompt_passages"] == 0
    assert state["steps"][0]["expected_score"] == 0.0
    assert state["steps"][0]["closed_book"] is True
    assert scorer.asked == []


@pytest.mark.parametrize("is_closed", [False, True])
def test_every_prompt_after_a_closed_book_holds_the_question_and_no_passage(is_closed):
    score = 0.1 if is_closed else 0.9
    state = {**assessed(scorer_of(lock=score, queue=score)), "points": ["wrong"]}
    model = FakeModel(["a draft", "1. wrong", "a better answer"])
    settings = {"model": model, "max_new_tokens": 9}
    drafted = generate(state, drafts=1, temperature=0.0, cot=False, **settings)
    state = {**state, **drafted}
    critique(state, max_points=3, **settings)
    refine(state, drafts=1, temperature=0.0, **settings)
    names = ("answer alone", "refine alone") if is_closed else ("answer", "refine")
    assert [step_of(prompt) for prompt in model.written] == [names[0], "critique", names[1]]
    assert not is_closed or not any("[1]" in prompt for prompt in model.written)
    for prompt in model.written:
        assert section(prompt, "question") == "why?"
        assert ("use a lock" in prompt) is ("<passages" in prompt) is not is_closed
    assert drafted["candidates"][0]["source"] == ("baseline" if is_closed else "draft")
    # The passages stay in the state: the answer may still be withheld with their numbers.
    assert drafted["passages"] == PASSAGES


def test_notes_without_passages_ask_for_none():
    state = assessed(scorer_of(lock=0.1, queue=0.1))
    model = FakeModel(["a note", "a draft"])
    generate(state, model=model, max_new_tokens=9, drafts=1, temperature=0.0, cot=True)
    assert [step_of(prompt) for prompt in model.written] == ["reason alone", "answer from alone"]
    assert not any("passage" in prompt for prompt in model.written)


def test_passages_that_are_not_shown_keep_no_book_open():
    scorer = scorer_of(lock=0.1, queue=0.9)
    update = assess_passages(
        {"question": "why?", "passages": PASSAGES, "prompt_passages": 1},
        scorer=scorer,
        closed_book_below=0.5,
    )
    assert update["prompt_passages"] == 0
    assert update["steps"][0]["expected_score"] == 0.1


def test_copies_of_a_post_are_one_candidate():
    scorer = scorer_of(lock=0.1)
    copies = [passage(number, "use a lock") for number in (1, 2, 3)]
    scored = []
    score = scorer.score
    scorer.score = lambda question, candidates, passages: (
        scored.append([draft["text"] for draft in candidates])
        or score(question, candidates, passages)
    )
    assessed(scorer, copies, shown=3)
    assert scored == [["use a lock"]]
