"""What is weighed: one feature, the mean of some, or the fitted sum; always 1 together."""

import pytest
import yaml

from graph.retrieval import fusion
from graph.schema import Retrieval

FITTED = {"keyword": 0.2, "question": 0.4, "title": 0.3, "answer": 0.1}


def weights(kind, *vectors):
    return fusion.weights(Retrieval(kind=kind, vectors=vectors or ("question",)))


def test_keyword_has_one_feature():
    assert weights("keyword") == {"keyword": 1.0}


def test_semantic_takes_the_mean_of_its_fields():
    assert weights("semantic") == {"question": 1.0}
    assert weights("semantic", "title", "answer") == {"title": 0.5, "answer": 0.5}


@pytest.mark.parametrize(
    ("vectors", "expected"),
    [
        (("question", "title", "answer"), FITTED),
        (("question",), {"keyword": 1 / 3, "question": 2 / 3}),
        (("answer", "title"), {"keyword": 1 / 3, "answer": 1 / 6, "title": 1 / 2}),
    ],
)
def test_hybrid_takes_its_fields_share_of_the_fitted_weights(monkeypatch, vectors, expected):
    monkeypatch.setattr(fusion, "fitted_weights", lambda: FITTED)
    assert weights("hybrid", *vectors) == pytest.approx(expected)


def test_the_fitted_weights_name_every_feature_and_none_is_below_0():
    fitted = fusion.fitted_weights()
    assert set(fitted) == {"keyword", "question", "title", "answer"}
    assert all(weight >= 0.0 for weight in fitted.values())
    assert fitted["keyword"] > 0.0
    for vectors in (("question",), ("title", "answer"), ("question", "title", "answer")):
        assert sum(weights("hybrid", *vectors).values()) == pytest.approx(1.0)


def test_the_file_of_weights_is_what_is_read():
    with (fusion.files("graph") / "retrieval" / "fitted.yaml").open(encoding="utf-8") as file:
        assert yaml.safe_load(file)["weights"] == fusion.fitted_weights()
