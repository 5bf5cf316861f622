"""Learned reranking: the candidate with the highest score, near-equal candidates as one."""

import pytest

from nodes.learned import learned
from nodes.word_overlap import distinct
from tests.fakes.candidate_pools import draft


class Scorer:
    """Scores a candidate by the number in its text; records what it was asked."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def score(self, question, candidates, passages):
        self.texts = [candidate["text"] for candidate in candidates]
        return [{"score": float(text.split()[-1]), "features": {}} for text in self.texts]


def state(*candidates, **more):
    return {"question": "why?", "passages": [], "candidates": list(candidates), **more}


def test_the_candidate_with_the_highest_score_is_the_answer():
    extra = [draft("a passage 3", "passage", passage=2), draft("another 1", "passage", passage=1)]
    update = learned(
        state(draft("my draft 2"), extra_candidates=extra), scorer=Scorer(), node="rerank_drafts"
    )
    assert update["answer"] == "a passage 3"
    (step,) = update["steps"]
    assert (step["node"], step["chosen"]) == ("rerank_drafts", 1)
    assert [score["score"] for score in step["scores"]] == [2.0, 3.0, 1.0]
    assert [c["source"] for c in step["candidates"]] == ["draft", "passage", "passage"]


def test_a_tie_goes_to_the_earlier_candidate():
    update = learned(state(draft("red 1"), draft("blue 1")), scorer=Scorer(), node="rerank_drafts")
    assert update["answer"] == "red 1"


@pytest.mark.parametrize(("refined", "answer"), [("new 5", "new 5"), ("new 3", "old 4")])
def test_a_refinement_has_to_beat_the_reviewed_answer(refined, answer):
    given = state(draft(refined, "refinement"), reviewed="old 4", reasoning="notes")
    update = learned(given, scorer=Scorer(), node="rerank_refined")
    assert update["answer"] == answer
    assert update["steps"][0]["candidates"][-1]["source"] == "reviewed"


def test_near_equal_candidates_count_once():
    long = " ".join(f"word{number}" for number in range(40))
    drafts = [draft(long), draft(long.upper()), draft(f"{long} more"), draft(f"{long} {long} x")]
    assert distinct(drafts) == [drafts[0], drafts[3]]


def test_of_near_equal_candidates_the_answer_of_a_passage_stays():
    text = " ".join(f"word{number}" for number in range(40))
    copy, passage = draft(f"{text} more", "adaptation"), draft(text, "passage", passage=7)
    other = draft("something else")
    assert distinct([copy, other, passage]) == [passage, other]
    assert distinct([passage, other, copy]) == [passage, other]


def test_empty_candidates_are_left_out_unless_there_is_nothing_else():
    assert distinct([draft(" "), draft("text"), draft("")]) == [draft("text")]
    assert distinct([draft(""), draft(" ")]) == [draft("")]
    assert distinct([]) == []
