"""Edit similarity: how few characters to insert and delete between two texts."""

from evaluation.metrics.metric import Metric, scored_one_by_one


def edit_similarity(answer: str, reference: str) -> float:
    """Return the Levenshtein ratio: 2 * shared characters / characters of both texts.

    python-Levenshtein computes it where it is installed, else RapidFuzz, with equal numbers.
    """
    try:
        import Levenshtein
    except ModuleNotFoundError:
        from rapidfuzz.distance import Indel

        return Indel.normalized_similarity(answer, reference)
    return Levenshtein.ratio(answer, reference)


EDIT_SIMILARITY = Metric("edit_similarity", "edit", scored_one_by_one(edit_similarity))
