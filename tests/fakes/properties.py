"""What property tests share: the same examples on every machine, and text of every kind."""

from hypothesis import settings
from hypothesis import strategies as st


def examples(count: int) -> settings:
    """Check `count` examples, always the same ones."""
    return settings(derandomize=True, deadline=None, max_examples=count)


utf8_text = st.text()
any_text = st.text(st.characters(exclude_categories=()))
"""Lone surrogates too, as JSON can hold them."""
