r"""Regular expressions of criteria, read as Python's `re` reads them, with a limit of time.

A pattern such as `(a+)+$` can take `re` for ever. The package `regex` stops after a time, but reads a
few patterns in another way; those are put into its notation, or refused.
"""

import re
import warnings

import regex

from dataset.criteria.not_scorable import NotScorable

SECONDS = 2.0
"""The time that one pattern may take on one answer; usual ones take microseconds."""
_MAX_CHARACTERS = 4_000
_LITERAL_BRACE = re.compile(r"(\\.)|\{(?!(?:[0-9]+(?:,[0-9]*)?|,[0-9]*)\})", re.DOTALL)
"""An escaped character, or a brace that begins no repetition: `regex` reads `a{e}` as "about a"."""
_POSIX_CLASS = re.compile(r"\[:\^?[a-z]+:\]", re.IGNORECASE)


class Pattern:
    """A regular expression that cannot run for ever."""

    def __init__(self, text: str) -> None:
        """Compile the pattern.

        Raises:
            NotScorable: it is no regular expression of Python, or too long.
        """
        if len(text) > _MAX_CHARACTERS:
            raise NotScorable("a regular expression is too long")
        if _POSIX_CLASS.search(text):
            raise NotScorable("a regular expression has a class such as [:alpha:]")
        try:
            with warnings.catch_warnings():
                # Both packages warn of brackets in brackets, which they read alike today.
                warnings.simplefilter("ignore")
                re.compile(text)
                self._pattern = regex.compile(_LITERAL_BRACE.sub(_escaped, text))
        except (re.error, regex.error, RecursionError, OverflowError, ValueError):
            raise NotScorable("a regular expression cannot be read") from None

    def is_in(self, text: str) -> bool:
        """Tell whether a part of a text matches.

        Raises:
            NotScorable: the pattern takes too long.
        """
        return self._matches(text, whole=False)

    def is_all_of(self, text: str) -> bool:
        """Tell whether a whole text matches.

        Raises:
            NotScorable: the pattern takes too long.
        """
        return self._matches(text, whole=True)

    def _matches(self, text: str, *, whole: bool) -> bool:
        match = self._pattern.fullmatch if whole else self._pattern.search
        try:
            return match(text, timeout=SECONDS) is not None
        except TimeoutError:
            raise NotScorable("a regular expression takes too long") from None


def _escaped(match: re.Match[str]) -> str:
    return match[1] or r"\{"
