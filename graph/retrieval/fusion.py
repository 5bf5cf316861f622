"""How the scores of an index become one: what each kind of retrieval weighs."""

from functools import cache
from importlib.resources import files

import yaml

from graph.schema import Retrieval

KEYWORD = "keyword"
"""The name of the keyword score among the features; the others are named after their field."""


def weights(retrieval: Retrieval) -> dict[str, float]:
    """Return the weight of each feature, in sum 1: a score is then at most 1.

    Features are the cosine of the question with each field's vector, and the keyword score over the
    best keyword score of the same question.
    """
    if retrieval.kind == "keyword":
        return {KEYWORD: 1.0}
    if retrieval.kind == "semantic":
        return {field: 1 / len(retrieval.vectors) for field in retrieval.vectors}
    fitted = fitted_weights()
    used = {name: fitted[name] for name in (KEYWORD, *retrieval.vectors)}
    total = sum(used.values())
    return {name: weight / total for name, weight in used.items()}


@cache
def fitted_weights() -> dict[str, float]:
    """Return the weights of `hybrid`; `fitted.yaml` says what they were fitted on, and how."""
    text = files("graph").joinpath("retrieval", "fitted.yaml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text)["weights"])
