"""Means by query and by document, intervals over groups, paired differences."""

import numpy as np
import pytest

from evaluation.ranking.config_means import differences, means
from evaluation.ranking.judged_queries import JudgedQuery
from evaluation.ranking.rank_measures import RANK_METRICS
from evaluation.statistics.cluster_means import cluster_means
from evaluation.statistics.summaries import summarise
from evaluation.tables.numbers import number


def of(values, groups):
    [estimate] = cluster_means(np.array([values], dtype=float), groups)
    return estimate


def queries(*kinds_and_groups):
    return [
        JudgedQuery(str(n), "text", kind, {"1": 1}, group)
        for n, (kind, group) in enumerate(kinds_and_groups)
    ]


def scores(**values):
    size = len(next(iter(values.values())))
    return {name: values.get(name.replace("@", "_"), [0.0] * size) for name in RANK_METRICS}


def test_a_group_counts_once_by_document_and_each_query_once_by_query():
    estimates = of([1, 1, 1, 1, 0, 0.5], [7, 7, 7, 7, 2, 5])
    assert (estimates["mean"], estimates["n"]) == (pytest.approx(0.75), 6)
    by_document = estimates["by_document"]
    assert (by_document["mean"], by_document["n"]) == (pytest.approx(0.5), 3)


def test_without_shared_questions_the_interval_is_the_usual_bootstrap():
    values = np.random.default_rng(3).random(60).round(2).tolist()
    estimates, usual = of(values, range(60)), summarise(values)
    assert estimates["mean"] == pytest.approx(usual["mean"])
    assert estimates["ci95"] == pytest.approx(usual["ci95"], abs=1e-9)
    assert estimates["by_document"] == {
        "mean": estimates["mean"],
        "n": 60,
        "ci95": estimates["ci95"],
    }


def test_queries_that_stand_and_fall_together_widen_the_interval():
    values = [1.0] * 50 + [0.0] * 50
    alone = of(values, range(100))["ci95"]
    tied = of(values, [n // 10 for n in range(100)])["ci95"]
    assert alone == pytest.approx([0.4, 0.6], abs=0.02)
    # Ten groups of ten are ten observations: the standard error is sqrt(10) times as large.
    assert tied == pytest.approx([0.24, 0.76], abs=0.01)


def test_the_means_by_document_are_drawn_by_group_too():
    values = [1.0] * 90 + [0.0] * 10
    groups = [0] * 90 + list(range(1, 11))
    by_document = of(values, groups)["by_document"]
    assert by_document["mean"] == pytest.approx(1 / 11)
    assert by_document["ci95"] == pytest.approx(summarise([1.0] + [0.0] * 10)["ci95"])


@pytest.mark.parametrize(
    ("values", "groups", "ends"),
    [
        # 20 queries that are all hits: Wilson's interval of 20 of 20.
        ([1.0] * 20, range(20), [0.8389, 1.0]),
        ([0.0] * 2, range(2), [0.0, 0.6576]),
        # Ten groups of two are ten trials.
        ([1.0] * 20, [n // 2 for n in range(20)], [0.7225, 1.0]),
        # Groups of 3 and 1: 16 / 10 trials.
        ([1.0] * 4, [0, 0, 0, 1], [0.2940, 1.0]),
        # All groups score .5, whatever their queries score.
        ([1.0, 0.0] * 10, [n // 2 for n in range(20)], None),
        ([0.25] * 8, range(8), None),
    ],
)
def test_equal_groups_have_wilsons_interval_or_none(values, groups, ends):
    assert of(values, groups)["ci95"] == (ends and pytest.approx(ends, abs=1e-4))


def test_unequal_scores_of_0_and_1_keep_the_draws_where_groups_are_mixed():
    low, high = of([1.0, 0.0, 1.0, 1.0] * 5, [n // 2 for n in range(20)])["ci95"]
    assert 0.5 < low < 0.75 < high < 1.0


@pytest.mark.parametrize("groups", [[3], [3, 3, 3]])
def test_one_group_has_a_mean_and_no_interval(groups):
    estimates = of([0.25] * len(groups), groups)
    assert estimates["by_document"] == {"mean": 0.25, "n": 1, "ci95": None}
    assert (estimates["mean"], estimates["n"], estimates["ci95"]) == (0.25, len(groups), None)


def test_each_row_has_its_own_means_on_the_same_draws():
    rows = np.random.default_rng(5).random((3, 40))
    groups = [n // 3 for n in range(40)]
    together = cluster_means(rows, groups)
    for estimate, row in zip(together, rows, strict=True):
        alone = of(row, groups)
        assert estimate["mean"] == pytest.approx(row.mean())
        assert estimate["ci95"] == pytest.approx(alone["ci95"])
        assert estimate["by_document"]["ci95"] == pytest.approx(alone["by_document"]["ci95"])


def test_means_stand_by_kind_and_all_is_all():
    judged = queries(("short", 0), ("long", 1), ("short", 1), ("long", 2))
    estimates = means(judged, scores(R_10=[1.0, 0.0, 0.5, 1.0], MRR=[0.1, 0.2, 0.3, 0.4]))
    assert list(estimates) == ["all", "short", "long"]
    assert all(list(by_metric) == list(RANK_METRICS) for by_metric in estimates.values())
    recall = {kind: (by["R@10"]["mean"], by["R@10"]["n"]) for kind, by in estimates.items()}
    assert recall == {"all": (0.625, 4), "short": (0.75, 2), "long": (0.5, 2)}
    assert estimates["all"]["R@10"]["by_document"]["mean"] == pytest.approx((1 + 0.25 + 1) / 3)
    assert estimates["all"]["R@10"]["by_document"]["n"] == 3
    assert estimates["long"]["MRR"]["mean"] == pytest.approx(0.3)


def test_a_difference_is_the_later_config_minus_the_earlier_query_by_query():
    judged = queries(*[("short", n) for n in range(20)], *[("long", n + 20) for n in range(20)])
    base = np.linspace(0, 0.5, 40)
    estimates = differences(
        judged,
        {
            "keyword": scores(R_10=base.tolist()),
            "semantic": scores(R_10=(base + 0.25).tolist()),
            "hybrid": scores(R_10=(base + 0.5).tolist()),
        },
    )
    pairs = list(dict.fromkeys((row["a"], row["b"]) for row in estimates))
    assert pairs == [("semantic", "keyword"), ("hybrid", "keyword"), ("hybrid", "semantic")]
    assert len(estimates) == 3 * 3 * len(RANK_METRICS)
    recall = {(e["a"], e["b"], e["kind"]): e for e in estimates if e["metric"] == "R@10"}
    pooled = recall["hybrid", "keyword", "all"]
    assert (pooled["mean"], pooled["n"]) == (pytest.approx(0.5), 40)
    # The gain is the same for every query: nothing is known about its spread.
    assert pooled["ci95"] is None
    assert pooled["by_document"]["mean"] == pytest.approx(0.5)
    assert recall["semantic", "keyword", "long"]["n"] == 20
    assert {row["distinguishable"] for row in recall.values()} == {False}
    equal = [row for row in estimates if row["metric"] == "nDCG@10"]
    assert {(e["mean"], e["ci95"], e["distinguishable"]) for e in equal} == {(0.0, None, False)}


@pytest.mark.parametrize(
    ("gains", "distinguishable"),
    [([0.5] * 9 + [0.1], True), ([-0.5] * 9 + [-0.1], True), ([0.5, -0.4] * 5, False)],
)
def test_what_can_be_told_apart_is_what_the_interval_says(gains, distinguishable):
    judged = queries(*[("x", n) for n in range(10)])
    halves = [0.5] * 10
    by_config = {"b": scores(MRR=halves), "a": scores(MRR=[0.5 + gain for gain in gains])}
    [difference] = [
        d for d in differences(judged, by_config) if (d["metric"], d["kind"]) == ("MRR", "all")
    ]
    assert difference["distinguishable"] is distinguishable
    assert (difference["ci95"][0] <= 0 <= difference["ci95"][1]) is not distinguishable


def test_one_query_cannot_tell_anything_apart():
    by_config = {"b": scores(MRR=[0.0]), "a": scores(MRR=[1.0])}
    [difference] = [
        d
        for d in differences(queries(("x", 0)), by_config)
        if (d["metric"], d["kind"]) == ("MRR", "x")
    ]
    assert (difference["mean"], difference["ci95"], difference["distinguishable"]) == (
        1.0,
        None,
        False,
    )


@pytest.mark.parametrize(
    ("value", "plain", "signed"),
    [
        (0.2844, ".284", "+.284"),
        (-0.0123, "-.012", "-.012"),
        (1.0, "1.00", "+1.00"),
        (-1.0, "-1.00", "-1.00"),
        (0.9996, "1.00", "+1.00"),
        (-0.0004, ".000", "+.000"),
        (0.1005, ".101", "+.101"),
    ],
)
def test_numbers_are_short_and_have_three_figures(value, plain, signed):
    assert (number(value), number(value, "+")) == (plain, signed)


def test_a_single_config_has_no_differences():
    assert differences(queries(("x", 0)), {"a": scores(MRR=[1.0])}) == []
