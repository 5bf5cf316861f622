"""Edit similarity: how few characters to insert and delete between two texts."""

from evaluation.metrics.metric import Metric, scored_one_by_one


def edit_similarity(answer: str, reference: str) -> float:
    """Return the Levenshtein ratio: 2 * shared characters / characters of both texts."""
    from Levenshtein import ratio

    return float(ratio(answer, reference))


EDIT_SIMILARITY = Metric("edit_similarity", "edit", scored_one_by_one(edit_similarity))
