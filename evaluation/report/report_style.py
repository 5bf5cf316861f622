"""The style of the report: the stylesheet that all pages share, then the rules that the report alone has."""

from importlib.resources import files

from graph.html import stylesheet


def report_style() -> str:
    """Return the rules of the page, as CSS."""
    own_rules = files("evaluation").joinpath("report", "report.css").read_text(encoding="utf-8")
    return stylesheet() + own_rules
