"""Texts and numbers of cases of property tests; the cases are the same on every machine."""

import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

ALL_TESTS = "OPENCODER_ALL_TESTS" in os.environ
"""Whether tests of very many cases run all of them, as in `make faults`, or a share."""


def examples(count: int) -> settings:
    """Return settings that check `count` examples, the same ones in every run.

    Without `ALL_TESTS` they check a third of the examples, but not fewer than 50.
    """
    share = min(count, max(50, count // 3))
    return settings(
        derandomize=True,
        deadline=None,
        max_examples=count if ALL_TESTS else share,
        # A busy machine draws inputs slowly too.
        suppress_health_check=[HealthCheck.too_slow],
    )


utf8_text = st.text()
any_text = st.text(st.characters(exclude_categories=()))
"""Texts that can hold lone surrogates, as JSON can."""
