"""Agreement with people, against values computed by hand and by scipy on repeated rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from evaluation.calibration.grades import GradedAnswer
from evaluation.calibration.human_ceiling import human_ceiling
from evaluation.calibration.score_agreement import (
    GradedRows,
    agreement_lead,
    mean_estimate,
    measure_agreement,
    measure_part,
    order_agreement,
)
from evaluation.statistics import agreement
from evaluation.statistics.agreement import (
    calibration_error,
    draw_questions,
    grades_of,
    kendall,
    pair_counts,
    quadratic_kappa,
    share,
    spearman,
)
from evaluation.statistics.intervals import draws_interval
from tests.fakes.properties import examples


def once(questions):
    return np.ones((1, questions))


def places(*numbers):
    return np.array(numbers)


def graded(question, mean, item="i", candidate="a", **grades):
    return GradedAnswer(
        f"{item}-{question}-{mean}-{len(grades)}", question, "r", candidate, mean, grades
    )


def test_rank_correlations_by_hand():
    x, y = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 3.0, 2.0, 4.0])
    questions = places(0, 0, 1, 1)
    # 1 - 6 (0 + 1 + 1 + 0) / (4 (16 - 1)); of six pairs five agree and one does not.
    assert spearman(x, y, questions, once(2)) == pytest.approx([0.8])
    assert kendall(x, y, questions, once(2)) == pytest.approx([4 / 6])


def test_ties_by_hand():
    x, y = np.array([1.0, 1.0, 2.0]), np.array([1.0, 2.0, 3.0])
    # Two of three pairs differ in x and agree; tau-b is 2 / sqrt(2 * 3).
    assert kendall(x, y, places(0, 0, 0), once(1)) == pytest.approx([2 / 6**0.5])
    # Ranks 1.5 1.5 3 and 1 2 3: covariance 1.5, variances 1.5 and 2.
    assert spearman(x, y, places(0, 0, 0), once(1)) == pytest.approx([1.5 / 3**0.5])


@pytest.mark.parametrize("statistic", [spearman, kendall])
def test_constant_scores_correlate_with_nothing(statistic):
    x, y = np.ones(4), np.arange(4.0)
    assert np.isnan(statistic(x, y, places(0, 0, 1, 1), once(2))).all()
    assert np.isnan(statistic(y, x, places(0, 0, 1, 1), once(2))).all()


rows = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 4), st.integers(0, 8)), min_size=2, max_size=25
)


@given(rows, st.integers(1, 2_000_000))
@examples(60)
def test_a_draw_is_what_scipy_says_of_rows_repeated_that_often(table, cells):
    questions, x, y = (np.array(column) for column in zip(*table, strict=True))
    x, y = x / 4, y / 2
    weights = draw_questions(6, 5, seed=len(table))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(agreement, "_CELLS", cells)
        ours = spearman(x, y, questions, weights), kendall(x, y, questions, weights)
    for draw, times in enumerate(weights):
        again = np.repeat(np.arange(len(x)), times[questions].astype(int))
        a, b = x[again], y[again]
        if len(set(a)) < 2 or len(set(b)) < 2:
            assert np.isnan(ours[0][draw])
            assert np.isnan(ours[1][draw])
        else:
            assert ours[0][draw] == pytest.approx(stats.spearmanr(a, b).statistic)
            assert ours[1][draw] == pytest.approx(stats.kendalltau(a, b).statistic, abs=1e-6)


def test_the_first_draw_is_the_sample_and_every_draw_has_as_many_questions():
    weights = draw_questions(7, 50)
    assert weights.shape == (51, 7)
    assert (weights[0] == 1).all()
    assert (weights.sum(axis=1) == 7).all()
    assert (draw_questions(7, 50) == weights).all()


def test_pair_agreement_by_hand():
    human = np.array([4.0, 3.0, 1.0, 2.4, 1.4, 0.5, 0.0])
    scores = np.array([0.9, 0.1, 0.2, 0.5, 0.5, 0.4, 0.6])
    questions = places(0, 0, 0, 1, 1, 1, 2)
    # Question 0: 4 over 3 and 4 over 1 agree, 3 over 1 does not. Question 1: 2.4 and 1.4 differ by
    # one whatever their last digit, a tie; 2.4 over .5 agrees; 1.4 and .5 are too near. The last
    # answer has a question of its own.
    counts = pair_counts(scores, human, questions, 3)
    assert counts.tolist() == [[2, 3], [1.5, 2], [0, 0]]
    weights = np.array([[1, 1, 1], [2, 0, 1], [0, 0, 3]])
    shares = share(counts, weights)
    assert shares[:2] == pytest.approx([3.5 / 5, 2 / 3])
    assert np.isnan(shares[2])


def test_quadratic_kappa_by_hand():
    ours, theirs = np.array([0, 4, 2, 2]), np.array([0, 4, 2, 4])
    # Squares seen: 4 of 4 rows. If independent: (1/4, 2/4, 1/4) at 0, 2, 4 against (1/4, 1/4, 2/4):
    # 0.25*(.25*4 + .5*16) + .5*(.25*4 + .5*4) + .25*(.25*16 + .25*4) = 5; 1 - 1/5.
    kappa = quadratic_kappa(ours, theirs, places(0, 0, 1, 1), once(2))
    assert kappa == pytest.approx([0.8])
    same = np.array([3, 3])
    assert np.isnan(quadratic_kappa(same, same, places(0, 0), once(1))).all()


def test_scores_become_the_nearest_grade():
    assert grades_of(np.array([0.0, 0.12, 0.125, 0.6, 1.0])).tolist() == [0, 0, 1, 2, 4]


def test_calibration_error_by_hand():
    scores, human = np.array([0.05, 0.05, 0.95, 1.0]), np.array([0.0, 2.0, 4.0, 2.0])
    # First bin: .05 against .25, last bin: .975 against .75; two rows each.
    error = calibration_error(scores, human, places(0, 0, 1, 1), once(2))
    assert error == pytest.approx([(2 * 0.2 + 2 * 0.225) / 4])


def test_an_interval_needs_draws_in_which_the_statistic_is_defined():
    assert draws_interval(np.array([0.5, *np.linspace(0, 1, 101)])) == pytest.approx([0.025, 0.975])
    assert draws_interval(np.array([0.5, 0.1, np.nan])) is None
    assert draws_interval(np.array([np.nan, 0.1, 0.2])) is None
    assert draws_interval(np.array([0.5, 0.5, 0.5, 0.5])) is None


def test_people_by_hand():
    answers = [
        graded("q", 3.0, item="1", ann=4.0, ben=2.0, cleo=3.0),
        graded("q", 1.0, item="2", ann=1.0, ben=0.0, cleo=2.0),
        graded("q", 2.0, item="3", ann=2.0, ben=2.0),
        graded("r", 4.0, item="4", ann=4.0),
    ]
    ceiling = human_ceiling(answers, GradedRows.of(answers, draws=20))
    assert (ceiling["graders"], ceiling["n"]) == (3, 8)
    # ann 4 1 2 against 2.5 1 2: tau 1. ben 2 0 2 against 3.5 1.5 2: 2 / sqrt(2 * 3). cleo: 1.
    tau = (3 * 1 + 3 * 2 / 6**0.5 + 2 * 1) / 8
    assert ceiling["kendall"]["mean"] == pytest.approx(tau)
    # Others differ by one: ann 1-2, 2-3; ben 1-2, 1-3 (a tie); cleo 1-2.
    assert ceiling["pair_agreement"]["n"] == 5
    assert ceiling["pair_agreement"]["mean"] == pytest.approx(4.5 / 5)


@pytest.mark.parametrize("grades", [{}, {"ann": 3.0}])
def test_one_grader_has_no_ceiling(grades):
    answers = [graded("q", 3.0, item="1", **grades), graded("r", 1.0, item="2", **grades)]
    ceiling = human_ceiling(answers, GradedRows.of(answers, draws=5))
    assert ceiling["graders"] == ceiling["n"] == 0
    assert ceiling["spearman"] == {"mean": None, "ci95": None}
    assert ceiling["pair_agreement"] == {"mean": None, "ci95": None, "n": 0}


def sample(questions=12):
    return [
        graded(f"q{number}", float(mean), item=str(item))
        for number in range(questions)
        for item, mean in enumerate([4, 2 + number % 2, 0])
    ]


def test_a_score_that_people_would_give_agrees_wholly():
    answers = sample()
    table = GradedRows.of(answers, draws=100)
    result = measure_agreement([row.human_mean / 4 for row in answers], table)
    assert (result["n"], result["unscored"]) == (36, 0)
    for name in ("spearman", "kendall", "pair_agreement", "quadratic_kappa"):
        assert result[name]["mean"] == pytest.approx(1), name
    # No draw differs: only shares of pairs have an interval, Wilson's of 12 questions.
    assert result["pair_agreement"]["ci95"] == pytest.approx([0.7575, 1], abs=1e-4)
    assert {result[name]["ci95"] for name in ("spearman", "kendall", "quadratic_kappa")} == {None}
    assert result["calibration_error"]["mean"] == pytest.approx(0)
    against = measure_agreement([1 - row.human_mean / 4 for row in answers], table)
    assert against["pair_agreement"]["mean"] == 0
    assert against["pair_agreement"]["ci95"] == pytest.approx([0, 0.2425], abs=1e-4)
    assert against["spearman"]["mean"] == pytest.approx(-1)


def test_unscored_rows_are_counted_and_left_out():
    answers = sample()
    scores = [None if row.human_mean == 0 else row.human_mean / 4 for row in answers]
    result = measure_agreement(scores, GradedRows.of(answers, draws=50))
    assert (result["n"], result["unscored"], result["pair_agreement"]["n"]) == (24, 12, 12)
    nothing = measure_agreement([None] * 36, GradedRows.of(answers, draws=50))
    assert (nothing["n"], nothing["unscored"]) == (0, 36)
    assert nothing["quadratic_kappa"] == nothing["spearman"] == {"mean": None, "ci95": None}


def test_one_question_has_figures_and_no_intervals():
    answers = sample(1)
    result = measure_agreement([0.9, 0.5, 0.1], GradedRows.of(answers, draws=50))
    assert result["spearman"] == {"mean": pytest.approx(1), "ci95": None}
    assert result["pair_agreement"] == {"mean": 1, "ci95": None, "n": 3}


def test_being_ahead_is_paired():
    answers = sample()
    table = GradedRows.of(answers, draws=100)
    good = [row.human_mean / 4 for row in answers]
    lead = agreement_lead(good, [0.5] * 36, table)
    assert lead["spearman"]["mean"] is None
    assert lead["pair_agreement"] == {"mean": 0.5, "ci95": None, "n": 36}
    same = agreement_lead(good, [score / 2 for score in good], table)
    assert same["spearman"] == {"mean": pytest.approx(0), "ci95": None}
    partly = agreement_lead([None, *good[1:]], [*good[:-1], None], table)
    assert partly["n"] == 34


def test_a_part_is_measured_alone():
    answers = sample()
    part = measure_part(
        [row.human_mean / 4 for row in answers],
        GradedRows.of(answers, draws=50),
        [row.human_mean > 0 for row in answers],
    )
    assert (part["n"], part["pair_agreement"]["n"]) == (24, 12)


def test_orders_and_mass():
    answers = sample(2)
    table = GradedRows.of(answers, draws=50)
    orders = order_agreement([0.9, 0.5, 0.1, 0.9, 0.5, None], [0.9, 0.2, 0.1, 0.8, 0.1, 0.3], table)
    assert orders["n"] == 5
    # Grades 4 2 0 4 2 against 4 1 0 3 0.
    assert orders["same_grade"] == pytest.approx(2 / 5)
    assert orders["mean_difference"] == pytest.approx((0.3 + 0.1 + 0.4) / 5)
    assert mean_estimate([0.2, 0.4, None, 0.6, None, None], table) == {
        "mean": pytest.approx(0.4),
        "ci95": pytest.approx([0.3, 0.6]),
        "n": 3,
    }
