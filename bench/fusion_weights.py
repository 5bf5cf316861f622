"""The weights of hybrid retrieval, and the ranking quality that they reach in cross-validation.

Run `python -m bench.fusion_weights --corpus PATH --queries PATH --qrels PATH [--write]`.

Every part of the index nominates posts for each query, and all parts score them. A listwise softmax
over these posts (ListNet's top-one likelihood, Cao et al. 2007) is fitted to the relevant ones, with
non-negative weights.

Prints the means and differences of every combination of features in cross-validation, and the weights
fitted on all queries. Folds are made of whole groups of queries that share a relevant question, so that
no post is in both the training and the test part. `--write` stores the weights fitted on all queries in
graph/retrieval/fitted.yaml. They are the mean of two fits, with and without the title's vectors: the
question's vector reads the title too, the data hardly determine how the two share their weight, and the
mean varies less than either fit.
"""

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
import yaml
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.model_selection import GroupKFold

from bench.judged_posts import format_difference, judged_parser
from evaluation.ranking.config_means import differences, means
from evaluation.ranking.judged_queries import JudgedQueries, load_judged
from evaluation.ranking.rank_measures import DEPTH, QueryScores, score_rankings
from graph.config import load_settings
from graph.retrieval.fusion import KEYWORD
from graph.retrieval.index import build_or_verify
from graph.retrieval.query import Query
from graph.retrieval.retriever import RankedQuestion
from graph.retrieval.searching import OpenIndex
from graph.support.storage import file_sha256, write_atomically

FITTED_FILE = Path(__file__).parents[1] / "graph" / "retrieval" / "fitted.yaml"
POOL = 200
"""Posts that each part of the index nominates."""
RIDGE = 1e-3
"""Factor of the squared weights in the loss."""
FEATURES = (KEYWORD, "question", "title", "answer")
AVERAGED = (FEATURES, (KEYWORD, "question", "answer"))
HYBRID = "hybrid: mean of two fits"


class Case(NamedTuple):
    """The posts that are nominated for one query."""

    question_ids: list[str]
    features: NDArray[np.float64]
    """Shape (posts, features)."""
    relevant: NDArray[np.bool_]
    """Shape (posts,)."""


def main() -> None:
    """Fit, print the results of cross-validation, and write the weights if asked to."""
    arguments = _arguments()
    judged = load_judged(arguments.queries, arguments.qrels, arguments.corpus)
    cases = _cases(judged, arguments.corpus, arguments.profile)
    reached = sum(case.relevant.any() for case in cases)
    print(f"{len(cases)} queries; a relevant question was nominated for {reached}")
    groups = [query.group for query in judged.queries]
    single = dict(zip(FEATURES, np.eye(len(FEATURES)), strict=True))
    equal = np.full(len(FEATURES), 1 / len(FEATURES))
    weights_by_name = {
        name: [weights] * len(cases) for name, weights in {**single, "equal weights": equal}.items()
    }
    for names in _subsets():
        fold_weights = _cross_validated(cases, groups, names, arguments.folds)
        weights_by_name[" + ".join(names)] = fold_weights
    fits = [weights_by_name[" + ".join(names)] for names in AVERAGED]
    weights_by_name[HYBRID] = [np.mean(pair, axis=0) for pair in zip(*fits, strict=True)]
    scores = {name: _scores(cases, weights, judged) for name, weights in weights_by_name.items()}
    _print_means(judged, scores)
    compared = ["question", *(" + ".join(names) for names in AVERAGED), HYBRID]
    _print_differences(judged, {name: scores[name] for name in compared})
    weights = np.mean([_fit(cases, names) for names in AVERAGED], axis=0)
    rounded = {name: round(float(w), 4) for name, w in zip(FEATURES, weights, strict=True)}
    print("fitted on all queries:", rounded)
    if arguments.write:
        _write(rounded, arguments, judged, scores[HYBRID])


def _arguments() -> argparse.Namespace:
    parser = judged_parser(__doc__)
    parser.add_argument("--profile", default="embedded")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--write", action="store_true")
    return parser.parse_args()


def _cases(judged: JudgedQueries, corpus: Path, profile: str) -> list[Case]:
    settings = load_settings("hybrid", profile, [])
    retrieval, embedder = settings.config.retrieval, settings.profile.embedder
    index = OpenIndex.open(retrieval, build_or_verify(retrieval, corpus, embedder), embedder)
    cases = []
    for start in range(0, len(judged.queries), 100):
        queries = judged.queries[start : start + 100]
        nominations = index.nominate([Query.of(query.text) for query in queries], POOL)
        for query, nominated in zip(queries, nominations, strict=True):
            ids = [index.posts.question_ids[row] for row in nominated.rows]
            features = np.column_stack([nominated.features[name] for name in FEATURES])
            relevant = np.array([query.relevant.get(name, 0) > 0 for name in ids])
            cases.append(Case(ids, features, relevant))
    return cases


def _subsets() -> list[tuple[str, ...]]:
    """Return the combinations of features to fit: of the vectors, with and without keywords."""
    vectors = [names for size in (1, 2, 3) for names in combinations(FEATURES[1:], size)]
    return [
        *((KEYWORD, *names) for names in vectors),
        *(names for names in vectors if len(names) > 1),
    ]


def _cross_validated(
    cases: Sequence[Case], groups: Sequence[int], names: Sequence[str], folds: int
) -> list[NDArray[np.float64]]:
    """Return the weights for each query, fitted without the fold of its group."""
    fold_weights: list[NDArray[np.float64]] = [np.zeros(len(FEATURES))] * len(cases)
    for train, test in GroupKFold(folds, shuffle=True, random_state=0).split(cases, groups=groups):
        weights = _fit([cases[row] for row in train], names)
        for row in test:
            fold_weights[row] = weights
    return fold_weights


def _fit(cases: Sequence[Case], names: Sequence[str]) -> NDArray[np.float64]:
    """Return the weights of all features, with sum 1; those not named have weight 0."""
    columns = [FEATURES.index(name) for name in names]
    fitted = [case for case in cases if case.relevant.any()]

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        total, slope = RIDGE * float(weights @ weights), 2 * RIDGE * weights
        for case in fitted:
            values = case.features[:, columns]
            shares = _softmax(values @ weights)
            likelihood = float(shares[case.relevant].sum())
            target = np.where(case.relevant, shares / likelihood, 0.0)
            total -= np.log(likelihood) / len(fitted)
            slope = slope + (shares - target) @ values / len(fitted)
        return total, slope

    start = np.full(len(columns), 10.0)
    bounds = [(0, None)] * len(columns)
    best = minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B").x
    weights = np.zeros(len(FEATURES))
    weights[columns] = best / best.sum()
    return weights


def _softmax(values: NDArray[np.float64]) -> NDArray[np.float64]:
    # The maximum is subtracted so that exp cannot overflow.
    powers = np.exp(values - values.max())
    return np.asarray(powers / powers.sum())


def _scores(
    cases: Sequence[Case], weights: Sequence[NDArray[np.float64]], judged: JudgedQueries
) -> QueryScores:
    rankings = []
    for case, weight in zip(cases, weights, strict=True):
        total = (case.features @ weight).round(9)
        best: dict[str, float] = {}
        for row in np.argsort(-total, kind="stable"):
            best.setdefault(case.question_ids[row], float(total[row]))
        rankings.append([RankedQuestion(name, value) for name, value in best.items()][:DEPTH])
    return score_rankings(rankings, [query.relevant for query in judged.queries])


def _print_means(judged: JudgedQueries, scores: dict[str, QueryScores]) -> None:
    print(f"{'features':<38} {'kind':<12} {'R@10':>6} {'nDCG@10':>8}   95 % of nDCG@10")
    for name, values in scores.items():
        for kind, row in means(judged.queries, values).items():
            low, high = row["nDCG@10"]["ci95"] or (float("nan"), float("nan"))
            print(
                f"{name:<38} {kind:<12} {row['R@10']['mean']:>6.3f} "
                f"{row['nDCG@10']['mean']:>8.3f}   {low:.3f} to {high:.3f}"
            )


def _print_differences(judged: JudgedQueries, scores: dict[str, QueryScores]) -> None:
    for difference in differences(judged.queries, scores):
        metric = difference["metric"]
        if difference["b"] == "question" and metric in ("nDCG@10", "R@10"):
            text = format_difference(difference["mean"], difference["ci95"])
            print(f"{difference['a']} - question, {difference['kind']}, {metric}: {text}")


def _write(
    weights: dict[str, float],
    arguments: argparse.Namespace,
    judged: JudgedQueries,
    scores: QueryScores,
) -> None:
    validated = {
        kind: round(row["nDCG@10"]["mean"], 3)
        for kind, row in means(judged.queries, scores).items()
    }
    provenance = {
        "fitted_by": "python -m bench.fusion_weights, "
        f"{arguments.folds}-fold cross-validation by document",
        "on": f"{len(judged.queries)} queries: duplicate links of Stack Overflow [python]",
        "nDCG@10_in_cross_validation": validated,
        "date": datetime.now(UTC).date().isoformat(),
    }
    for name in ("corpus", "queries", "qrels"):
        path = getattr(arguments, name)
        provenance[name] = f"{path.name} {file_sha256(path)[:16]}"
    text = yaml.safe_dump({"weights": weights, "provenance": provenance}, sort_keys=False)
    head = (
        "# The weight of each feature in `hybrid`, and the data that the weights were fitted on.\n"
    )
    write_atomically(FITTED_FILE, head + text)


if __name__ == "__main__":
    main()
