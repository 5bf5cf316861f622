"""Duplicates: the same ids, the same text, and nearly the same text, found without sampling."""

import random

import numpy as np
import pytest

from dataset.check.duplicates import JACCARD, Ids, Origin, Texts, jaccard, near_groups
from dataset.check.findings import Example, Findings


def ordered(findings):
    return [(f.kind, f.column, f.count, f.problem, f.examples) for f in findings.ordered(100)]


def words(first, count):
    return [f"w{number}" for number in range(first, first + count)]


def test_an_id_that_stands_there_twice_is_named_with_its_first_row():
    findings, ids = Findings(5), Ids("eval_id")
    for number, name in enumerate(["a", "b", "a", "", "", "a"], 1):
        ids.add(Origin(number, name), findings)
    assert ordered(findings) == [
        (
            "duplicate id", "eval_id", 3, True,
            [Example(3, "a", 1, "a"), Example(5, "", 4, ""), Example(6, "a", 1, "a")],
        )
    ]  # fmt: skip


def test_the_same_words_under_another_id_are_a_duplicate():
    findings = Findings(5)
    texts = Texts("question", near=True, problem=True)
    for number, (name, text) in enumerate(
        [("a", words(0, 30)), ("b", words(50, 30)), ("c", words(0, 30)), ("d", []), ("e", [])], 1
    ):
        texts.add(Origin(number, name), text, findings)
    texts.finish(findings)
    assert ordered(findings) == [
        ("exact duplicate", "question", 1, True, [Example(3, "c", 1, "a")])
    ]


def test_rows_of_one_question_share_its_text_and_must_not_differ():
    findings = Findings(5)
    texts = Texts("question", near=True, problem=True)
    for number, text in enumerate([words(0, 30), words(0, 30), words(0, 29)], 1):
        texts.add(Origin(number, "a"), text, findings)
    texts.finish(findings)
    assert ordered(findings) == [
        ("conflicting text", "question", 1, True, [Example(3, "a", 1, "a")])
    ]


def test_nearly_the_same_text_is_found_with_its_similarity():
    findings = Findings(5)
    texts = Texts("question", near=True, problem=True)
    base = words(0, 104)  # 100 shingles of 5 words
    for number, text in enumerate([base, words(500, 104), base[:90], [*base[:50], "x"], "abcd"], 1):
        texts.add(Origin(number, f"q{number}"), text, findings)
    texts.finish(findings)
    assert ordered(findings) == [
        ("near-duplicate", "question", 1, True, [Example(3, "q3", 1, "q1", 0.86)])
    ]


def sets(*values):
    return [np.array(sorted(value), dtype=np.int64) for value in values]


def test_jaccard_is_intersection_over_union():
    assert jaccard(*sets({1, 2, 3}, {2, 3, 4})) == 0.5
    assert jaccard(*sets({1}, {2})) == 0.0


@pytest.mark.parametrize("size", range(1, 60))
def test_a_pair_just_at_the_threshold_is_found_and_one_just_below_is_not(size):
    first = set(range(size))
    for missing in range(size):
        second = set(range(missing, size))
        pair = sets(first, second)
        expected = [[0, 1]] if (size - missing) / size >= JACCARD else []
        assert near_groups(pair, JACCARD) == expected


def test_groups_are_those_of_comparing_every_pair():
    chance = random.Random(7)
    collection = []
    for _ in range(150):
        if collection and chance.random() < 0.6:
            one = set(chance.choice(collection))
            for _ in range(chance.randrange(8)):
                one.discard(chance.choice(sorted(one)))
                one.add(chance.randrange(-400, 400))
        else:
            one = {chance.randrange(-400, 400) for _ in range(chance.randrange(1, 40))}
        collection.append(one)
    arrays = sets(*collection)
    for threshold in (0.3, 0.5, 0.7, 1.0):
        groups = [{number} for number in range(len(collection))]
        for i, first in enumerate(collection):
            for j, second in enumerate(collection[:i]):
                if len(first & second) / len(first | second) >= threshold:
                    joined = next(g for g in groups if i in g) | next(g for g in groups if j in g)
                    groups = [g for g in groups if not g & joined] + [joined]
        expected = sorted(sorted(group) for group in groups if len(group) > 1)
        assert len(expected) > 3
        assert near_groups(arrays, threshold) == expected


def test_few_sets_have_no_groups():
    assert near_groups([], 0.7) == []
    assert near_groups(sets({1, 2}), 0.7) == []
