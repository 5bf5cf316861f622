"""The selection of retrieved posts among ranked candidates: bonuses, repeats, diversity."""

from collections import Counter
from collections.abc import Sequence
from math import log

import numpy as np
from numpy.typing import NDArray

from graph.retrieval import fingerprints
from graph.retrieval.candidates import Candidates
from graph.retrieval.posts import Post, StoredPosts
from graph.retrieval.query import Query
from graph.retrieval.terms import tokenize
from graph.schema import Retrieval

_FULL_BONUS_VOTES = 100


def has_bonus(retrieval: Retrieval) -> bool:
    """Tell whether a config adds anything to the scores."""
    return max(retrieval.tag_bonus, retrieval.score_bonus, retrieval.accepted_bonus) > 0


def with_bonuses(
    candidates: Candidates, query: Query, posts: StoredPosts, retrieval: Retrieval
) -> Candidates:
    """Add the bonuses of a config to the scores, and rank anew."""
    if not has_bonus(retrieval) or not len(candidates.rows):
        return candidates
    # Keyword scores have no upper bound: divided by the best, they are comparable with a bonus.
    scores = candidates.scores / max(1.0, float(candidates.scores[0]))
    query_terms = set(tokenize(query.text))
    scores = scores + [
        bonus(posts.read(int(row)), query_terms, retrieval) for row in candidates.rows
    ]
    return candidates._replace(scores=scores).at(np.lexsort((candidates.rows, -scores)))


def bonus(post: Post, query_terms: set[str], retrieval: Retrieval) -> float:
    """Return the bonus of a post for its tags, votes and acceptance."""
    return (
        retrieval.tag_bonus * tag_share(post, query_terms)
        + retrieval.score_bonus * vote_share(post)
        + retrieval.accepted_bonus * post.accepted
    )


def tag_share(post: Post, query_terms: set[str]) -> float:
    """Return the share of a post's tags, in [0, 1], all of whose terms the query has."""
    is_named = [
        bool(tag_terms) and tag_terms <= query_terms
        for tag_terms in (set(tokenize(tag)) for tag in post.tags)
    ]
    return sum(is_named) / len(is_named) if is_named else 0.0


def vote_share(post: Post) -> float:
    """Return log(1 + votes) / log(101), in [0, 1]; 0 for unknown and negative votes."""
    try:
        votes = float(post.answer_score or 0)
    except ValueError:
        return 0.0
    return min(1.0, log(1 + votes) / log(1 + _FULL_BONUS_VOTES)) if votes > 0 else 0.0


def without_repeats(
    candidates: Candidates,
    question_ids: Sequence[str],
    prints: NDArray[np.uint64],
    retrieval: Retrieval,
    depth: int,
) -> Candidates:
    """Return at most `depth` candidates, best first, without repeats.

    A repeat has the question of `answers_per_question` better candidates, or is a near-duplicate of
    a better one.
    """
    positions: list[int] = []
    per_question: Counter[str] = Counter()
    for position, row in enumerate(candidates.rows):
        if len(positions) == depth:
            break
        question_id = question_ids[row]
        if per_question[question_id] >= retrieval.answers_per_question:
            continue
        better = prints[candidates.rows[positions]]
        if retrieval.drop_near_duplicates and fingerprints.near(prints[row], better).any():
            continue
        per_question[question_id] += 1
        positions.append(position)
    return _at(candidates, positions)


def diverse(
    candidates: Candidates, vectors: NDArray[np.float32], diversity: float, depth: int
) -> Candidates:
    """Return at most `depth` candidates by maximal marginal relevance (Carbonell and Goldstein 1998).

    The relevance of a post is its score, of whatever origin; the similarity of two posts is the
    cosine of their vectors, shape (candidates, dimension).
    """
    relevance = (1 - diversity) * candidates.scores
    similarity = diversity * (vectors.astype(np.float64) @ vectors.T)
    gain, nearest = relevance.copy(), np.full(len(relevance), -np.inf)
    positions: list[int] = []
    while len(positions) < min(depth, len(relevance)):
        positions.append(int(gain.argmax()))
        nearest = np.maximum(nearest, similarity[positions[-1]])
        gain = relevance - nearest
        gain[positions] = -np.inf
    return _at(candidates, positions)


def _at(candidates: Candidates, positions: list[int]) -> Candidates:
    # An empty list alone would become an array of floats, which is no index.
    return candidates.at(np.array(positions, dtype=np.int64))
