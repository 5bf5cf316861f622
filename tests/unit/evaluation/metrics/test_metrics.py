"""The metrics, against values worked out by hand, and their registry."""

from math import exp

import pytest
from hypothesis import given

from evaluation.metrics import rouge
from evaluation.metrics.registry import (
    METRIC_NAMES,
    METRICS,
    STAGE_METRICS,
    metric_names,
    score_answers,
    short_name,
)
from evaluation.metrics.semantic_similarity import semantic_similarity
from tests.fakes.corpora import EMBEDDER, FakeEncoder
from tests.fakes.properties import any_text, examples

REFERENCE = "the cat sat on the mat"
LEXICAL = ("BLEU", "ROUGE-1", "ROUGE-L", "edit_similarity")


def lexical(answer, reference):
    """Return the scores of one answer by the metrics that need no encoder."""
    [scores] = score_answers([answer], [reference])
    return {name: scores[name] for name in LEXICAL}


def test_the_registry_orders_the_metrics_and_knows_their_models():
    assert METRIC_NAMES[:6] == (*LEXICAL, "semantic_similarity", "LLM_judge")
    measured_by = {metric.name: metric.measured_by for metric in METRICS if metric.measured_by}
    assert measured_by == {"semantic_similarity": "embedder", "LLM_judge": "judge"}
    assert [name for name in METRIC_NAMES if name not in STAGE_METRICS] == ["LLM_judge"]
    assert [short_name(name) for name in (*METRIC_NAMES[3:6], "calibrated_judge", "other@1")] == [
        "edit",
        "semantic",
        "judge",
        "calibrated",
        "other@1",
    ]


def test_further_metrics_come_after_the_registered_ones():
    assert metric_names([{"b": 1}, {"BLEU": 1, "a": 1}]) == [*METRIC_NAMES, "a", "b"]


def test_a_batch_is_scored_as_its_answers_are_alone(monkeypatch):
    answers, references = ["the cat", "", "a b", "x"], [REFERENCE, REFERENCE, "", "x y"]
    calls = []
    scorer = rouge._scorer()
    monkeypatch.setattr(rouge, "_scorer", lambda: calls.append(1) or scorer)
    scores = score_answers(answers, references)
    assert len(calls) == 2, "both types of ROUGE come from one computation"
    assert [{name: row[name] for name in LEXICAL} for row in scores] == [
        lexical(*pair) for pair in zip(answers, references, strict=True)
    ]
    assert [list(row) for row in scores] == [list(STAGE_METRICS)] * 4
    assert {row["semantic_similarity"] for row in scores} == {None}


def test_identical_texts_score_one():
    assert lexical(REFERENCE, REFERENCE) == pytest.approx(
        {"BLEU": 1.0, "ROUGE-1": 1.0, "ROUGE-L": 1.0, "edit_similarity": 1.0}
    )


def test_one_missing_word_worked_out_by_hand():
    # n-gram precisions 5/5, 3/4, 2/3, 1/2; brevity penalty exp(1 - 6/5). ROUGE: P = 1, R = 5/6.
    # "the " is left out: 18 of 22 characters are shared, 2 * 18 / (18 + 22).
    assert lexical("the cat sat on mat", REFERENCE) == pytest.approx(
        {
            "BLEU": (1 * 3 / 4 * 2 / 3 * 1 / 2) ** 0.25 * exp(-1 / 5),
            "ROUGE-1": 10 / 11,
            "ROUGE-L": 10 / 11,
            "edit_similarity": 36 / 40,
        }
    )


def test_the_order_of_words_counts_for_rouge_l_alone():
    scores = lexical("mat the on sat cat the", REFERENCE)
    # The longest common subsequence has three words: "the sat the".
    assert scores["ROUGE-1"] == pytest.approx(1.0)
    assert scores["ROUGE-L"] == pytest.approx(0.5)


def test_bleu_is_smoothed_by_method_one():
    # Unigrams 2/4; of the longer n-grams none: each counts 0.1 instead of 0.
    expected = (2 / 4 * (0.1 / 3) * (0.1 / 2) * (0.1 / 1)) ** 0.25
    assert lexical("a x b y", "a p b q")["BLEU"] == pytest.approx(expected)


def test_bleu_splits_at_white_space_and_ignores_case():
    assert lexical("The CAT\nsat  on the\tMAT", REFERENCE)["BLEU"] == pytest.approx(1.0)
    assert lexical("the cat, sat. on the mat!", REFERENCE)["BLEU"] < 0.5


def test_rouge_stems_words():
    scores = lexical("copies lists", "copying list")
    assert scores["ROUGE-1"] == pytest.approx(1.0)
    assert scores["edit_similarity"] < 1.0


@pytest.mark.parametrize(
    ("answer", "reference", "expected"),
    [
        # Insertions and deletions: "ittn" is common, 2 * 4 / (6 + 7).
        ("kitten", "sitting", 8 / 13),
        ("abc", "xyz", 0.0),
        ("ab", "abcd", 4 / 6),
        ("ABC", "abc", 0.0),
    ],
)
def test_edit_similarity_is_the_levenshtein_ratio(answer, reference, expected):
    assert lexical(answer, reference)["edit_similarity"] == pytest.approx(expected)


def test_nothing_in_common_scores_next_to_nothing():
    scores = lexical("alpha beta gamma delta", "one two six ten")
    assert scores["BLEU"] < 0.05
    assert scores["ROUGE-1"] == scores["ROUGE-L"] == 0.0


def test_an_empty_answer_scores_zero():
    assert lexical("", REFERENCE) == dict.fromkeys(LEXICAL, 0.0)


@pytest.mark.parametrize("answer", ["", REFERENCE])
def test_without_a_reference_there_is_no_score(answer):
    assert lexical(answer, "") == dict.fromkeys(LEXICAL, None)


@examples(60)
@given(answer=any_text, reference=any_text)
def test_every_score_is_between_zero_and_one(answer, reference):
    for score in lexical(answer, reference).values():
        assert (score is None) == (reference == "")
        assert score is None or 0.0 <= score <= 1.0 + 1e-9


def test_semantic_similarity_is_the_cosine_of_the_two_texts():
    encoder = FakeEncoder(EMBEDDER)
    answers = ["red pear", "red apple", "", "x", "same"]
    references = ["red pear", "red pear", "red pear", "", "same"]
    scores = semantic_similarity(answers, references, encoder)
    assert scores == [pytest.approx(1.0), pytest.approx(0.5), 0.0, None, pytest.approx(1.0)]


def test_opposite_vectors_are_no_less_than_unrelated():
    class Opposite:
        def encode(self, texts):
            import numpy as np

            return np.array([[1.0, 0.0], [1.0 + 1e-6, 0.0], [-1.0, 0.0], [1.0, 0.0]])

    assert semantic_similarity(["a", "b"], ["c", "d"], Opposite()) == [0.0, 1.0]


def test_nothing_to_compare_gives_nothing():
    class Empty:
        def encode(self, texts):
            assert list(texts) == []
            return []

    assert semantic_similarity([], [], Empty()) == []
    assert score_answers([], []) == []


@pytest.mark.parametrize("end", ["\r\n", "\r"])
@pytest.mark.parametrize(
    "answer", ["Use this:\n\n```python\nprint(i)\n```\n\n1. One\n2. Two", "a\nb", "a\n\n\nb\n"]
)
def test_windows_line_ends_are_no_difference(answer, end):
    changed = answer.replace("\n", end)
    assert lexical(answer, changed) == lexical(changed, answer) == lexical(answer, answer)
    assert lexical(answer, changed)["edit_similarity"] == 1.0
