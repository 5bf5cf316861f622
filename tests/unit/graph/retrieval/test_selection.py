"""From scored posts to those that are returned: bounded bonuses, no repeats, diversity."""

from math import log
from types import SimpleNamespace

import numpy as np
import pytest

from graph.retrieval import selection
from graph.retrieval.candidates import Candidates, Nominated
from graph.retrieval.query import Query
from graph.retrieval.selection import bonus, diverse, tag_share, vote_share, with_bonuses
from graph.retrieval.terms import tokenize
from graph.schema import Retrieval
from tests.fakes.corpora import post

ALL = Retrieval(tag_bonus=0.5, score_bonus=0.25, accepted_bonus=0.125)


def candidates(rows, scores):
    own_rows, own_scores = np.array(rows, dtype=np.int64), np.array(scores, dtype=np.float64)
    order = np.argsort(own_rows)
    nominated = Nominated(own_rows[order], {"keyword": own_scores[order]})
    return Candidates(own_rows, own_scores, nominated)


def as_lists(candidates):
    return candidates.rows.tolist(), candidates.scores.tolist()


def posts_of(*posts):
    return SimpleNamespace(read=posts.__getitem__)


@pytest.mark.parametrize(
    ("tags", "query", "share"),
    [
        ((), "python", 0.0),
        (("python",), "a Python question", 1.0),
        (("python", "list"), "python", 0.5),
        (("java",), "a javascript question", 0.0),
        (("javascript",), "java", 0.0),
        (("c",), "c++", 0.0),
        (("c++",), "c", 0.0),
        (("c#", "C++"), "c# or c++", 1.0),
        (("node.js",), "in node.js", 1.0),
        (("node.js",), "in node", 0.0),
        (("go",), "sort in Go", 1.0),
        (("deep-copy", "python-3.x", ".net", "objective-c"), "deep-copy .net", 0.5),
        (("sql", "git", "bash"), "git", 1 / 3),
        (("...",), "...", 0.0),
    ],
)
def test_only_a_whole_tag_counts(tags, query, share):
    assert tag_share(post(tags=tags), set(tokenize(query))) == pytest.approx(share)


@pytest.mark.parametrize(
    ("votes", "share"),
    [
        ("", 0.0),
        ("0", 0.0),
        ("-5", 0.0),
        ("many", 0.0),
        ("nan", 0.0),
        ("-inf", 0.0),
        ("9", log(10) / log(101)),
        ("9.0", log(10) / log(101)),
        ("100", 1.0),
        ("99999999", 1.0),
        ("inf", 1.0),
        ("1e400", 1.0),
    ],
)
def test_votes_count_less_and_less_and_never_more_than_1(votes, share):
    assert vote_share(post(answer_score=votes)) == pytest.approx(share)


def test_a_bonus_is_the_sum_of_its_parts_each_at_most_what_it_is_set_to():
    best = post(tags=("python",), answer_score="100000", accepted=True)
    assert bonus(best, {"python"}, ALL) == pytest.approx(0.5 + 0.25 + 0.125)
    assert bonus(best, set(), ALL) == pytest.approx(0.25 + 0.125)
    half = post(tags=("python", "x"), answer_score="9", accepted=False)
    assert bonus(half, {"python"}, ALL) == pytest.approx(0.25 + 0.25 * log(10) / log(101))


@pytest.mark.parametrize("name", ["tag_bonus", "score_bonus", "accepted_bonus"])
def test_each_bonus_can_be_switched_alone(name):
    best = post(tags=("python",), answer_score="100000", accepted=True)
    retrieval = Retrieval(**{name: 0.3})
    assert selection.has_bonus(retrieval)
    assert bonus(best, {"python"}, retrieval) == pytest.approx(0.3)
    assert bonus(post(tags=("x",), answer_score="0"), {"python"}, retrieval) == 0.0


def test_without_a_bonus_nothing_is_read_or_reordered():
    ranked = candidates([2, 0, 1], [3.0, 2.0, 1.0])
    assert not selection.has_bonus(Retrieval())
    assert with_bonuses(ranked, Query.of("x"), None, Retrieval()) is ranked
    nothing = candidates([], [])
    assert with_bonuses(nothing, Query.of("x"), None, ALL) is nothing


def test_bonuses_are_added_and_equal_scores_stay_in_the_order_of_the_corpus():
    posts = posts_of(post(tags=("git",)), post(tags=()), post(tags=("git",)), post(tags=("git",)))
    ranked = candidates([1, 3, 0, 2], [0.9, 0.5, 0.5, 0.75])
    chosen = with_bonuses(ranked, Query.of("a git question"), posts, Retrieval(tag_bonus=0.25))
    assert as_lists(chosen) == ([2, 1, 0, 3], [1.0, 0.9, 0.75, 0.75])


def test_scores_without_an_upper_end_are_measured_against_the_best():
    posts = posts_of(post(tags=()), post(tags=("git",)))
    ranked = candidates([0, 1], [20.0, 15.0])
    chosen = with_bonuses(ranked, Query.of("git"), posts, Retrieval(tag_bonus=0.5))
    assert as_lists(chosen) == ([1, 0], [1.25, 1.0])
    small = with_bonuses(
        candidates([0, 1], [0.5, 0.25]), Query.of("git"), posts, Retrieval(tag_bonus=0.5)
    )
    assert as_lists(small) == ([1, 0], [0.75, 0.5])


FAR = np.array([0, 2**8 - 1, 2**16 - 1, 2**24 - 1, 2**32 - 1], dtype=np.uint64)


def selected_rows(rows, ids, prints=FAR, depth=10, **changes):
    ranked = candidates(rows, [1.0 - position / 10 for position in range(len(rows))])
    chosen = selection.without_repeats(ranked, ids, prints, Retrieval(**changes), depth)
    assert chosen.scores.tolist() == [
        ranked.scores[rows.index(row)] for row in chosen.rows.tolist()
    ]
    return chosen.rows.tolist()


def test_of_one_question_only_the_best_answers_are_taken():
    rows, ids = [3, 0, 4, 1, 2], ["a", "a", "b", "a", "b"]
    assert selected_rows(rows, ids) == [3, 4]
    assert selected_rows(rows, ids, answers_per_question=2) == [3, 0, 4, 2]
    assert selected_rows(rows, ids, answers_per_question=3) == rows
    assert selected_rows(rows, ids, answers_per_question=2, depth=3) == [3, 0, 4]
    assert selected_rows(rows, ids, depth=1) == [3]
    assert selected_rows([], ids) == []


def test_of_near_duplicates_only_the_best_is_taken():
    prints = np.array([0, 0b111, 0b1111, 0, 2**40 - 1], dtype=np.uint64)
    ids = ["a", "b", "c", "d", "e"]
    assert selected_rows([1, 0, 2, 3, 4], ids, prints) == [1, 4]
    assert selected_rows([0, 1, 2, 3, 4], ids, prints) == [0, 2, 4]
    assert selected_rows([0, 1, 2, 3, 4], ids, prints, drop_near_duplicates=False) == [
        0,
        1,
        2,
        3,
        4,
    ]


def test_a_dropped_duplicate_does_not_use_up_its_question():
    prints = np.array([0, 0, 2**20 - 1], dtype=np.uint64)
    assert selected_rows([0, 1, 2], ["a", "b", "b"], prints) == [0, 2]


SHARP = np.array([[1, 0, 0], [1, 0, 0], [0.8, 0.6, 0], [0, 0, 1]], dtype=np.float32)
NEAREST = candidates([10, 11, 12, 13], [0.9, 0.9, 0.8, 0.3])


@pytest.mark.parametrize(
    ("diversity", "rows"),
    [
        (0.01, [10, 11, 12, 13]),
        # Second place: 0.235 for the copy, 0.24 for what is a bit like the first, 0.195 for the last.
        (0.35, [10, 12, 11, 13]),
        # -0.05, 0 and 0.15.
        (0.5, [10, 13, 12, 11]),
        (0.99, [10, 13, 12, 11]),
    ],
)
def test_what_is_new_comes_before_what_repeats(diversity, rows):
    assert diverse(NEAREST, SHARP, diversity, 4).rows.tolist() == rows
    assert diverse(NEAREST, SHARP, diversity, 2).rows.tolist() == rows[:2]
    assert diverse(NEAREST, SHARP, diversity, 9).rows.tolist() == rows


def test_relevance_is_the_score_that_a_post_came_with():
    # Whatever its vector says, the post that was put first (by a cross-encoder, say) is the best.
    ranked = candidates([3, 2, 1], [0.9, 0.5, 0.1])
    chosen = diverse(ranked, SHARP[[3, 2, 1]], 0.2, 3)
    assert as_lists(chosen) == ([3, 2, 1], [0.9, 0.5, 0.1])


def test_of_nothing_nothing_is_chosen():
    assert as_lists(diverse(candidates([], []), SHARP[:0], 0.5, 5)) == ([], [])
