"""Numbers in brackets in prose: citations such as `[1, 2]`, or the values of a list of Python."""

import re

_NUMBERS = re.compile(r"\[([\d\s,]+)\]")
_ANNOUNCED = re.compile(
    r"(?:=|\b(?:(?:inputs?|outputs?|results?)\s*:|(?:lists?|arrays?|tuples?|vectors?|sequences?|elements?|items?"
    r"|values?|numbers?|indices|indexes|rows?|columns?|shapes?|is|are|was|were|be|becomes?|equals?|gives?|gave"
    r"|returns?|returned|yields?|yielded|prints?|printed|produces?|produced|contains?|holds?|into)\s*:?))\s*\Z",
    re.IGNORECASE,
)
"""A word for a value, or a verb or a sign before one."""
BEFORE = 20
"""The characters before the brackets that `is_list_of_values` reads."""


def is_list_of_values(before: str, brackets: str) -> bool:
    """Tell whether brackets with several numbers are a list of values and no citation.

    They are one if a number stands twice, or if the word before them announces a value.

    Args:
        before: The text before the brackets.
        brackets: A number or more in one pair of brackets; other text is no list of values.
    """
    match = _NUMBERS.fullmatch(brackets)
    if match is None or "," not in brackets:
        return False
    numbers = [int(number) for number in match[1].split(",") if number.strip().isdecimal()]
    repeats = len(set(numbers)) < len(numbers)
    return repeats or _ANNOUNCED.search(before[-BEFORE:]) is not None
