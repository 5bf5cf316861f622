"""Posts of one query on their way through retrieval: nominated by parts, then ranked."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Nominated(NamedTuple):
    """Posts that at least one part of an index nominated for a query, as every part scores them."""

    rows: NDArray[np.int64]
    """In rising order, without repeats."""
    features: dict[str, NDArray[np.float64]]
    """From the name of a part to its scores, one for each row (see `fusion.weights`)."""


class Candidates(NamedTuple):
    """Ranked posts of one query, best first; of equal scores the earlier row comes first."""

    rows: NDArray[np.int64]
    scores: NDArray[np.float64]
    nominated: Nominated
    """The posts that these were selected from."""

    def at(self, positions: NDArray[np.int64]) -> "Candidates":
        """Return the candidates at some positions, in their order."""
        return self._replace(rows=self.rows[positions], scores=self.scores[positions])

    def part_scores(self) -> list[dict[str, float]]:
        """Return the score of each candidate by each part of the index."""
        positions = np.searchsorted(self.nominated.rows, self.rows)
        return [
            {name: float(scores[position]) for name, scores in self.nominated.features.items()}
            for position in positions
        ]
