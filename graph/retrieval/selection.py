"""From scored posts to the few that are returned: bonuses, repeats, diversity."""

from collections import Counter
from collections.abc import Sequence
from math import log

import numpy as np
from numpy.typing import NDArray

from graph.retrieval import fingerprints
from graph.retrieval.documents import Post
from graph.retrieval.posts import Posts
from graph.retrieval.query import Query
from graph.retrieval.searching import Candidates
from graph.retrieval.terms import tokenize
from graph.schema import Retrieval

_VOTES = 100
"""Votes from which on an answer gets the whole bonus."""


def has_bonus(retrieval: Retrieval) -> bool:
    """Whether anything is added to the scores."""
    return max(retrieval.tag_bonus, retrieval.score_bonus, retrieval.accepted_bonus) > 0


def with_bonuses(
    found: Candidates, question: Query, posts: Posts, retrieval: Retrieval
) -> Candidates:
    """Add the bonuses of a config, and order anew."""
    if not has_bonus(retrieval) or not len(found.rows):
        return found
    # Keyword scores have no upper end: the bonus is measured against a best score of 1.
    scores = found.scores / max(1.0, float(found.scores[0]))
    named = set(tokenize(question.text))
    scores = scores + [bonus(posts.read(int(row)), named, retrieval) for row in found.rows]
    order = np.lexsort((found.rows, -scores))
    return Candidates(found.rows[order], scores[order])


def bonus(post: Post, named: set[str], retrieval: Retrieval) -> float:
    """Return what a post gets for its tags, votes and acceptance."""
    return (
        retrieval.tag_bonus * tag_share(post, named)
        + retrieval.score_bonus * vote_share(post)
        + retrieval.accepted_bonus * post.accepted
    )


def tag_share(post: Post, named: set[str]) -> float:
    """Return the share of a post's tags, in [0, 1], that a question names as whole terms."""
    found = [bool(parts) and parts <= named for parts in (set(tokenize(t)) for t in post.tags)]
    return sum(found) / len(found) if found else 0.0


def vote_share(post: Post) -> float:
    """Return log(1 + votes) / log(101), in [0, 1]; unknown and negative votes give 0."""
    try:
        votes = float(post.answer_score or 0)
    except ValueError:
        return 0.0
    return min(1.0, log(1 + votes) / log(1 + _VOTES)) if votes > 0 else 0.0


def without_repeats(
    found: Candidates,
    question_ids: Sequence[str],
    prints: NDArray[np.uint64],
    retrieval: Retrieval,
    depth: int,
) -> Candidates:
    """Return the best `depth` posts, few of one question and none nearly the same as a better one."""
    taken: list[int] = []
    per_question: Counter[str] = Counter()
    for place, row in enumerate(found.rows):
        if len(taken) == depth:
            break
        name = question_ids[row]
        if per_question[name] >= retrieval.answers_per_question:
            continue
        better = prints[found.rows[taken]]
        if retrieval.drop_near_duplicates and fingerprints.near(prints[row], better).any():
            continue
        per_question[name] += 1
        taken.append(place)
    places = np.array(taken, dtype=np.int64)
    return Candidates(found.rows[places], found.scores[places])


def diverse(
    found: Candidates, vectors: NDArray[np.float32], diversity: float, depth: int
) -> Candidates:
    """Return `depth` posts by maximal marginal relevance (Carbonell and Goldstein 1998).

    A post's relevance is its score, whatever gave it; how alike two posts are is the cosine of
    their vectors, shape [posts, dimension].
    """
    relevance = (1 - diversity) * found.scores
    alike = diversity * (vectors.astype(np.float64) @ vectors.T)
    gain, nearest = relevance.copy(), np.full(len(relevance), -np.inf)
    taken: list[int] = []
    while len(taken) < min(depth, len(relevance)):
        taken.append(int(gain.argmax()))
        nearest = np.maximum(nearest, alike[taken[-1]])
        gain = relevance - nearest
        gain[taken] = -np.inf
    places = np.array(taken, dtype=np.int64)
    return Candidates(found.rows[places], found.scores[places])
