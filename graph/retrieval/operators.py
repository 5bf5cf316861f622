"""Operators of programming languages as terms: in code, and where a text names one alone."""

import re
from collections.abc import Iterator, Sequence

_WELL_KNOWN = """
    >>>= ??= &&= ||= **= //= <<= >>= >>> === !== <=> ... -> => <- :: := =~ ?? ?. ?: && || |> ++ -- **
    // << >> == != <> <= >= += -= *= /= %= &= |= ^= @= @ % & | ^ ~ $ # ! !! $? $! <:
"""
"""Operators that count anywhere in code, also as a part of a longer run of signs."""
_KNOWN = frozenset(_WELL_KNOWN.split())
_COMMON = frozenset(("[::]", "[:]", "[]", "{}", "()", *"*+-/\\<>=?:."))
"""Operators that most code has: they count only between spaces, and not inside fences."""
_IN_PROSE = (_KNOWN | _COMMON) - {"-"}
"""Operators that count between spaces in prose, though some are marks of punctuation."""
_JOINING = _KNOWN - {*"&#$!~", "++", "--", "...", "!!", "$?", "$!"}
"""Operators that count inside a word of prose, as in `a//b`; "C++11" and "R&D" are names."""

_MATHEMATICAL = "\u00ac\u00b1\u00d7\u00f7\u2190-\u22ff\u2336-\u237a\u27c0-\u27ff\u2900-\u2aff"
_CODE_SIGN = rf"[!#$%&*+\-./:<=>?@\\^|~{_MATHEMATICAL}]"
_RUN = re.compile(rf"\s?{_CODE_SIGN}+\s?")
# The two slashes of an address are no operator.
_PART = re.compile(rf"://|({'|'.join(map(re.escape, _WELL_KNOWN.split()))})")
_RULE = re.compile(r"([-*=~#+.])\1{2,}")
_ADDRESS_OR_RANGE = re.compile(r".?://.?|[-.:]+")
"""Signs between operands that are no operator, as in `http://$host`, `a[1:-1]` and `1..2`."""

_NAME = "%[a-z]{1,8}%"
_SPACED_NAME = re.compile(rf"(?<!\S){_NAME}(?!\S)")
_OPERATOR = re.compile(rf"(?!_+$)[!-/:-@\[-`{{-~{_MATHEMATICAL}]{{1,4}}|{_NAME}")
"""Up to four signs of ASCII, arrows and signs of mathematics, or a name such as R's `%in%`."""
_PUNCTUATION = re.compile(
    rf"{_RULE.pattern}|[-_.,;:!?'\"`()\[\]{{}}]+|[:;=]['^-]?[()/\\|*]+|\^_*\^",
)
"""Rules of Markdown, marks of sentences and emoticons."""
_OPERATION = re.compile(rf"(\w+)({_CODE_SIGN}{{1,4}})(\w+)\W*")
_NOUN = re.compile(r"(?:operator|symbol|sign|character)s?\b\W*", re.IGNORECASE)
_HYPHEN_BEFORE_NOUN = re.compile(rf"-(?={_NOUN.pattern})", re.IGNORECASE)

_SPAN_MARK = re.compile(r"`+")
_SENTENCE_MARKS = ".,;:!?"
_SENTENCE_END = re.compile(rf"[{_SENTENCE_MARKS}]|\.+|[!?]*([!?])\1")
"""The end of a sentence after a space, as in "Pourquoi ?" and "help ..."; `::` and `?:` are operators."""
_QUOTED = re.compile(r"""['"(\[\u2018\u201c](.+)['")\]\u2019\u201d]""")


def operators(prose: Sequence[str], code: Sequence[str]) -> list[str]:
    """Return the different operators of a text, in linear time.

    An operator is a run of at most four signs. In code it counts wherever it stands. In prose it
    counts between spaces, in quotation marks or brackets, or between two operands (`a//b`). Marks
    of punctuation count in prose only where they are quoted or called an operator or a sign.

    Args:
        prose: Lines of Markdown outside fences, without the marks of lists and headings.
        code: Lines inside fences.
    """
    terms = dict.fromkeys(_in_code("\n".join(code)))
    for line in filter(None, prose):
        terms |= dict.fromkeys(_in_line(line))
    return list(terms)


def _in_line(line: str) -> Iterator[str]:
    pieces = _SPAN_MARK.split(line)
    if len(pieces) % 2 == 0:  # The last mark opens no span.
        pieces[-2:] = [f"{pieces[-2]}`{pieces[-1]}"]
    # A sentence mark that follows a code span does not stand alone.
    prose = "x".join(pieces[::2])
    is_row_of_table = prose.startswith("| ") and prose.endswith("|")
    yield from _in_prose(prose.replace("|", " ") if is_row_of_table else prose)
    for span in map(str.strip, pieces[1::2]):
        if _OPERATOR.fullmatch(span):
            yield span
        else:
            yield from _in_code(span)
            yield from filter(_COMMON.__contains__, span.split())


def _in_code(code: str) -> Iterator[str]:
    """Yield the names between spaces, and each run of signs.

    Of a run that is not between spaces, yield the known operators in it too.
    """
    yield from _SPACED_NAME.findall(code)
    code = _SPACED_NAME.sub("", code)
    for run in dict.fromkeys(_RUN.findall(f"\n{code}\n")):
        signs = run.strip()
        if signs in _KNOWN:
            yield signs
        elif not _RULE.fullmatch(signs):
            is_alone = len(run) == len(signs) + 2
            is_operator = len(signs) <= 4 and signs not in _COMMON
            if is_operator and (is_alone or not _ADDRESS_OR_RANGE.fullmatch(signs)):
                yield signs
            if not is_alone:
                yield from filter(None, _PART.findall(signs))


def _in_prose(text: str) -> Iterator[str]:
    words = _HYPHEN_BEFORE_NOUN.sub(" ", text).split()
    if words and _SENTENCE_END.fullmatch(words[-1]) and not _ends_with_operator(words):
        words.pop()
    for before, word, after in zip(["", *words], words, [*words[1:], ""], strict=False):
        if not word[:-1].isalnum() and not word.isalnum():
            yield from _joining(word) if word[0].isalnum() else _alone(word, before, after)


def _ends_with_operator(words: list[str]) -> bool:
    """Tell whether a mark at the end is an operator, as in "C# operator ??".

    A single `?`, `!` or `.` ends the sentence, and so does a mark after "the << operator".
    """
    before, noun, mark = ["x", "x", *words][-3:]
    is_named = bool(_NOUN.fullmatch(noun)) and any(map(str.isalnum, before))
    return is_named and mark not in ("?", "!", ".")


def _joining(word: str) -> Iterator[str]:
    """Yield the operator of a word such as `a//b`; one of a single sign joins letters or numbers."""
    if operation := _OPERATION.fullmatch(word):
        left, signs, right = operation.groups()
        is_short = all(len(operand) == 1 or operand.isdigit() for operand in (left, right))
        if signs in _JOINING and (len(signs) > 1 or is_short):
            yield signs


def _alone(word: str, before: str, after: str) -> Iterator[str]:
    """Yield a word of signs, without quotation marks, brackets and the mark of a sentence after it."""
    is_named = bool(_NOUN.fullmatch(after))
    if not is_named and word not in _IN_PROSE:
        word = word.rstrip(_SENTENCE_MARKS) or word
        is_named = bool(_NOUN.fullmatch(before))
    if word not in _IN_PROSE:
        quoted = _QUOTED.fullmatch(word)
        word = quoted[1] if quoted else word.lstrip("(") or word
        is_named = is_named or bool(quoted)
    is_operator = is_named or word in _IN_PROSE or not _PUNCTUATION.fullmatch(word)
    if is_operator and _OPERATOR.fullmatch(word):
        yield word
