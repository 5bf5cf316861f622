"""Settings and texts of property tests; the examples are the same on every machine."""

from hypothesis import settings
from hypothesis import strategies as st


def examples(count: int) -> settings:
    """Return settings that check `count` examples, the same ones in every run."""
    return settings(derandomize=True, deadline=None, max_examples=count)


utf8_text = st.text()
any_text = st.text(st.characters(exclude_categories=()))
"""Texts that can hold lone surrogates, as JSON can."""
