"""The folds of cross-validation: each question belongs to one, by its text alone."""

from hashlib import sha256

FOLDS = 10


def fold_of(question: str) -> int:
    """Return the fold of a question: it is the same in every file."""
    return int(_sha256(question), 16) % FOLDS


def short_digest(question: str) -> str:
    """Return the digest that a fitted formula keeps of a question."""
    return _sha256(question)[:12]


def _sha256(text: str) -> str:
    # A lone surrogate has no UTF-8 form.
    return sha256(text.encode("utf-8", "replace")).hexdigest()
