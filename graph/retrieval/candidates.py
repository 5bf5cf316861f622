"""Posts of one query on their way through retrieval: nominated by parts, then ranked."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Candidates(NamedTuple):
    """Ranked posts of one query, best first; of equal scores the earlier row comes first."""

    rows: NDArray[np.int64]
    scores: NDArray[np.float64]


class Nominated(NamedTuple):
    """Posts that at least one part of an index nominated for a query, as every part scores them."""

    rows: NDArray[np.int64]
    features: dict[str, NDArray[np.float64]]
    """From the name of a part to its scores, one for each row (see `fusion.weights`)."""
