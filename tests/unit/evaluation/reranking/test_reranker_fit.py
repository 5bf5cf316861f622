"""The fit of learned reranking on features whose worth is known."""

import numpy as np
import pytest

from evaluation.metrics.calibrated_judge import CALIBRATED_JUDGE
from evaluation.reranking.fit_document import fit_document
from evaluation.reranking.reranker_fit import blind_picks, fit_reranker, mean_ranks, picked
from graph.support.errors import DatasetError
from graph.support.question_folds import fold_of
from tests.fakes.candidate_pools import pool


def pools_where(score_of, count=60, candidates=5, seed=0):
    """Return pools of random features; `score_of` gives the score of a candidate."""
    rng = np.random.default_rng(seed)
    pools = []
    for number in range(count):
        rows = [
            {"question_cosine": float(a), "word_agreement": float(b), "length": float(3 * c)}
            for a, b, c in rng.random((candidates, 3))
        ]
        pools.append(pool(number, rows, [score_of(row) for row in rows]))
    return pools


def test_mean_ranks_by_hand_with_a_tie():
    rows = [{"question_cosine": 0.1}] * 4
    assert mean_ranks(pool(0, rows, [0.2, 0.9, 0.9, 0.4])).tolist() == pytest.approx(
        [0, 2.5 / 3, 2.5 / 3, 1 / 3]
    )


def test_the_fit_finds_the_feature_that_decides():
    pools = pools_where(lambda row: row["word_agreement"])
    reranker = fit_reranker(pools, {})
    weights = {name: term.weight for name, term in reranker.formula.terms.items()}
    assert max(weights, key=weights.get) == "word_agreement"
    best = [int(np.argmax([row["word_agreement"] for row in p.features])) for p in pools]
    picks = blind_picks(reranker, pools)
    assert np.mean(np.array(picks) == best) > 0.9


def test_a_monotone_feature_never_counts_against_a_candidate_and_a_free_one_may():
    against = fit_reranker(
        pools_where(lambda row: 1 - row["question_cosine"] / 2 - row["length"] / 6), {}
    )
    assert "question_cosine" not in against.formula.terms
    assert against.formula.terms["length"].weight < 0


def test_a_fold_does_not_depend_on_its_own_questions():
    pools = pools_where(lambda row: row["word_agreement"])
    left_out = fold_of(pools[0].question)
    others = [
        p._replace(scores=p.scores[::-1]) if fold_of(p.question) == left_out else p for p in pools
    ]
    before, after = fit_reranker(pools, {}), fit_reranker(others, {})
    assert before.folds[left_out] == after.folds[left_out]
    assert before.formula != after.formula


def test_equal_pools_give_equal_formulas_in_any_order():
    pools = pools_where(lambda row: row["length"] / 3)
    assert fit_reranker(pools, {}).formula == fit_reranker(pools[::-1], {}).formula


def test_what_all_candidates_of_a_question_share_changes_no_weight():
    pools = pools_where(lambda row: row["word_agreement"])
    before = fit_reranker(pools, {}).formula.terms["word_agreement"]
    for number, of_pool in enumerate(pools):
        for row in of_pool.features:
            row["word_agreement"] += number % 3
    after = fit_reranker(pools, {}).formula.terms["word_agreement"]
    assert after.deviation > 2 * before.deviation
    assert after.weight / after.deviation == pytest.approx(
        before.weight / before.deviation, rel=0.2
    )


def test_too_few_questions_are_refused():
    with pytest.raises(DatasetError, match=r"at least 20 questions .*; here are 19"):
        fit_reranker(pools_where(lambda row: row["length"], 19), {})


def test_a_feature_that_is_rarely_known_or_always_the_same_is_left_out():
    pools = pools_where(lambda row: row["word_agreement"])
    for of_pool in pools:
        for row in of_pool.features:
            row["accepted"] = 0.0
            row["shared_names"] = 1e-5 * row["word_agreement"]
    pools[0].features[0]["votes"] = 1.0
    terms = fit_reranker(pools, {}).formula.terms
    assert not {"accepted", "votes", "shared_names"} & set(terms)


def test_the_document_is_cross_validated_and_gives_the_worth_of_each_feature():
    pools = pools_where(lambda row: row["word_agreement"])
    reranker = fit_reranker(pools, {})
    document = fit_document(reranker, pools)
    captured = document["captured"]["metrics"]["semantic_similarity"]
    picks = blind_picks(reranker, pools)
    by_hand = np.mean(
        [p.scores[pick]["semantic_similarity"] for p, pick in zip(pools, picks, strict=True)]
    )
    assert captured["learned"]["score"]["mean"] == pytest.approx(by_hand)
    assert captured["learned"]["share"]["mean"] > 0.9
    worth = {row["feature"]: row for row in document["features"]}
    assert worth["word_agreement"]["worth"] > 0.2
    assert worth["votes"]["weight"] is worth["votes"]["worth"] is None
    assert document["learned_minus_first"]["ROUGE-1"]["ci95"][0] > 0
    assert picked(reranker.formula, pools[0]) in range(5)


def with_judge(pools, score_of):
    """Return pools whose calibrated judge scores a candidate by its features; None is unscored."""
    return [
        p._replace(
            scores=[
                {**scores, CALIBRATED_JUDGE.name: score_of(row)}
                for row, scores in zip(p.features, p.scores, strict=True)
            ]
        )
        for p in pools
    ]


def judge_of(row):
    return 0.3 + 0.4 * row["question_cosine"] + 0.02 * row["length"]


def test_the_expectation_finds_the_weights_of_the_judge():
    pools = with_judge(pools_where(lambda row: row["word_agreement"], 200), judge_of)
    intercept, terms = fit_reranker(pools, {}).formula.expectation
    slopes = {name: term.weight / term.deviation for name, term in terms.items()}
    # The ridge shrinks each weight by about 1 %.
    assert slopes["question_cosine"] == pytest.approx(0.4, rel=0.03)
    assert slopes["length"] == pytest.approx(0.02, rel=0.03)
    assert abs(slopes.get("word_agreement", 0.0)) < 0.01
    rows = [row for p in pools for row in p.features]
    assert intercept == pytest.approx(np.mean([judge_of(row) for row in rows]), abs=1e-4)


def test_the_expected_score_is_comparable_between_questions_and_the_ranking_score_is_not():
    """What all candidates of a question share moves the expectation alone."""
    pools = pools_where(lambda row: row["word_agreement"], 200)
    for number, p in enumerate(pools):
        for row in p.features:
            row["question_cosine"] = (number % 5) / 5
    reranker = fit_reranker(with_judge(pools, lambda row: 0.8 * row["question_cosine"]), {})
    assert "question_cosine" not in reranker.formula.terms
    for value in (0.0, 0.4, 0.8):
        row = {"question_cosine": value, "word_agreement": 0.5, "length": 1.5}
        assert reranker.formula.expectation.score(row) == pytest.approx(0.8 * value, abs=0.02)


def test_unscored_candidates_are_no_part_of_the_expectation():
    pools = pools_where(lambda row: row["word_agreement"], 200)
    rows = [row for p in pools for row in p.features]
    hidden = {id(row) for row in rows[::3]}
    part = with_judge(pools, lambda row: None if id(row) in hidden else judge_of(row))
    expectation = fit_reranker(part, {}).formula.expectation
    for row in rows[:20]:
        assert expectation.score(row) == pytest.approx(judge_of(row), abs=0.02)


def test_without_the_judge_there_is_no_expectation_and_no_curve():
    pools = with_judge(pools_where(lambda row: row["word_agreement"]), lambda row: None)
    reranker = fit_reranker(pools, {})
    assert {formula.expectation for formula in (reranker.formula, *reranker.folds)} == {None}
    document = fit_document(reranker, pools)
    assert document["coverage_points"] == []
    assert document["judge_curve"] == {"scores": [], "half_gain": None, "area": None}


def test_the_confidence_of_the_document_is_that_of_formulas_that_did_not_see_the_question():
    pools = with_judge(pools_where(lambda row: row["word_agreement"]), judge_of)
    reranker = fit_reranker(pools, {})
    document = fit_document(reranker, pools)
    picks = blind_picks(reranker, pools)
    expected = {
        p.question: reranker.folds[fold_of(p.question)].expectation.score(p.features[pick])
        for p, pick in zip(pools, picks, strict=True)
    }
    first, *_, last = document["coverage_points"]
    assert (first["questions"], last["questions"]) == (60, 6)
    assert first["threshold"] == min(expected.values())
    assert last["threshold"] == sorted(expected.values())[-6]
    picked_rows = [p.features[pick] for p, pick in zip(pools, picks, strict=True)]
    mean = np.mean([judge_of(row) for row in picked_rows])
    assert document["judge_curve"]["scores"][0]["mean"] == pytest.approx(mean)
    assert document["judge_curve"]["half_gain"]["mean_difference"] > 0
    area = document["judge_curve"]["area"]
    assert area["best"] <= area["measured"] < area["random"]


def test_a_judge_of_one_fold_alone_gives_no_expectation():
    pools = pools_where(lambda row: row["word_agreement"], 200)
    fold = fold_of(pools[0].question)
    judged = with_judge(pools, judge_of)
    unjudged = with_judge(pools, lambda row: None)
    part = [a if fold_of(a.question) == fold else b for a, b in zip(judged, unjudged, strict=True)]
    reranker = fit_reranker(part, {})
    # A formula without this fold would have no expectation, and the ranking needs none.
    assert {formula.expectation for formula in (reranker.formula, *reranker.folds)} == {None}
    assert reranker.formula.terms
