"""The library's metrics against values computed by hand, on rankings in the order given."""

import sys
from math import log2
from typing import NamedTuple

import pytest

from evaluation.ranking.rank_measures import RANK_METRICS, score_rankings
from graph.support.errors import MissingExtraError


class Ranked(NamedTuple):
    question_id: str
    score: float


def ranking(ids, scores=None):
    names = ids.split()
    values = scores or [1.0 / rank for rank in range(1, len(names) + 1)]
    return [Ranked(name, value) for name, value in zip(names, values, strict=True)]


def one(ids, relevant, scores=None):
    return {
        name: values[0]
        for name, values in score_rankings([ranking(ids, scores)], [relevant]).items()
    }


def test_the_first_place_is_worth_everything():
    assert one("a b c", {"a": 1}) == dict.fromkeys(RANK_METRICS, 1.0)


def test_several_relevant_questions_with_grades():
    values = one("n b m a", {"a": 3, "b": 1, "c": 2})
    gained = 1 / log2(3) + 3 / log2(5)
    ideal = 3 + 2 / log2(3) + 1 / log2(4)
    assert values["nDCG@10"] == pytest.approx(gained / ideal)
    assert values["MRR"] == 0.5
    assert values["R@1"] == 0.0
    assert values["R@5"] == values["R@10"] == values["R@100"] == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("rank", "recalls"),
    [
        (1, [1, 1, 1, 1]),
        (2, [0, 1, 1, 1]),
        (5, [0, 1, 1, 1]),
        (6, [0, 0, 1, 1]),
        (10, [0, 0, 1, 1]),
        (11, [0, 0, 0, 1]),
        (100, [0, 0, 0, 1]),
    ],
)
def test_recall_counts_up_to_its_depth(rank, recalls):
    ids = " ".join("hit" if n == rank else f"n{n}" for n in range(1, 101))
    values = one(ids, {"hit": 1})
    assert [values[f"R@{depth}"] for depth in (1, 5, 10, 100)] == recalls
    assert values["MRR"] == pytest.approx(1 / rank)
    assert values["nDCG@10"] == pytest.approx(1 / log2(rank + 1) if rank <= 10 else 0.0)


@pytest.mark.parametrize("ids", ["n m", ""])
def test_nothing_found_is_zero_everywhere(ids):
    assert one(ids, {"a": 1, "b": 2}) == dict.fromkeys(RANK_METRICS, 0.0)


@pytest.mark.parametrize("others", ["b c", "0 00", "y z"])
@pytest.mark.parametrize("scores", [[0.5, 0.5, 0.5], [0.0, 0.0, 0.0], [-3.0, 2.0, 9.0]])
def test_the_order_given_decides_and_no_score_or_id(others, scores):
    first, last = f"hit {others}", f"{others} hit"
    assert one(first, {"hit": 1}, scores)["MRR"] == 1.0
    assert one(last, {"hit": 1}, scores)["MRR"] == pytest.approx(1 / 3)


def test_values_stand_in_the_order_of_the_queries():
    rankings = [ranking("a b"), [], ranking("b a"), *[ranking("n a")] * 9]
    values = score_rankings(rankings, [{"a": 1}] * 12)
    assert list(values) == list(RANK_METRICS)
    assert values["MRR"] == [1.0, 0.0, 0.5, *[0.5] * 9]
    assert values["R@1"] == [1.0, 0.0, 0.0, *[0.0] * 9]


def test_a_ranking_that_names_a_question_twice_is_refused():
    with pytest.raises(ValueError, match="names a question twice"):
        one("a b a", {"a": 1})


def test_rankings_and_queries_must_be_as_many():
    with pytest.raises(ValueError, match="1 rankings of 2 queries"):
        score_rankings([ranking("a")], [{"a": 1}, {"b": 1}])


def test_a_missing_library_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ir_measures", None)
    with pytest.raises(MissingExtraError, match="needs ir-measures: pip install"):
        one("a", {"a": 1})
