"""Risk against coverage, against values worked out by hand."""

import numpy as np
import pytest

from evaluation.analysis import risk_coverage
from evaluation.analysis.risk_coverage import (
    DRAWS,
    EXPECTED,
    RETRIEVAL,
    Question,
    _drawn,
    by_confidence,
    coverage_points,
    curves,
    expected_score,
    run_curves,
)
from evaluation.metrics.registry import METRIC_NAMES
from evaluation.statistics.summaries import LEAST_RELIABLE, summarise
from evaluation.store.recorded_run import read_run
from graph.support.errors import DatasetError
from tests.fakes.candidate_pools import passage
from tests.fakes.records import failed, record
from tests.fakes.run_folders import make_run


@pytest.fixture
def _few_are_enough(monkeypatch):
    monkeypatch.setattr(risk_coverage, "LEAST_RELIABLE", 4)


def questions(*pairs, withheld=()):
    """Return questions with a confidence and one score each, in the order of the pairs."""
    return [
        Question(confidence, f"{index:02}", {"m": score}, index in withheld)
        for index, (confidence, score) in enumerate(pairs)
    ]


TEN = questions(*(((10 - index) / 10, 1.0 - index / 10) for index in range(10)))


@pytest.mark.usefixtures("_few_are_enough")
def test_the_points_go_from_all_questions_to_a_tenth_of_them():
    points = coverage_points(TEN)
    assert [point["coverage"] for point in points] == [n / 10 for n in range(10, 0, -1)]
    assert [point["questions"] for point in points] == list(range(10, 0, -1))
    assert [point["threshold"] for point in points] == [n / 10 for n in range(1, 11)]
    assert points[0]["mean_confidence"] == pytest.approx(0.55)
    assert points[7]["mean_confidence"] == pytest.approx((1.0 + 0.9 + 0.8) / 3)


@pytest.mark.usefixtures("_few_are_enough")
def test_each_mean_is_over_the_questions_of_its_point():
    scores = curves(TEN, coverage_points(TEN), ["m"])["m"]["scores"]
    assert [summary["n"] for summary in scores] == list(range(10, 0, -1))
    assert scores[0] == summarise([1.0 - n / 10 for n in range(10)])
    assert scores[8]["mean"] == pytest.approx(0.95)


@pytest.mark.usefixtures("_few_are_enough")
@pytest.mark.parametrize(
    ("scores", "gain", "area"),
    [
        # The order is right: means 1, 1, 2/3, 1/2 of the first 1 to 4.
        ([1.0, 1.0, 0.0, 0.0], 0.5, {"measured": 5 / 24, "random": 0.5, "best": 5 / 24}),
        # It is wrong throughout: means 0, 0, 1/3, 1/2.
        ([0.0, 0.0, 1.0, 1.0], -0.5, {"measured": 19 / 24, "random": 0.5, "best": 5 / 24}),
        # Means 1/2, 1/4, 1/2, 5/8; the best order 1, 1, 5/6, 5/8.
        ([0.5, 0.0, 1.0, 1.0], -0.375, {"measured": 17 / 32, "random": 0.375, "best": 13 / 96}),
    ],
)
def test_the_half_and_the_area_by_hand(scores, gain, area):
    asked = questions(*((0.9 - n / 10, score) for n, score in enumerate(scores)))
    result = curves(asked, [], ["m"])["m"]
    assert result["half_gain"]["n"] == 2
    assert result["half_gain"]["mean_difference"] == pytest.approx(gain)
    assert result["area"] == pytest.approx(area)


@pytest.mark.usefixtures("_few_are_enough")
def test_unscored_questions_have_a_place_in_the_coverage_and_none_in_half_and_area():
    asked = questions((0.9, None), (0.8, 1.0), (0.7, 1.0), (0.6, None), (0.5, 0.0), (0.4, 0.0))
    points = coverage_points(asked)
    result = curves(asked, points, ["m"])["m"]
    assert (result["scores"][0]["n"], result["scores"][0]["unscored"]) == (4, 2)
    # A tenth of six questions is the first one alone, which is unscored.
    assert points[-1]["questions"] == 1
    assert result["scores"][-1] == {"mean": None, "n": 0, "unscored": 1, "ci95": None}
    assert result["half_gain"]["mean_difference"] == pytest.approx(0.5)
    assert result["area"]["measured"] == pytest.approx(5 / 24)


@pytest.mark.usefixtures("_few_are_enough")
def test_the_points_end_before_the_first_withheld_answer_and_nothing_is_said_of_all():
    pairs = [(1.0 - n / 10, None if n in (7, 9) else 0.5) for n in range(10)]
    asked = questions(*pairs, withheld=(7, 9))
    points = coverage_points(asked)
    assert [point["questions"] for point in points] == [7, 6, 5, 4, 3, 2, 1]
    assert points[0]["coverage"] == 0.7
    result = curves(asked, points, ["m"])["m"]
    assert [summary["n"] for summary in result["scores"]] == [7, 6, 5, 4, 3, 2, 1]
    assert (result["half_gain"], result["area"]) == (None, None)


def test_equal_confidences_have_an_order_that_does_not_depend_on_the_dataset():
    asked = questions((0.5, 0.1), (0.9, 0.2), (0.5, 0.3), (0.5, 0.4))
    ordered = by_confidence(asked)
    assert [question.key for question in ordered] == ["01", "00", "02", "03"]
    assert by_confidence(asked[::-1]) == ordered


def test_the_interval_holds_the_gain_and_says_nothing_of_equal_scores():
    rising = questions(*((1 - n / 100, 0.9 - n / 100) for n in range(40)))
    gain = curves(rising, [], ["m"])["m"]["half_gain"]
    low, high = gain["ci95"]
    assert 0 < low < gain["mean_difference"] < high
    equal = questions(*((1 - n / 100, 0.5) for n in range(40)))
    assert curves(equal, [], ["m"])["m"]["half_gain"] == {
        "n": 20,
        "mean_difference": 0.0,
        "ci95": None,
    }


@pytest.mark.parametrize(
    ("count", "has_curve"), [(LEAST_RELIABLE - 1, False), (LEAST_RELIABLE, True)]
)
def test_below_twenty_questions_there_is_no_curve(count, has_curve):
    asked = questions(*((1 - n / 100, n / 100) for n in range(count)))
    points = coverage_points(asked)
    result = curves(asked, points, ["m"])["m"]
    assert bool(points) is has_curve
    assert (result["half_gain"] is not None) is has_curve
    assert (result["area"] is not None) is has_curve


def test_metrics_share_the_draws_of_a_size_which_no_call_leaves_behind(monkeypatch):
    sizes = []

    def drawn(n):
        sizes.append(n)
        return _drawn(n)

    monkeypatch.setattr(risk_coverage, "_drawn", drawn)
    scores = {"a": [n % 3 / 2 for n in range(40)], "b": [n % 5 / 4 for n in range(40)]}
    scores["c"] = [None, None, *scores["a"][2:]]
    asked = [
        Question(1 - n / 100, str(n), {name: own[n] for name, own in scores.items()})
        for n in range(40)
    ]
    result = curves(asked, [], scores)
    assert sorted(sizes) == [38, 40]
    for name in scores:
        assert curves(asked, [], [name])[name] == result[name]
    assert len(sizes) == 5


@pytest.mark.parametrize("n", [20, 37, 1_000])
def test_draws_are_small_numbers_in_the_order_of_confidence(n):
    drawn = _drawn(n)
    assert (drawn.shape, drawn.dtype) == ((DRAWS, n), np.int32)
    # 32 bits hold the same draws as 64.
    assert np.array_equal(
        drawn, np.sort(np.random.default_rng(0).integers(0, n, (DRAWS, n)), axis=1)
    )


def test_below_twenty_scored_questions_a_metric_has_means_alone():
    asked = questions(
        *((1 - n / 100, n / 100 if n < LEAST_RELIABLE - 1 else None) for n in range(40))
    )
    points = coverage_points(asked)
    result = curves(asked, points, ["m"])["m"]
    assert len(result["scores"]) == len(points) == 10
    assert (result["half_gain"], result["area"]) == (None, None)


# --- confidences of recorded steps

CHOSEN = {
    "node": "rerank_drafts",
    "scores": [
        {"score": 2.0, "expected": 0.2, "features": {}},
        {"score": 3.0, "expected": 0.7, "features": {}},
    ],
    "chosen": 1,
    "answer": "b",
}
OLD = {**CHOSEN, "scores": [{"score": 2.0}, {"score": 3.0}]}
CRITIQUE = {"node": "critique", "points": []}
REFINE = {"node": "refine", "answer": "c"}
JUDGE = {"node": "judge", "score": 0.5}
STAYS = {"node": "abstain", "expected_score": 0.7, "withheld": False}
WITHHELD = {"node": "abstain", "expected_score": 0.0, "withheld": True, "answer": "No answer"}
ASSESSED = {"node": "assess_passages", "expected_score": 0.9, "closed_book": False}


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([CHOSEN, JUDGE], 0.7),
        ([CHOSEN, CRITIQUE, JUDGE], 0.7),
        ([CHOSEN, CRITIQUE, REFINE, JUDGE], None),
        ([REFINE, {**CHOSEN, "chosen": 0}], 0.2),
        ([CHOSEN, STAYS, JUDGE], 0.7),
        ([CHOSEN, WITHHELD, JUDGE], 0.0),
        ([ASSESSED, REFINE], None),
        ([OLD], None),
        ([], None),
    ],
)
def test_the_expected_score_is_that_of_the_last_answer(steps, expected):
    assert expected_score(steps) == expected


def run_of(folder, *records):
    return read_run(make_run(folder, list(records), results=False))


def with_expected(index, expected, *more, **changes):
    chosen = {
        **CHOSEN,
        "scores": [{"score": 1.0, "expected": expected, "features": {}}],
        "chosen": 0,
    }
    return record(index, question=f"why {index}?", steps=[chosen, *more], **changes)


def test_a_run_is_ordered_by_expected_scores_and_counts_what_it_leaves_out(tmp_path):
    count = 20
    answered = [with_expected(n, n / 20, metrics={"BLEU": n / 20}) for n in range(count)]
    without = record(count, question="no choice?", passages=[passage(1, "text", score=99.0)])
    result = run_curves(run_of(tmp_path / "r", *answered, without, failed(count + 1)))
    assert result["confidence_kind"] == "expected score"
    counts = [result[name] for name in ("questions", "failed", "no_confidence", "withheld")]
    assert counts == [22, 1, 1, 0]
    assert [point["threshold"] for point in result["points"]][:2] == [0.0, 0.1]
    assert list(result["metrics"]) == list(METRIC_NAMES)
    bleu = result["metrics"]["BLEU"]
    assert bleu["half_gain"]["mean_difference"] == pytest.approx(0.25)
    assert bleu["area"]["measured"] == pytest.approx(bleu["area"]["best"])
    assert result["metrics"]["ROUGE-1"]["scores"][0]["unscored"] == count


def test_without_expected_scores_the_first_passage_decides(tmp_path):
    records = [
        record(
            n,
            question=f"why {n}?",
            passages=[passage(1, "x", score=n / 20), passage(2, "y", score=5.0)],
        )
        for n in range(20)
    ]
    unknown = record(20, question="own?", passages=[passage(1, "x", score=None)])
    nothing = record(21, question="none?", passages=[])
    result = run_curves(run_of(tmp_path / "r", *records, unknown, nothing))
    assert result["confidence_kind"] == "retrieval score"
    assert result["no_confidence"] == 2
    assert [point["threshold"] for point in result["points"]][-2:] == [16 / 20, 18 / 20]


def test_withheld_answers_are_counted_and_end_the_points(tmp_path):
    records = [
        with_expected(n, n / 20, *([{**WITHHELD, "expected_score": n / 20}] if n < 4 else []))
        for n in range(20)
    ]
    result = run_curves(run_of(tmp_path / "r", *records))
    assert result["withheld"] == 4
    assert [point["questions"] for point in result["points"]] == [16, 14, 12, 10, 8, 6, 4, 2]
    assert {c["area"] for c in result["metrics"].values()} == {None}


def test_a_run_without_any_confidence_has_no_curves(tmp_path):
    assert run_curves(run_of(tmp_path / "r", record(0), record(1, question="how?"))) is None


def test_records_that_contradict_themselves_are_one_line(tmp_path):
    broken = record(0, steps=[{**CHOSEN, "chosen": 7}])
    with pytest.raises(DatasetError, match="not as this version writes them"):
        run_curves(run_of(tmp_path / "r", broken))


def test_a_question_with_a_lone_surrogate_has_a_key_of_its_own():
    keys = {risk_coverage._key(record(0, question=text)) for text in ("\ud800", "\udfff", "?")}
    assert len(keys) == 3


@pytest.mark.parametrize(
    ("scored", "kind", "left_out"), [(0, RETRIEVAL, 0), (9, RETRIEVAL, 0), (10, EXPECTED, 10)]
)
def test_the_confidence_is_the_expected_score_if_half_of_the_answers_have_one(
    tmp_path, scored, kind, left_out
):
    scores = [{"score": 1.0, "expected": 0.5, "features": {}}]
    choice = {"node": "rerank_drafts", "answer": "a", "chosen": 0, "scores": scores}
    records = [
        record(index, passages=[passage(1, "text")], steps=[choice] if index < scored else [])
        for index in range(20)
    ]
    curves = run_curves(read_run(make_run(tmp_path / "run", records, results=False)))
    assert (curves["confidence_kind"], curves["no_confidence"]) == (kind, left_out)
