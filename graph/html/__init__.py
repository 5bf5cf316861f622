"""What HTML pages of this project share: answers as HTML, one stylesheet, and the words and elements of steps."""

from importlib.resources import files

_SCRIPTS = ("step_words.js", "step_elements.js")
"""Each needs those before it."""


def stylesheet() -> str:
    """Return the shared stylesheet: colours, both schemes, fonts, answers and code."""
    return _text("style.css")


def shared_scripts() -> dict[str, str]:
    """Return the shared scripts by file name, in the order in which they run; they are not modules."""
    return {name: _text(name) for name in _SCRIPTS}


def _text(name: str) -> str:
    return files("graph").joinpath("html", name).read_text(encoding="utf-8")
