"""Slices of the questions of runs: who is in them, and their figures."""

import numpy as np
import pytest

from evaluation.analysis.slices import (
    TAGS,
    code_slice,
    length_slice,
    pair_slices,
    run_slices,
)
from evaluation.metrics.registry import METRIC_NAMES
from evaluation.statistics.intervals import paired_interval
from evaluation.statistics.summaries import LEAST_RELIABLE, summarise
from evaluation.store.recorded_run import read_run
from tests.fakes.records import failed, record
from tests.fakes.run_folders import make_run

SHORT, LONG = "why?", "why? " * 200
PASSAGE = {
    "number": 1,
    "title": "",
    "text": "t",
    "answer_chars": 1,
    "score": 0.5,
    "url": "",
    "licence": "",
}


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch):
    monkeypatch.setattr("evaluation.statistics.intervals.MEAN_RESAMPLES", 100)


@pytest.fixture
def run(tmp_path):
    """Write a run of these records and read it."""

    def start(records, name="semantic", **changes):
        return read_run(make_run(tmp_path / name, records, config=name, results=False, **changes))

    return start


def question(index, text=SHORT, score=0.5, **changes):
    """Return a record of a question; the text names its index."""
    metrics = dict.fromkeys(METRIC_NAMES, score)
    return record(index, question=f"{text} {index}", metrics=metrics, **changes)


def retrieval(index, passage, relevant=("7",), **changes):
    passages = [{**PASSAGE, "question_id": passage}] if passage else []
    return question(index, relevant_question_ids=list(relevant), passages=passages, **changes)


def slices_of(dimensions, name):
    (dimension,) = [d for d in dimensions if d["name"] == name]
    return {part["name"]: part for part in dimension["slices"]}


def counts_of(dimensions, name):
    return {key: part["questions"] for key, part in slices_of(dimensions, name).items()}


def reason(dimensions, name):
    return {d["name"]: d["left_out"] for d in dimensions}[name]


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, "up to 75 words"),
        (75, "up to 75 words"),
        (76, "76 to 150 words"),
        (150, "76 to 150 words"),
        (151, "over 150 words"),
    ],
)
@pytest.mark.parametrize("word", ["word ", "语"])
def test_the_length_is_in_fixed_bounds_and_a_character_without_spaces_is_a_word(
    word, count, expected
):
    assert length_slice(word * count) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("why?", "prose"),
        ("why ` and ``?", "prose"),
        ("why\nnot", "prose"),
        ("", "prose"),
        ("see `x`", "inline code"),
        ("`x`\n`y`", "inline code"),
        ("see\n```\nx\n```", "code block"),
        ("see\n~~~", "code block"),
        ("see\n\n    x = 1", "code block"),
        ("see `x`\n\n    x = 1\n\nend", "code block"),
    ],
)
def test_code_is_that_of_the_markdown(text, expected):
    assert code_slice(text) == expected


def test_means_by_hand_with_failed_and_unscored_questions_counted(run):
    records = [
        question(0, score=0.2),
        question(1, score=0.6),
        question(2, score=None),
        {**failed(3), "question": f"{SHORT} 3"},
        question(4, LONG, score=1.0),
    ]
    parts = slices_of(run_slices(run(records)), "length")
    short, long = parts["up to 75 words"], parts["over 150 words"]
    assert list(parts) == ["up to 75 words", "over 150 words"]
    assert (short["questions"], short["failed"], long["questions"], long["failed"]) == (4, 1, 1, 0)
    assert short["metrics"]["ROUGE-1"] == summarise([0.2, 0.6, None])
    assert short["metrics"]["ROUGE-1"]["mean"] == pytest.approx(0.4)
    assert long["metrics"]["ROUGE-1"] == {"mean": 1.0, "n": 1, "unscored": 0, "ci95": None}


def test_a_slice_of_fewer_than_20_answered_questions_is_marked(run):
    records = [question(index) for index in range(LEAST_RELIABLE)]
    records += [question(index, LONG) for index in range(LEAST_RELIABLE, 2 * LEAST_RELIABLE - 1)]
    records += [{**failed(2 * LEAST_RELIABLE - 1), "question": f"{LONG} x"}]
    parts = slices_of(run_slices(run(records)), "length")
    assert {name: (part["questions"], part["few"]) for name, part in parts.items()} == {
        "up to 75 words": (20, False),
        "over 150 words": (20, True),
    }


def test_a_question_is_in_the_slice_of_each_of_its_tags(run):
    tags = [["python", "list"], ["python", "list", "dict"], ["python"], ["python", "unknown"], []]
    records = [question(index, tags=names) for index, names in enumerate(tags)]
    expected = {"[python]": 4, "[list]": 2, "[dict]": 1, "[unknown]": 1, "unknown": 1}
    assert counts_of(run_slices(run(records)), "tag") == expected
    # A tag of all questions divides nothing.
    expected = {"[list]": 2, "[dict]": 1, "[unknown]": 1, "other tags": 1}
    assert counts_of(run_slices(run(records[:4], "keyword")), "tag") == expected


def test_rare_tags_share_a_slice(run):
    tags = [f"t{number:02}" for number in range(TAGS + 2)]
    records = [question(index, tags=[tag]) for index, tag in enumerate([*tags, *tags[5:]])]
    counts = counts_of(run_slices(run(records)), "tag")
    # The most frequent first, ties by name.
    top = [*tags[5:], *tags[:3]]
    assert counts == {**{f"[{tag}]": 1 + (tag >= "t05") for tag in top}, "other tags": 2}
    assert list(counts) == [*(f"[{tag}]" for tag in top), "other tags"]


@pytest.mark.parametrize(
    ("changes", "dimension", "text"),
    [
        ({}, "tag", "the dataset names no tags"),
        ({"tags": []}, "tag", "the dataset names no tags"),
        ({"tags": ["python"]}, "tag", "no tag tells some questions from the others"),
        ({}, "retrieval", "nothing is retrieved, or no question names relevant posts"),
        ({}, "length", "all questions are in one slice, up to 75 words"),
        ({}, "type", "all questions are in one slice, concept"),
    ],
)
def test_what_divides_nothing_is_left_out_with_the_reason(run, changes, dimension, text):
    dimensions = run_slices(run([question(index, **changes) for index in range(3)]))
    assert counts_of(dimensions, dimension) == {}
    assert reason(dimensions, dimension).startswith(text)


def test_retrieval_is_unknown_where_the_dataset_or_the_corpus_or_the_run_does_not_tell(run):
    records = [
        retrieval(0, "7"),
        retrieval(1, "8"),
        retrieval(2, "7", relevant=()),
        retrieval(3, "7", relevant_not_in_corpus=["7"]),
        {**failed(4), "relevant_question_ids": ["7"]},
    ]
    expected = {"retrieved": 1, "not retrieved": 1, "unknown": 3}
    assert counts_of(run_slices(run(records)), "retrieval") == expected
    without = run([retrieval(index, None) for index in range(2)], "baseline")
    assert counts_of(run_slices(without), "retrieval") == {}


def test_the_retrieval_of_two_runs_is_that_of_both(run):
    ours, theirs = ("7", "7", "8", "8", "7"), ("7", "8", "7", "8", "7")
    a = run([retrieval(index, name) for index, name in enumerate(ours)])
    records = [retrieval(index, name) for index, name in enumerate(theirs)]
    b = run([*records[:4], {**failed(4), "question": records[4]["question"]}], "keyword")
    assert counts_of(pair_slices(a, b), "retrieval") == {
        "retrieved by both": 1,
        "retrieved by a alone": 1,
        "retrieved by b alone": 1,
        "retrieved by neither": 1,
        "unknown": 1,
    }
    # A run that retrieves nothing has no part in it.
    c = run([retrieval(index, None) for index in range(5)], "baseline")
    assert counts_of(pair_slices(a, c), "retrieval") == {"retrieved": 3, "not retrieved": 2}


def test_differences_by_hand_are_paired_by_question(run):
    a = run(
        [
            question(i, SHORT if i < 3 else LONG, score)
            for i, score in enumerate((0.5, 0.9, 0.4, 0.3))
        ]
    )
    others = [
        question(i, SHORT if i < 3 else LONG, score)
        for i, score in enumerate((0.2, 0.5, 0.8, None))
    ]
    # Another question with the same index is no pair.
    b = run([*others, question(4, LONG, 1.0)], "keyword")
    parts = slices_of(pair_slices(a, b), "length")
    summary = parts["up to 75 words"]["metrics"]["BLEU"]
    assert summary["mean"] == pytest.approx((0.3 + 0.4 - 0.4) / 3)
    assert (summary["mean_a"], summary["mean_b"]) == (pytest.approx(0.6), pytest.approx(0.5))
    assert summary["ci95"] == paired_interval(np.array([0.3, 0.4, -0.4]))
    assert (summary["n"], summary["unscored"]) == (3, 0)
    long = parts["over 150 words"]
    assert (long["questions"], long["failed"]) == (1, 0)
    assert long["metrics"]["BLEU"] == {
        "mean": None,
        "n": 0,
        "unscored": 1,
        "ci95": None,
        "mean_a": None,
        "mean_b": None,
    }


def test_a_question_that_failed_in_one_run_is_counted_in_its_slice(run):
    texts = (SHORT, SHORT, LONG)
    a = run([question(index, text) for index, text in enumerate(texts)])
    b = run([question(0), {**failed(1), "question": f"{SHORT} 1"}, question(2, LONG)], "keyword")
    part = slices_of(pair_slices(a, b), "length")["up to 75 words"]
    assert (part["questions"], part["failed"], part["metrics"]["BLEU"]["n"]) == (2, 1, 1)


def test_a_metric_of_other_models_and_one_without_values_is_not_compared(run):
    scores = {**dict.fromkeys(METRIC_NAMES, 0.5), "LLM_judge": None}
    records = [
        record(index, question=f"{text} {index}", metrics={**scores})
        for index, text in enumerate((SHORT, LONG))
    ]
    encoder = {"model": "other", "weights": "hub", "revision": None, "dtype": "float32"}
    a, b = run(records), run(records, "keyword", embedder=encoder)
    compared = slices_of(pair_slices(a, b), "length")["over 150 words"]["metrics"]
    assert list(compared) == ["BLEU", "ROUGE-1", "ROUGE-L", "edit_similarity"]


def test_long_and_repeated_tags_are_cut_and_counted_once(run):
    a = run([question(0, tags=["x", "x", "y" * 1000]), question(1, tags=["z"])])
    assert counts_of(run_slices(a), "tag") == {"[x]": 1, f"[{'y' * 50}]": 1, "[z]": 1}


def test_tags_are_read_from_the_run_that_recorded_them(run):
    a = run([question(index) for index in range(2)])
    b = run([question(0, tags=["x"]), question(1, tags=["y"])], "keyword")
    assert counts_of(pair_slices(a, b), "tag") == {"[x]": 1, "[y]": 1}
