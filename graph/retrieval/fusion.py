"""The fusion of scores: which parts of an index a kind of retrieval weighs, and by how much."""

from functools import cache
from importlib.resources import files

from graph.schema import Retrieval
from graph.support.yaml_values import parse_yaml

KEYWORD = "keyword"


def part_names(retrieval: Retrieval) -> tuple[str, ...]:
    """Return the names of the parts whose scores are weighed.

    `semantic` and `hybrid` weigh vectors; every other kind that searches is named after its part.
    """
    match retrieval.kind:
        case "none" | "oracle" | "shuffled":
            return ()
        case "semantic":
            return retrieval.vectors
        case "hybrid":
            return (KEYWORD, *retrieval.vectors)
        case part:
            return (part,)


def weights(retrieval: Retrieval) -> dict[str, float]:
    """Return the weight of each part's score; the weights sum to 1.

    The scores are the cosine of the query with the vector of a field, and the keyword score: where
    vectors are weighed too, divided by the best keyword score of the query. A weighted sum of them is
    then at most 1.
    """
    names = part_names(retrieval)
    if retrieval.kind != "hybrid":
        return {name: 1 / len(names) for name in names}
    fitted = fitted_weights()
    total = sum(fitted[name] for name in names)
    return {name: fitted[name] / total for name in names}


@cache
def fitted_weights() -> dict[str, float]:
    """Return the weights of `hybrid` from `fitted.yaml`, which states their provenance."""
    text = files("graph").joinpath("retrieval", "fitted.yaml").read_text(encoding="utf-8")
    return dict(parse_yaml(text)["weights"])
