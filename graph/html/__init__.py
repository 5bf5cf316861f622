"""What HTML pages of this project share: answers as HTML, and one stylesheet."""

from importlib.resources import files


def stylesheet() -> str:
    """Return the shared stylesheet: colours, both schemes, fonts, answers and code."""
    return files("graph").joinpath("html", "style.css").read_text(encoding="utf-8")
