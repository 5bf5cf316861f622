"""Fingerprints: nearly the same posts are near, posts that differ in what matters are not."""

import numpy as np
import pytest

from graph.retrieval import fingerprints
from tests.fakes.corpora import post

WORDS = [
    "alpha",
    "beta",
    "gamma",
    "delta",
    "lambda",
    "sigma",
    "kernel",
    "socket",
    "parser",
    "widget",
    "buffer",
    "thread",
]


def words(count, start=0):
    return " ".join(f"{WORDS[n % 12]}{n}" for n in range(start, start + count))


LONG = post(title="How to parse it", question=words(120), answer=words(80, 500))


def distance(one, other):
    first, second = fingerprints.of([one, other])
    return int(np.bitwise_count(first ^ second))


def changed(post, **fields):
    return post.__class__(**{**post.__dict__, **fields})


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"question_id": "2", "answer_id": "7", "tags": (), "answer_score": "9", "url": ""},
        {"title": "HOW TO PARSE IT?"},
        {"question": words(120).replace(" ", "\n\n")},
        {"question": " ".join(reversed(words(120).split()))},
        {"answer": f"{words(80, 500)} {words(80, 500)}"},
    ],
)
def test_the_same_terms_give_the_same_bits(fields):
    assert distance(LONG, changed(LONG, **fields)) == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"question": f"{words(120)}\n\nedited: zebra"},
        {"answer": words(79, 500)},
        {"title": "How to parse this"},
    ],
)
def test_a_word_in_a_long_text_keeps_posts_near(fields):
    assert distance(LONG, changed(LONG, **fields)) <= fingerprints.NEAR


@pytest.mark.parametrize(
    "fields",
    [
        {"answer": words(80, 900)},
        {"question": words(120, 900)},
        {"question": words(60) + " " + words(60, 900)},
        {"answer": ""},
    ],
)
def test_another_answer_or_another_question_is_another_post(fields):
    assert distance(LONG, changed(LONG, **fields)) > fingerprints.NEAR


def test_two_short_answers_to_one_long_question_are_no_duplicates():
    first, second = (changed(LONG, answer=text) for text in ("Use deepcopy.", "Slice list twice."))
    assert distance(first, second) > fingerprints.NEAR


def test_one_answer_to_two_questions_is_no_duplicate():
    first, second = post(title="sort a list", question=""), post(title="copy a file", question="")
    assert distance(first, second) > fingerprints.NEAR


def test_short_posts_that_differ_in_a_word_are_not_near():
    posts = [
        post(title=f"how to sort {word}", question="", answer=f"sort({word})") for word in WORDS
    ]
    prints = fingerprints.of(posts)
    for row, one in enumerate(prints):
        assert fingerprints.near(one, prints).tolist() == [row == other for other in range(12)]


def test_posts_without_a_term_are_near_only_where_they_are_the_same():
    one, other = (post(title="", question=text, answer="?!") for text in ("...", "—"))
    assert distance(one, one) == 0
    assert distance(one, other) > fingerprints.NEAR
    assert distance(post(title="", question="\ud800", answer=""), one) > fingerprints.NEAR


def test_near_is_three_bits_and_not_four():
    others = np.array([0, 0b1, 0b111, 0b1111, 2**63, 2**64 - 1], dtype=np.uint64)
    assert fingerprints.near(np.uint64(0), others).tolist() == [
        True, True, True, False, True, False,
    ]  # fmt: skip
    assert fingerprints.near(np.uint64(0), others[:0]).tolist() == []


def test_the_bits_are_the_same_on_every_machine_and_in_every_process():
    assert [hex(fingerprint) for fingerprint in fingerprints.of([LONG, post()])] == [
        "0xf63821fb832872dc",
        "0x301420009281484a",
    ]


def test_they_come_back_as_they_were_saved(tmp_path):
    prints = fingerprints.of([LONG, post()])
    fingerprints.save(tmp_path, prints)
    assert fingerprints.load(tmp_path).tolist() == prints.tolist()
    assert fingerprints.of([]).tolist() == []
