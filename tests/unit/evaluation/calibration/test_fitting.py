"""The calibrated judge: its fit, its monotone score, its file, and the list of measured judges."""

import json
import os
from math import exp

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.calibration import known_judges
from evaluation.calibration.fitting import CANDIDATES, blind_scores, fit_judge, logistic
from evaluation.calibration.grades import GradedAnswer
from evaluation.calibration.known_judges import (
    calibration_of,
    judge_key,
    note_of,
    read_known_judges,
    record_judge,
)
from evaluation.calibration.signals import CHEAP
from evaluation.metrics.calibrated_judge import (
    SHIPPED,
    CalibratedJudge,
    Formula,
    judge_of_identity,
    load_judge,
    save_judge,
    signal_value,
)
from evaluation.metrics.extra_signals import chrf
from evaluation.metrics.record_scores import calibrated_scores
from graph.support.errors import DatasetError
from graph.support.question_folds import FOLDS, fold_of, short_digest
from graph.support.storage import cache_folder
from tests.fakes.corpora import EMBEDDER, FakeEncoder
from tests.fakes.properties import examples
from tests.fakes.records import record
from tests.fakes.run_folders import identity

FIGURES = {
    "grades": "people.csv",
    "n": 40,
    "spearman": {"mean": 0.5, "ci95": [0.4, 0.6]},
    "pair_agreement": {"mean": 0.6, "ci95": [0.55, 0.65], "n": 90},
}


def learnt(questions=60, seed=0):
    """Return rows whose human mean follows from semantic_similarity alone."""
    rng = np.random.default_rng(seed)
    rows, signals = [], []
    for number in range(questions):
        for index, value in enumerate(rng.random(4)):
            mean = 4 / (1 + exp(-(-2 + 5 * value)))
            rows.append(GradedAnswer(f"{number}-{index}", f"q{number}", "r", "a", mean, {}))
            noise = rng.random(4).tolist()
            names = ("ROUGE-1", "ROUGE-L", "edit_similarity", "chrF")
            near = {"semantic_similarity": value, "question_similarity": 0.0}
            signals.append({**near, **dict(zip(names, noise, strict=True))})
    return rows, signals


@pytest.fixture(scope="module")
def fitted():
    return fit_judge(*learnt())


def test_a_logistic_curve_is_found_again():
    x = np.linspace(0, 1, 200)[:, None]
    intercept, weight = logistic(x, 1 / (1 + np.exp(-(-1 + 3 * x[:, 0]))))
    # The ridge takes a little of the 3, and less of a curve that is steeper to the data.
    assert 2.5 < weight < 3
    assert intercept == pytest.approx(0.5 - 0.5 * weight, abs=0.1)


def test_no_weight_is_below_zero():
    x = np.linspace(0, 1, 50)[:, None]
    assert logistic(x, 1 - x[:, 0])[1] == 0


def test_only_signals_that_earn_weight_are_taken_and_equal_fits_are_equal(fitted):
    rows, signals = learnt()
    assert set(fitted.formula.weights) == {"semantic_similarity"}
    assert fitted.formula.weights["semantic_similarity"] == pytest.approx(5, abs=1)
    assert len(fitted.folds) == FOLDS
    assert fitted.questions == {short_digest(row.question) for row in rows}
    assert fit_judge(rows, signals) == fitted
    assert not fitted.needs_judge


def test_a_judge_that_people_agree_with_is_taken():
    rows, signals = learnt()
    judged = [
        {**values, "LLM_judge": row.human_mean / 4}
        for row, values in zip(rows, signals, strict=True)
    ]
    with_judge = fit_judge(rows, judged)
    assert with_judge.needs_judge
    assert "LLM_judge" in with_judge.signals


def test_a_fold_has_seen_nothing_of_its_questions(fitted):
    rows, signals = learnt()
    left_out = fold_of(rows[0].question)
    changed = [
        row._replace(human_mean=4 - row.human_mean) if fold_of(row.question) == left_out else row
        for row in rows
    ]
    before, after = fitted, fit_judge(changed, signals)
    assert before.formula != after.formula
    differing = [k for k in range(FOLDS) if before.folds[k] != after.folds[k]]
    assert left_out not in differing
    assert len(differing) == FOLDS - 1


def test_grades_that_it_was_fitted_on_are_scored_by_the_fold_that_did_not_see_them(fitted):
    rows, signals = learnt()
    rows, signals = [rows[0], rows[1]._replace(question="another question")], signals[:2]
    assert blind_scores(fitted, rows, signals) == [
        fitted.folds[fold_of(rows[0].question)].score(signals[0]),
        fitted.formula.score(signals[1]),
    ]
    assert [
        fitted.score(row.question, row.candidate, values)
        for row, values in zip(rows, signals, strict=True)
    ] == [fitted.formula.score(values) for values in signals]


@pytest.mark.parametrize("questions", [1, 19])
def test_too_few_questions_are_refused(questions):
    with pytest.raises(DatasetError, match="at least 20 questions"):
        fit_judge(*learnt(questions))


def test_equal_means_are_refused():
    rows, signals = learnt()
    with pytest.raises(DatasetError, match="the same human mean"):
        fit_judge([row._replace(human_mean=2.0) for row in rows], signals)


shares = st.floats(0, 1)
signal_values = st.fixed_dictionaries(dict.fromkeys((*CHEAP, "LLM_judge"), shares))


@given(signal_values, st.sampled_from([*CANDIDATES]), shares)
@examples(200)
def test_the_shipped_judge_rises_with_each_signal(signals, name, value):
    shipped = load_judge(SHIPPED).calibrated
    for formula in (shipped.formula, *shipped.folds):
        low, high = sorted([signals[name], value])
        below, above = (formula.score({**signals, name: end}) for end in (low, high))
        assert 0 <= below <= above <= 1


def test_the_shipped_judge_takes_something_and_was_better_than_each_signal():
    shipped = load_judge(SHIPPED)
    assert set(shipped.calibrated.formula.weights) <= set(CANDIDATES)
    for name, lead in shipped.provenance["ahead_of"].items():
        for figure in ("spearman", "pair_agreement"):
            assert lead[figure]["ci95"][0] > 0, f"{name}, {figure}"
    assert {"sha256", "rows", "questions"} <= shipped.provenance["grades"].keys()


def test_repeating_the_question_gains_no_more_than_being_near_the_reference():
    echo = {"question_similarity": 1.0, "semantic_similarity": 0.4}
    assert signal_value("question_similarity", echo) == 0.4
    assert signal_value("question_similarity", {"question_similarity": 0.3}) is None
    formula = CalibratedJudge(Formula(0, {"question_similarity": 1.0}), (), frozenset())
    assert formula.signals == ("question_similarity", "semantic_similarity")


def test_scores_by_hand():
    mine = CalibratedJudge(Formula(-1.0, {"ROUGE-1": 2.0, "chrF": 1.0}), (), frozenset())
    signals = [{"ROUGE-1": 0.5, "chrF": 1.0}, {"ROUGE-1": 0.5, "chrF": None}, {"chrF": 0.5}]
    scores = [mine.score("q", "a", values) for values in signals]
    assert scores == [pytest.approx(1 / (1 + exp(-1))), None, None]
    assert mine.score("q", " ", {"ROUGE-1": 0.0, "chrF": 0.0}) == 0.0
    unreferenced = record(metrics={"ROUGE-1": 1.0}, reference="")
    assert calibrated_scores(mine, FakeEncoder(EMBEDDER), [unreferenced]) == [None]


def test_what_is_saved_is_read_again_and_equal_fits_give_equal_files(tmp_path, fitted):
    path, again = tmp_path / "mine.json", tmp_path / "again.json"
    save_judge(path, fitted, {"cross_validated": FIGURES})
    save_judge(again, fitted, {"cross_validated": FIGURES})
    assert load_judge(path).calibrated == fitted
    assert path.read_bytes() == again.read_bytes()
    assert judge_of_identity(load_judge(path).identity).formula == fitted.formula


@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_a_judge_is_read_from_a_regular_file_only(tmp_path, kind):
    path = tmp_path / "mine.json"
    {
        "pipe": lambda: os.mkfifo(path),
        "device": lambda: path.symlink_to("/dev/zero"),
        "folder": path.mkdir,
    }[kind]()
    with pytest.raises(DatasetError, match=r"mine\.json: cannot be read"):
        load_judge(path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "[" * 100_000,
        '{"intercept": NaN, "weights": {"chrF": 1}}',
        '{"intercept": 0, "weights": {}}',
        '{"intercept": 0, "weights": {"chrF": -1}}',
        '{"intercept": 0, "weights": {"beauty": 1}}',
        '{"intercept": 0, "weights": {"chrF": 1}, "folds": [], "questions": [], "provenance": {}}',
    ],
    ids=lambda text: text[:40],
)
def test_a_file_that_holds_no_judge_is_refused_in_one_line(tmp_path, text):
    path = tmp_path / "mine.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DatasetError, match="holds no calibrated judge"):
        load_judge(path)
    with pytest.raises(DatasetError, match="cannot be read"):
        load_judge(tmp_path / "none.json")
    with pytest.raises(DatasetError, match="manifest's calibrated_judge"):
        judge_of_identity({"weights": {"chrF": -1}, "intercept": 0})


def test_chrf_by_hand():
    assert chrf("abc", "abc") == chrf("a b c d e f g", "abcdefg") == 1
    # "ab" has 2 of 3 characters and 1 of 2 pairs of "abc", and is wholly right: F of precision 1
    # and recall r is 10 r / (9 + r).
    by_length = [10 * recall / (9 + recall) for recall in (2 / 3, 1 / 2, 0)]
    assert chrf("ab", "abc") == pytest.approx(sum(by_length) / 3)
    assert chrf("x", "abc") == pytest.approx(0)
    assert chrf("", "abc") == chrf(" ", "abc") == chrf("abc", " ") == 0
    assert chrf("abc", "") is None
    assert 0 < chrf("abd", "abc") < chrf("abcd", "abc") < 1


def test_a_judge_that_was_not_measured_is_said_to_be_so():
    [calibration] = calibration_of(identity())
    assert (calibration["judge"], calibration["pair_agreement"]) == ("j", None)
    assert note_of(calibration).startswith("LLM_judge (j): not calibrated against people")
    assert calibration_of(identity(judge=None)) == []


def test_a_measured_judge_is_known_by_its_model_and_the_prompt(monkeypatch):
    run = identity()
    first = record_judge({"judge": judge_key(run["judge"]), **FIGURES, "n": 1})
    assert first == record_judge({"judge": judge_key(run["judge"]), **FIGURES})
    assert first == cache_folder() / "known_judges.json"
    [calibration] = calibration_of(run)
    assert (calibration["n"], calibration["grades"]) == (40, "people.csv")
    assert note_of(calibration) == (
        "LLM_judge (j): agreed with people on 60% of 90 pairs of answers that they tell apart "
        "(55% to 65%), on people.csv."
    )
    # Another arithmetic is the same judge; another revision may not be.
    assert calibration_of(identity(judge={**run["judge"], "dtype": "bfloat16"}))[0]["n"] == 40
    assert calibration_of(identity(judge={**run["judge"], "revision": "r2"}))[0]["n"] is None
    monkeypatch.setattr(known_judges, "JUDGE", known_judges.JUDGE.from_template("new {question}"))
    assert calibration_of(run)[0]["n"] is None


def test_own_figures_come_before_the_shipped_ones():
    [shipped] = read_known_judges(known_judges.SHIPPED_FIGURES)
    [before] = calibration_of({"judge": shipped["judge"]})
    assert before["n"] == shipped["n"]
    record_judge({"judge": shipped["judge"], **FIGURES})
    [after] = calibration_of({"judge": shipped["judge"]})
    assert (after["n"], after["grades"]) == (40, "people.csv")


@pytest.mark.parametrize("ends", [[0.45, 0.55], [0.5, 0.6], [0.2, 0.4], None])
def test_a_judge_that_may_be_a_coin_has_a_warning_beside_it(ends):
    figures = {**FIGURES, "pair_agreement": {"mean": 0.5, "ci95": ends, "n": 90}}
    entry = {"metric": "LLM_judge", "judge": "j", **figures}
    assert "Warning: " in note_of(entry)
    assert ("more than this judge" in note_of(entry)) == (ends == [0.2, 0.4])
    assert ("interval includes" in note_of(entry)) == (ends in ([0.45, 0.55], [0.5, 0.6]))
    assert "Warning" not in note_of({**entry, **FIGURES})


def test_the_shipped_judge_is_known_by_its_formula():
    formula = load_judge(SHIPPED).identity
    run = identity(judge=None, calibrated_judge={**formula, "encoder": {}})
    [calibration] = calibration_of(run)
    assert calibration["metric"] == "calibrated_judge"
    assert (
        calibration["pair_agreement"]
        == load_judge(SHIPPED).provenance["cross_validated"]["pair_agreement"]
    )
    [own] = calibration_of(identity(judge=None, calibrated_judge={**formula, "intercept": 9.0}))
    assert own["pair_agreement"] is None


def judge_with(pair_agreement):
    """Return a list of judges with one judge of this pair agreement, as JSON."""
    figures = {"grades": "g.csv", "n": 3, "spearman": None, "pair_agreement": pair_agreement}
    return json.dumps({"judges": [{"judge": {}, **figures}]})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "[" * 100_000,
        '{"judges": [{"judge": 1}]}',
        judge_with({"mean": 0.5, "n": 3}),
        judge_with({"mean": 0.5, "ci95": [0.4, 0.6]}),
        judge_with({"mean": 0.5, "ci95": [], "n": 3}),
        judge_with({"mean": 0.5, "ci95": [None, 0.6], "n": 3}),
        judge_with("high"),
    ],
)
def test_a_damaged_list_of_judges_is_one_line(text):
    path = known_judges.own_figures()
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DatasetError, match="damaged list of measured judges: delete") as caught:
        calibration_of(identity())
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
