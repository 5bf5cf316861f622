"""The node consensus: the candidate that is most similar to the other ones is the answer.

It reranks without a model.
"""

from time import perf_counter

from nodes.choice import all_candidates, choice_update, index_of_highest
from nodes.state import RerankUpdate, State
from nodes.word_overlap import agreement


def consensus(state: State, *, node: str) -> RerankUpdate:
    """Choose the candidate with the highest mean similarity to the other ones.

    Minimum Bayes risk over the samples (Kumar and Byrne 2004; Bertsch et al. 2023,
    arXiv:2310.01387), with the F-score of shared words as the gain. A tie goes to the earlier
    candidate.
    """
    start = perf_counter()
    candidates = all_candidates(state)
    agreements = agreement([draft["text"] for draft in candidates])
    chosen = index_of_highest(agreements)
    return choice_update(
        {"node": node, "seconds": perf_counter() - start, "agreements": agreements},
        candidates,
        chosen,
    )
