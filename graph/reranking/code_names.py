"""Names and languages of code in a text: what a question asks about, and what an answer mentions."""

import re

_NAME = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*")
_ERROR = re.compile(r"\b[A-Z]\w*(?:Error|Exception|Warning)\b")
_MARKED = re.compile(r"_|\.|[a-z0-9][A-Z]")
"""What no ordinary word has: snake_case, a dotted name, camelCase."""
_SHORTEST = 3

_LANGUAGES: dict[str, re.Pattern[str]] = {
    language: re.compile(pattern, re.MULTILINE)
    for language, pattern in {
        "python": r"^[ \t]*(?:def \w{1,80}\([^\n]{0,200}\):|from [\w.]{1,80} import |import \w+$|>>> |elif "
        r"|print\(|class \w[^\n:]{0,200}:$)|\bself\.|\bNone\b",
        "javascript": r"\bfunction [\w ]{0,80}\(|\bfunction\(|=>|\b(?:const|let|var) \w{1,80} ?=|console\.log|===",
        "java": r"\bpublic (?:static |class |void )|System\.out|\bnew \w{1,80}(?:<\w{0,80}>)?\([^\n;]{0,200}\);",
        "c": r"#include ?[<\"]|\bstd::|\bint main ?\(|\bprintf\(",
        "shell": r"^[ \t]*(?:\$ |sudo |apt|pip3? install|export \w+=|#!/bin)|\| grep\b",
        "sql": r"(?i:\bselect\b[^;]{1,200}\bfrom\b|\binsert into\b|\bcreate table\b)",
        "html": r"</?(?:div|span|html|body|a|p|script|table|form|input)\b[^<>\n]{0,200}>",
    }.items()
}
"""Signs of each language in code. They are rough: a wrong guess costs a small weight. Every repetition is
bounded, since the code comes from posts and models."""


def languages(code: str) -> set[str]:
    """Return the languages whose signs a piece of code has."""
    return {language for language, pattern in _LANGUAGES.items() if pattern.search(code)}


def error_names(text: str) -> set[str]:
    """Return the names of errors, exceptions and warnings, such as KeyError."""
    return set(_ERROR.findall(text))


def identifiers(text: str, code: str) -> set[str]:
    """Return the names of code: all names in `code`, and in the text those that no ordinary word looks like."""
    names = {name for name in _NAME.findall(text) if _MARKED.search(name)}
    names.update(_NAME.findall(code))
    return {name.lower() for name in names if len(name) >= _SHORTEST}
