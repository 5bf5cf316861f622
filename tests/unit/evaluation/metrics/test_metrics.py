"""The metrics, against values worked out by hand, and their registry."""

import itertools
import random
import sys
from math import exp
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from dataset import default_dataset
from evaluation.answering.questions import load_items
from evaluation.metrics import rouge
from evaluation.metrics.edit_similarity import edit_similarity
from evaluation.metrics.extra_signals import chrf
from evaluation.metrics.normal_text import normal_text, words
from evaluation.metrics.record_scores import score_texts
from evaluation.metrics.registry import (
    METRIC_NAMES,
    METRICS,
    STAGE_METRICS,
    metric_names,
    score_answers,
    short_name,
)
from evaluation.metrics.semantic_similarity import semantic_similarity, whole_vectors
from graph.retrieval.encoder import TextPart
from tests.fakes.corpora import EMBEDDER, FakeEncoder
from tests.fakes.properties import any_text, examples
from tests.fakes.records import record

REFERENCE = "the cat sat on the mat"
WORDS = [*"abcdefgz0189 \n.,_-+'", "cat ", "running ", "copies ", "NaN"]
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


def test_a_batch_is_scored_as_its_answers_are_alone():
    answers, references = ["the cat", "", "a b", "x"], [REFERENCE, REFERENCE, "", "x y"]
    rouge._stemmed_words.cache_clear()
    scores = score_answers(answers, references)
    assert rouge._stemmed_words.cache_info().misses == 4, "both types of ROUGE stem a text once"
    assert [{name: row[name] for name in LEXICAL} for row in scores] == [
        lexical(*pair) for pair in zip(answers, references, strict=True)
    ]
    assert [list(row) for row in scores] == [list(STAGE_METRICS)] * 4
    assert {row["semantic_similarity"] for row in scores} == {None}


def test_a_part_of_the_metrics_is_scored_as_all_are():
    [part] = score_answers(["the cat"], [REFERENCE], names=["edit_similarity", "ROUGE-1"])
    assert part == {
        name: lexical("the cat", REFERENCE)[name] for name in ("ROUGE-1", "edit_similarity")
    }


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


def test_rapidfuzz_gives_the_numbers_of_levenshtein(monkeypatch):
    letters = [*"ab  \n\t", "é", "e\u0301", "日", "\U0001f600", "\U0001d6d1", "\x00", "\u202e", "ß"]
    texts = random.Random(0)

    def text():
        return "".join(texts.choices(letters, k=texts.choice((0, 1, 7, 60, 300))))

    pairs = [(text(), text()) for _ in range(2000)] + [("", ""), ("", "a"), ("日本", "日本")]
    expected = [edit_similarity(*pair) for pair in pairs]
    assert len(set(expected)) > 300
    monkeypatch.setitem(sys.modules, "Levenshtein", None)
    assert [edit_similarity(*pair) for pair in pairs] == expected


def test_levenshtein_is_used_where_it_is_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "Levenshtein", SimpleNamespace(ratio=lambda *_: 0.25))
    assert edit_similarity("a", "a") == 0.25


def test_nothing_in_common_scores_next_to_nothing():
    scores = lexical("alpha beta gamma delta", "one two six ten")
    assert scores["BLEU"] < 0.05
    assert scores["ROUGE-1"] == scores["ROUGE-L"] == 0.0


def test_an_empty_answer_scores_zero():
    assert lexical("", REFERENCE) == dict.fromkeys(LEXICAL, 0.0)


@pytest.mark.parametrize("answer", ["", REFERENCE])
def test_without_a_reference_there_is_no_score(answer):
    assert lexical(answer, "") == dict.fromkeys(LEXICAL, None)


@pytest.mark.parametrize(
    "text",
    [
        "\u0421\u043e\u0440\u0442\u0438\u0440\u0443\u0435\u0442 \u0441\u043f\u0438\u0441\u043e\u043a \u043f\u043e \u043a\u043b\u044e\u0447\u0443",
        "\u30ea\u30b9\u30c8\u3092\u4e26\u3079\u66ff\u3048\u308b\u306b\u306f sorted \u3092\u4f7f\u3046",
        "\u0e43\u0e0a\u0e49 sorted \u0e40\u0e1e\u0e37\u0e48\u0e2d\u0e40\u0e23\u0e35\u0e22\u0e07\u0e25\u0e33\u0e14\u0e31\u0e1a",
        "\u4f7f\u7528\u51fd\u6570\u5bf9\u5217\u8868\u6392\u5e8f",
        "\u092e\u093e\u0928 \u0938\u0947 \u0915\u094d\u0930\u092e\u092c\u0926\u094d\u0927 \u0915\u0930\u0947\u0902",
        "\u0645\u0631\u062a\u0628 \u0633\u0627\u0632\u06cc \u06cc\u06a9 \u0641\u0647\u0631\u0633\u062a",
        "\uc0ac\uc804\uc744 \uac12\uc73c\ub85c \uc815\ub82c\ud569\ub2c8\ub2e4 \uc9c0\uae08",
        "na\u00efve caf\u00e9 \u00e0 Gr\u00f6\u00dfe",
    ],
    ids=["Russian", "Japanese", "Thai", "Chinese", "Hindi", "Persian", "Korean", "Latin"],
)
def test_equal_texts_of_any_script_score_one(text):
    assert lexical(text, text) == pytest.approx(dict.fromkeys(LEXICAL, 1.0))


@pytest.mark.parametrize(
    ("answer", "reference", "rouge_1", "rouge_l"),
    [
        # A word of four is another one.
        (
            "\u043e\u0434\u0438\u043d \u0434\u0432\u0430 \u0442\u0440\u0438",
            "\u043e\u0434\u0438\u043d \u0434\u0432\u0430 \u043f\u044f\u0442\u044c",
            2 / 3,
            2 / 3,
        ),
        # Characters of a script without spaces, in another order.
        ("\u5217\u8868\u6392\u5e8f", "\u6392\u5e8f\u5217\u8868", 1.0, 0.5),
        ("\u5217\u8868 sort", "\u5217\u8868\u6392\u5e8f", 2 * 2 / 7, 2 * 2 / 7),
        # A tone belongs to its consonant: \u0e19\u0e49 is not \u0e19.
        ("\u0e19\u0e49\u0e33", "\u0e19\u0e33", 0.5, 0.5),
        ("\u0433\u0440\u0443\u0448\u0430", "\u044f\u0431\u043b\u043e\u043a\u043e", 0.0, 0.0),
    ],
)
def test_other_scripts_by_hand(answer, reference, rouge_1, rouge_l):
    scores = lexical(answer, reference)
    assert (scores["ROUGE-1"], scores["ROUGE-L"]) == pytest.approx((rouge_1, rouge_l))


@pytest.mark.parametrize("reference", ["++", "\U0001f642", "=> {}", "\u3002"])
@pytest.mark.parametrize("answer", ["++", "a word", ""])
def test_a_reference_without_a_word_has_no_rouge(answer, reference):
    scores = lexical(answer, reference)
    assert scores["ROUGE-1"] is scores["ROUGE-L"] is None
    assert None not in (scores["BLEU"], scores["edit_similarity"])


@pytest.mark.parametrize(
    ("answer", "reference"),
    [
        ("caf\u00e9 is d\u00e9j\u00e0 vu", "cafe\u0301 is de\u0301ja\u0300 vu"),
        ("\u30ac\u30e9\u30b9", "\u30ab\u3099\u30e9\u30b9"),
        ("\u1100\u1161 one two three", "\uac00 one two three"),
        ("a\r\nb\r\n c d", "a\nb\n c d"),
        ("a\rb c d", "a\nb c d"),
        ("```\r\nfor i in x:\r\n    y\r\n```", "```\nfor i in x:\n    y\n```"),
    ],
)
def test_forms_of_characters_and_line_ends_make_no_difference(answer, reference):
    for pair in ((answer, reference), (reference, answer)):
        assert lexical(*pair) == lexical(answer, answer)
        assert chrf(*pair) == pytest.approx(1.0)
        [cosine] = semantic_similarity([pair[0]], [pair[1]], FakeEncoder(EMBEDDER))
        assert cosine == pytest.approx(1.0)


def original(answer, reference):
    """Return ROUGE-1 and ROUGE-L of the original: rouge-score with its own words."""
    scores = RougeScorer(["rouge1", "rougeL"], use_stemmer=True).score(reference, answer)
    return [scores[name].fmeasure for name in ("rouge1", "rougeL")]


@examples(100)
@given(
    answer=st.text(st.characters(max_codepoint=127)),
    reference=st.lists(st.sampled_from(WORDS)).map("".join),
)
def test_ascii_texts_have_the_original_s_rouge(answer, reference):
    scores = lexical(answer or "x", reference)
    if words(reference):
        assert [scores["ROUGE-1"], scores["ROUGE-L"]] == original(answer or "x", reference)


def test_the_sample_has_the_original_s_rouge():
    texts = [item.reference for item in load_items(default_dataset())]
    pairs = [(a, b) for a, b in itertools.pairwise(texts) if (a + b).isascii() and a and b]
    assert len(pairs) > 3
    for pair in pairs:
        scores = lexical(*pair)
        assert [scores["ROUGE-1"], scores["ROUGE-L"]] == original(*pair)


@examples(60)
@given(answer=any_text, reference=any_text)
def test_every_score_is_between_zero_and_one(answer, reference):
    for name, score in lexical(answer, reference).items():
        wordless = name.startswith("ROUGE") and not words(normal_text(reference))
        assert (score is None) == (reference == "" or wordless)
        assert score is None or 0.0 <= score <= 1.0 + 1e-9


def test_semantic_similarity_is_the_cosine_of_the_two_texts():
    encoder = FakeEncoder(EMBEDDER)
    answers = ["red pear", "red apple", "", "x", "same"]
    references = ["red pear", "red pear", "red pear", "", "same"]
    scores = semantic_similarity(answers, references, encoder)
    assert scores == [pytest.approx(1.0), pytest.approx(0.5), 0.0, None, pytest.approx(1.0)]


def test_opposite_vectors_are_no_less_than_unrelated():
    class Opposite(FakeEncoder):
        def encode(self, texts):
            return np.array([[1.0, 0.0], [1.0 + 1e-6, 0.0], [-1.0, 0.0], [1.0, 0.0]])

    assert semantic_similarity(["a", "b"], ["c", "d"], Opposite(EMBEDDER)) == [0.0, 1.0]


def test_nothing_to_compare_gives_nothing():
    class Empty(FakeEncoder):
        def encode(self, texts):
            assert list(texts) == []
            return []

    assert semantic_similarity([], [], Empty(EMBEDDER)) == []
    assert score_answers([], []) == []


@pytest.mark.parametrize("end", ["\r\n", "\r"])
@pytest.mark.parametrize(
    "answer", ["Use this:\n\n```python\nprint(i)\n```\n\n1. One\n2. Two", "a\nb", "a\n\n\nb\n"]
)
def test_windows_line_ends_are_no_difference(answer, end):
    changed = answer.replace("\n", end)
    assert lexical(answer, changed) == lexical(changed, answer) == lexical(answer, answer)
    assert lexical(answer, changed)["edit_similarity"] == 1.0


class PartEncoder(FakeEncoder):
    """Reads three words at once."""

    def split(self, texts):
        parts = []
        for text in texts:
            names = text.split() or [""]
            triples = [names[start : start + 3] for start in range(0, len(names), 3)]
            parts.append([TextPart(" ".join(triple), len(triple)) for triple in triples])
        return parts


def test_a_long_text_counts_to_its_end():
    short, long = "red pear tree", "red pear tree blue apple"
    encoder = PartEncoder(EMBEDDER)
    vectors = whole_vectors([short, long, short], encoder)
    first, second = encoder.encode([short, "blue apple"])
    mean = 3 * first + 2 * second
    assert vectors[1] == pytest.approx(mean / np.linalg.norm(mean), abs=1e-6)
    assert (vectors[0] == first).all()
    assert (vectors[2] == first).all()
    assert semantic_similarity([long], [long], encoder) == [pytest.approx(1.0)]
    [lacking] = semantic_similarity([long], [short], encoder)
    assert 0.1 < lacking < 0.95


@pytest.mark.parametrize("texts", [["a b", "c"], ["a", "", "b c d"], ["x"]])
def test_texts_that_fit_have_the_vectors_of_the_encoder(texts):
    vectors = whole_vectors(texts, PartEncoder(EMBEDDER))
    assert (vectors == FakeEncoder(EMBEDDER).encode(texts)).all()


def test_records_count_the_parts_of_their_texts():
    ours = record(0, answer="a b c d e f g", reference="a b c", steps=[], metrics={})
    theirs = record(1, answer="a", reference="a b c d", steps=[], metrics={})
    score_texts(PartEncoder(EMBEDDER), [ours, theirs])
    assert ours["encoder_parts"] == {"answer": 3, "reference": 1}
    assert theirs["encoder_parts"] == {"answer": 1, "reference": 2}
    score_texts(None, [ours])
    assert ours["encoder_parts"] is None
