"""The graph of each config, drawn on this machine and embedded in the page as an image."""

from base64 import b64encode
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from evaluation.report.run_figures import ReportedRun
from graph.support.errors import MissingExtraError
from graph.support.logger import log


class GraphPicture(NamedTuple):
    """A graph, and the runs that have it."""

    runs: str
    mermaid: str
    source: str | None
    """A data: address of the SVG; None where it could not be drawn."""


def graph_pictures(runs: Sequence[ReportedRun]) -> list[GraphPicture]:
    """Return each different graph once; without the drawing package as Mermaid text only."""
    from graph.drawing import draw

    run_names: dict[str, list[str]] = {}
    for run in runs:
        mermaid = draw(run.config, judged=run.recorded.identity.get("judge") is not None)
        run_names.setdefault(mermaid, []).append(f"{run.key} {run.name}")
    return [
        GraphPicture(", ".join(names), mermaid, _svg_address(mermaid))
        for mermaid, names in run_names.items()
    ]


@cache
def _svg_address(mermaid: str) -> str | None:
    from graph.drawing import to_svg

    try:
        svg = to_svg(mermaid)
    except MissingExtraError as error:
        log.info("the report shows the graph as text: %s", error)
        return None
    # Any error of the drawing package costs the picture, never the page.
    except Exception as error:
        log.warning("the graph could not be drawn (%s): the report shows its text", error)
        return None
    return "data:image/svg+xml;base64," + b64encode(svg.encode("utf-8")).decode("ascii")
