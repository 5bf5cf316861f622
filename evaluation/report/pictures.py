"""The graph of each config, drawn on this machine and carried in the page as an image."""

from base64 import b64encode
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from evaluation.report.figures import Reported
from graph.support.errors import MissingExtraError
from graph.support.terminal import log


class Picture(NamedTuple):
    """A graph, and which runs it is of."""

    runs: str
    mermaid: str
    source: str | None
    """A data: address of the SVG; None where it could not be drawn."""


def pictures_of(runs: Sequence[Reported]) -> list[Picture]:
    """Return each graph once; without the drawing package as Mermaid text alone."""
    from graph.drawing import draw

    named: dict[str, list[str]] = {}
    for each in runs:
        text = draw(each.config, judged=each.run.identity.get("judge") is not None)
        named.setdefault(text, []).append(f"{each.key} {each.name}")
    return [Picture(", ".join(names), text, _source(text)) for text, names in named.items()]


@cache
def _source(mermaid: str) -> str | None:
    from graph.drawing import to_svg

    try:
        drawn = to_svg(mermaid)
    except MissingExtraError as error:
        log.info("the report shows the graph as text: %s", error)
        return None
    except Exception as error:  # a drawing is not worth the page
        log.warning("the graph could not be drawn (%s): the report shows its text", error)
        return None
    return "data:image/svg+xml;base64," + b64encode(drawn.encode("utf-8")).decode("ascii")
