"""Fit the weights of hybrid retrieval: python -m bench.fusion_weights --corpus --queries --qrels [--write].

Every part of the index nominates posts for each query, and all parts score them. A listwise softmax
over these posts (ListNet's top-one likelihood, Cao et al. 2007) is fitted on the relevant ones, with
weights that cannot be negative. What is reported comes from cross-validation: the queries are
split by the groups that share a relevant question, so that no document is both fitted on and tested
on. `--write` stores the weights fitted on all queries in graph/retrieval/fitted.yaml: the mean of two
fits, with and without the title's vectors. The question's vector reads the title too, and how the
weight is to be shared between the two is what the queries settle least; the mean is steadier than
either fit.
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

TARGET = Path(__file__).parents[1] / "graph" / "retrieval" / "fitted.yaml"
POOL = 200
RIDGE = 1e-3
FEATURES = (KEYWORD, "question", "title", "answer")
AVERAGED = (FEATURES, (KEYWORD, "question", "answer"))
HYBRID = "hybrid: mean of two fits"


class Case(NamedTuple):
    """The posts nominated for one query."""

    question_ids: list[str]
    features: NDArray[np.float64]
    """Shape [posts, features]."""
    relevant: NDArray[np.bool_]


def main() -> None:
    """Fit, and print what cross-validation says."""
    arguments = _arguments()
    judged = load_judged(arguments.queries, arguments.qrels, arguments.corpus)
    cases = _cases(judged, arguments.corpus, arguments.profile)
    found = sum(case.relevant.any() for case in cases)
    print(f"{len(cases)} queries; a relevant question was nominated for {found}")
    groups = [query.group for query in judged.queries]
    alone = {name: _one_feature(name) for name in FEATURES}
    named = {
        **{name: [weight] * len(cases) for name, weight in alone.items()},
        "equal weights": [np.full(len(FEATURES), 0.25)] * len(cases),
    }
    for names in _subsets():
        named[" + ".join(names)] = _cross_validated(cases, groups, names, arguments.folds)
    fits = [named[" + ".join(names)] for names in AVERAGED]
    named[HYBRID] = [np.mean(each, axis=0) for each in zip(*fits, strict=True)]
    scores = {name: _scores(cases, weights, judged) for name, weights in named.items()}
    _print_means(judged, scores)
    compared = ["question", *(" + ".join(names) for names in AVERAGED), HYBRID]
    _print_differences(judged, {name: scores[name] for name in compared})
    weights = np.mean([_fit(cases, names) for names in AVERAGED], axis=0)
    shown = {name: round(float(w), 4) for name, w in zip(FEATURES, weights, strict=True)}
    print("fitted on all queries:", shown)
    if arguments.write:
        _write(shown, arguments, judged, scores[HYBRID])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("corpus", "queries", "qrels"):
        parser.add_argument(f"--{name}", type=Path, required=True)
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
        nominated = index.nominate([Query.of(query.text) for query in queries], POOL)
        for query, each in zip(queries, nominated, strict=True):
            ids = [index.posts.question_ids[row] for row in each.rows]
            features = np.column_stack([each.features[name] for name in FEATURES])
            relevant = np.array([query.relevant.get(name, 0) > 0 for name in ids])
            cases.append(Case(ids, features, relevant))
    return cases


def _one_feature(name: str) -> NDArray[np.float64]:
    return np.array([float(each == name) for each in FEATURES])


def _subsets() -> list[tuple[str, ...]]:
    """The keyword score with any vectors, and all vectors without it."""
    vectors = FEATURES[1:]
    chosen = [each for size in (1, 2, 3) for each in combinations(vectors, size)]
    return [*((KEYWORD, *each) for each in chosen), *(each for each in chosen if len(each) > 1)]


def _cross_validated(
    cases: Sequence[Case], groups: Sequence[int], names: Sequence[str], folds: int
) -> list[NDArray[np.float64]]:
    """Return for each query the weights that were fitted without its group."""
    found: list[NDArray[np.float64]] = [np.zeros(len(FEATURES))] * len(cases)
    for train, test in GroupKFold(folds, shuffle=True, random_state=0).split(cases, groups=groups):
        weights = _fit([cases[place] for place in train], names)
        for place in test:
            found[place] = weights
    return found


def _fit(cases: Sequence[Case], names: Sequence[str]) -> NDArray[np.float64]:
    """Return the weights of the features, in sum 1."""
    used = [FEATURES.index(name) for name in names]
    known = [case for case in cases if case.relevant.any()]

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        total, slope = RIDGE * float(weights @ weights), 2 * RIDGE * weights
        for case in known:
            values = case.features[:, used]
            shares = _softmax(values @ weights)
            hit = float(shares[case.relevant].sum())
            wanted = np.where(case.relevant, shares / hit, 0.0)
            total -= np.log(hit) / len(known)
            slope = slope + (shares - wanted) @ values / len(known)
        return total, slope

    start = np.full(len(used), 10.0)
    found = minimize(loss, start, jac=True, bounds=[(0, None)] * len(used), method="L-BFGS-B").x
    weights = np.zeros(len(FEATURES))
    weights[used] = found / found.sum()
    return weights


def _softmax(values: NDArray[np.float64]) -> NDArray[np.float64]:
    raised = np.exp(values - values.max())
    return np.asarray(raised / raised.sum())


def _scores(
    cases: Sequence[Case], weights: Sequence[NDArray[np.float64]], judged: JudgedQueries
) -> QueryScores:
    rankings = []
    for case, weight in zip(cases, weights, strict=True):
        total = (case.features @ weight).round(9)
        best: dict[str, float] = {}
        for place in np.argsort(-total, kind="stable"):
            best.setdefault(case.question_ids[place], float(total[place]))
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
    for found in differences(judged.queries, scores):
        if found["b"] == "question" and found["metric"] in ("nDCG@10", "R@10"):
            print(
                f"{found['a']} - {found['b']}, {found['kind']}, {found['metric']}: "
                f"{found['mean']:+.3f}, 95 % {_interval(found['ci95'])}"
            )


def _interval(ends: list[float] | None) -> str:
    return "none" if ends is None else f"{ends[0]:+.3f} to {ends[1]:+.3f}"


def _write(
    weights: dict[str, float],
    arguments: argparse.Namespace,
    judged: JudgedQueries,
    scores: QueryScores,
) -> None:
    reached = {
        kind: round(row["nDCG@10"]["mean"], 3)
        for kind, row in means(judged.queries, scores).items()
    }
    provenance = {
        "fitted_by": f"python -m bench.fusion_weights, {arguments.folds}-fold cross-validation by document",
        "on": f"{len(judged.queries)} queries: duplicate links of Stack Overflow [python]",
        "nDCG@10_in_cross_validation": reached,
        "date": datetime.now(UTC).date().isoformat(),
    }
    for name in ("corpus", "queries", "qrels"):
        path = getattr(arguments, name)
        provenance[name] = f"{path.name} {file_sha256(path)[:16]}"
    text = yaml.safe_dump({"weights": weights, "provenance": provenance}, sort_keys=False)
    head = "# What each feature weighs in `hybrid`, and where the numbers are from.\n"
    write_atomically(TARGET, head + text)


if __name__ == "__main__":
    main()
