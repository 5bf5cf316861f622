"""The formula of learned reranking: scores by hand, its file, and fair scores for questions of the fit."""

import json

import pytest

from graph.reranking.formula import (
    SHIPPED,
    Expectation,
    Formula,
    Reranker,
    Term,
    load_reranker,
    reranker_identity,
    save_reranker,
)
from graph.support.errors import ConfigError
from graph.support.question_folds import FOLDS, fold_of, short_digest

TERMS = {"question_cosine": Term(2.0, 0.5, 0.1), "length": Term(-1.0, 3.0, 2.0)}
FORMULA = Formula(TERMS)


def reranker(questions=()):
    folds = tuple(Formula({"length": Term(float(number), 0.0, 1.0)}) for number in range(FOLDS))
    return Reranker(FORMULA, folds, frozenset(map(short_digest, questions)), {"runs": []})


def test_a_score_by_hand_and_an_unknown_feature_counts_as_its_mean():
    assert FORMULA.score({"question_cosine": 0.6, "length": 5.0}) == pytest.approx(2 - 1)
    assert FORMULA.score({"question_cosine": 0.6, "votes": 1.0}) == pytest.approx(2)
    assert FORMULA.score({}) == 0


def test_a_question_of_the_fit_gets_the_formula_of_its_fold():
    fitted = reranker(["seen"])
    assert fitted.formula_for("seen") is fitted.folds[fold_of("seen")]
    assert fitted.formula_for("new") is fitted.formula


def test_a_file_that_changes_is_read_again(tmp_path):
    path = tmp_path / "reranker.json"
    save_reranker(path, reranker(["seen"]))
    before = (load_reranker(path), reranker_identity(path))
    save_reranker(path, reranker(["another"]))
    assert load_reranker(path) == reranker(["another"]) != before[0]
    assert reranker_identity(path) != before[1]


def test_a_file_reads_back_equal(tmp_path):
    path = tmp_path / "reranker.json"
    save_reranker(path, reranker(["seen"]))
    assert load_reranker(path) == reranker(["seen"])


EXPECTATION = Expectation(0.4, {"question_cosine": Term(0.2, 0.5, 0.1)})


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ({"question_cosine": 0.6}, 0.4 + 0.2),
        ({"question_cosine": 0.4, "length": 9.0}, 0.4 - 0.2),
        ({}, 0.4),
        ({"question_cosine": 1.0}, 1.0),
        ({"question_cosine": 0.0}, 0.0),
    ],
)
def test_an_expected_score_by_hand_is_never_outside_zero_and_one(features, expected):
    assert EXPECTATION.score(features) == pytest.approx(expected)


def expecting():
    """Return a reranker whose formulas all have an expectation, each another one."""
    plain = reranker(["seen"])
    return plain._replace(
        formula=plain.formula._replace(expectation=EXPECTATION),
        folds=tuple(
            fold._replace(expectation=EXPECTATION._replace(intercept=number / 10))
            for number, fold in enumerate(plain.folds)
        ),
    )


def test_a_formula_with_an_expectation_reads_back_equal_and_ranks_as_before(tmp_path):
    path = tmp_path / "reranker.json"
    save_reranker(path, expecting())
    loaded = load_reranker(path)
    assert loaded == expecting()
    assert loaded.folds[3].expectation.intercept == pytest.approx(0.3)
    features = {"question_cosine": 0.6, "length": 5.0}
    assert loaded.formula.score(features) == FORMULA.score(features)


def test_a_file_of_an_older_version_has_no_expectation(tmp_path):
    path = tmp_path / "reranker.json"
    save_reranker(path, reranker())
    assert "expectation" not in json.loads(path.read_text())
    assert {load_reranker(path).formula.expectation} == {None}


@pytest.mark.parametrize("without", ["formula", "a fold"])
def test_a_file_in_which_only_some_formulas_have_an_expectation_is_refused(tmp_path, without):
    path = tmp_path / "reranker.json"
    save_reranker(path, expecting())
    content = json.loads(path.read_text())
    del (content if without == "formula" else content["folds"][2])["expectation"]
    path.write_text(json.dumps(content))
    with pytest.raises(ConfigError, match="holds no reranker: make one with"):
        load_reranker(path)


@pytest.mark.parametrize(
    "expectation",
    [
        None,
        [],
        {"intercept": 0.4},
        {"intercept": float("nan"), "features": {}},
        {"intercept": "0.4", "features": {}},
        {"intercept": True, "features": {}},
        {"intercept": 0.4, "features": {"no_such": {"weight": 1, "mean": 0, "deviation": 1}}},
        {"intercept": 0.4, "features": {"length": {"weight": 1, "mean": 0, "deviation": 0}}},
    ],
)
def test_an_expectation_that_cannot_be_computed_is_one_line(tmp_path, expectation):
    path = tmp_path / "reranker.json"
    save_reranker(path, expecting())
    path.write_text(json.dumps({**json.loads(path.read_text()), "expectation": expectation}))
    with pytest.raises(ConfigError, match="holds no reranker: make one with"):
        load_reranker(path)


def test_the_project_has_a_formula_with_provenance():
    shipped = load_reranker()
    assert shipped.provenance["questions"] == len(shipped.questions) >= 100
    assert shipped.provenance["cross_validated"]["semantic_similarity"]["n"] >= 100
    assert reranker_identity(None) == reranker_identity(SHIPPED)


@pytest.mark.parametrize(
    "change",
    [
        {"folds": []},
        {"features": {"no_such": {"weight": 1, "mean": 0, "deviation": 1}}},
        {"features": {"length": {"weight": float("nan"), "mean": 0, "deviation": 1}}},
        {"features": {"length": {"weight": 1, "mean": 0, "deviation": 0}}},
        {"features": {"length": {"weight": "1", "mean": 0, "deviation": 1}}},
        {"features": []},
        {"questions": None},
        {"features": {"length": {"weight": 10**400, "mean": 0, "deviation": 1}}},
        {"provenance": 3},
    ],
)
def test_a_file_that_holds_no_formula_is_one_line(tmp_path, change):
    path = tmp_path / "reranker.json"
    save_reranker(path, reranker())
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ConfigError, match="holds no reranker: make one with"):
        load_reranker(path)


@pytest.mark.parametrize("content", ["", "[]", "{", "[" * 100_000])
def test_a_file_of_something_else_is_one_line(tmp_path, content):
    path = tmp_path / "other.json"
    path.write_text(content)
    with pytest.raises(ConfigError, match="holds no reranker"):
        load_reranker(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_reranker(tmp_path / "missing.json")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_reranker(tmp_path)
