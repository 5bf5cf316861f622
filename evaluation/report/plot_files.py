"""Plots of the report as SVG files of their own, for notebooks and documents."""

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from evaluation.analysis.comparison import named_runs
from evaluation.report.plots import mean_panels
from evaluation.report.report_style import report_style
from evaluation.report.run_figures import figures_of, read_with_scores
from graph.support.errors import ConfigError
from graph.support.text import one_line

_NAME_CHARS = 60
_VARIABLE = re.compile(r"(--[\w-]+): ([^;]+);")
_TEXT = re.compile("<text .*?</text>")
_TEXT_EDGE = re.compile(r"paint-order: stroke; ([^}]*)")
_USE = re.compile(r"var\((--[\w-]+)\)")


def mean_plot(folders: Sequence[Path | str], metric: str) -> str:
    """Return a plot of the mean of each run with its interval, as the text of an SVG file.

    `graph.drawing.to_png` turns it into a PNG.

    Args:
        folders: The folders of the runs; the first control among them is the dashed line.
        metric: The name of a metric, as in the tables.

    Raises:
        ConfigError: The runs have no such metric, or a run is named twice.
        DatasetError: A folder is no run, is damaged, or holds no finished question.
    """
    runs = named_runs([read_with_scores(Path(folder)).run for folder in folders])
    panels = {panel.metric: panel for panel in mean_panels(figures_of(runs))}
    if metric not in panels:
        name = one_line(metric, _NAME_CHARS)
        raise ConfigError(f"the runs have no metric {name!r}; known: {', '.join(panels)}")
    svg = panels[metric].svg
    # A plain text: Markup would escape what is added to it.
    return "" if svg is None else _with_style(str(svg))


def _with_style(svg: str) -> str:
    """Return an SVG of the page with the page's own style in it, so that it needs no page."""
    opening, end, rest = svg.partition(">")
    rest = _TEXT.sub(lambda text: f'<g class="edge">{text[0]}</g>{text[0]}', rest)
    namespace = opening.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)
    background = '<rect width="100%" height="100%" fill="#ffffff"/>'
    return f"{namespace}{end}<style>{_style()}</style>{background}{rest}"


@cache
def _style() -> str:
    """Return the rules of the page for plots, in its light colours: not every program knows variables."""
    css = report_style()
    colours = dict(_VARIABLE.findall(css.partition("}")[0]))
    rules = " ".join(line for line in css.splitlines() if line.startswith("svg "))
    rules = _USE.sub(lambda use: colours[use[1]], rules)
    # The pale edge of a text is a text of its own below it: not every program knows paint-order.
    rules = _TEXT_EDGE.sub(r"} svg .edge text { \1", rules)
    return rules.replace("font-family: inherit", "font-family: sans-serif")
