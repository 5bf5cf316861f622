"""Seeds of sampling: they follow from the run's seed and the prompts, wherever those come in a run."""

from collections import Counter
from collections.abc import Sequence
from hashlib import sha256


def batch_seed(seed: int, texts: Sequence[str]) -> int:
    """Compute the seed of a batch, in 0..2**56-1, from the run's seed and the batch's prompts."""
    digest = sha256(str(seed).encode())
    for text in texts:
        digest.update(b"\0" + text.encode())
    return int.from_bytes(digest.digest()[:7], "big")


def request_seed(seed: int, text: str, number: int) -> int:
    """Compute the seed of a request, in 0..2**31-1, from the run's seed, its prompt and its number."""
    digest = sha256(f"{seed}\0{number}\0{text}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


def numbers(texts: Sequence[str]) -> list[int]:
    """Return for each prompt the number of equal prompts before it, so that drafts differ."""
    counts: Counter[str] = Counter()
    positions = []
    for text in texts:
        positions.append(counts[text])
        counts[text] += 1
    return positions
