"""Edit similarity: how few characters to insert and delete between two texts."""

from evaluation.metrics.metric import Metric, scored_one_by_one


def edit_similarity(answer: str, reference: str) -> float:
    """Return the Levenshtein ratio: 2 * shared characters / characters of both texts.

    python-Levenshtein computes it where it is installed, else RapidFuzz: both give equal numbers.
    """
    try:
        from Levenshtein import ratio
    except ModuleNotFoundError:
        from rapidfuzz.distance.Indel import normalized_similarity as ratio

    return float(ratio(answer, reference))


EDIT_SIMILARITY = Metric("edit_similarity", "edit", scored_one_by_one(edit_similarity))
