"""The steps of a config as a line of text, and as a picture (SVG) in which the page lights the one that runs."""

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from markupsafe import Markup

from graph.drawing import structure
from graph.schema import Config

_CHAR_WIDTH = 7.1
"""Pixels of a character of the label, at most."""
_PADDING = 14
_GAP = 30
_HEIGHT = 32
_ROW = 30
"""The height of the room for edges that skip nodes, above them, and for those that go back, below."""
_EDGE = 2
"""The room without such edges."""
_ENDS = {"__start__": "question", "__end__": "answer"}


class _Box(NamedTuple):
    name: str
    label: str
    left: float
    width: float

    @property
    def middle(self) -> float:
        return self.left + self.width / 2

    @property
    def right(self) -> float:
        return self.left + self.width


@cache
def flow_picture(config: Config) -> Markup:
    """Return the picture: each node is a group of class `node` with its name as `data-node`."""
    graph = structure(config)
    boxes = list(_boxes(list(graph.nodes)))
    numbers = {box.name: number for number, box in enumerate(boxes)}
    pairs = [(numbers[edge.source], numbers[edge.target]) for edge in graph.edges]
    top = _ROW if any(target - source > 1 for source, target in pairs) else _EDGE
    bottom = _ROW if any(target < source for source, target in pairs) else _EDGE
    edges = [_edge(boxes, source, target, top) for source, target in pairs]
    groups = [_node(box, top) for box in boxes]
    width, height = round(boxes[-1].right) + 2, top + _HEIGHT + bottom
    names = ", ".join(box.label for box in boxes)
    return Markup(
        '<svg class="flow" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        'aria-label="The steps of this config: {names}">{edges}{groups}</svg>'
    ).format(
        width=width,
        height=height,
        names=names,
        edges=Markup("").join(edges),
        groups=Markup("").join(groups),
    )


def flow_text(config: Config) -> str:
    """Return the steps as one line, with the kind of retrieval, and chain of thought where notes come first."""
    details = {
        "retrieve": f" ({config.retrieval.kind})",
        "generate": " (chain of thought)" if config.generation.cot else "",
    }
    steps = [name for name in structure(config).nodes if name not in _ENDS]
    return " \u2192 ".join(name + details.get(name, "") for name in steps)


def _boxes(names: list[str]) -> Iterator[_Box]:
    left = 1.0
    for name in names:
        label = _ENDS.get(name, name)
        width = round(len(label) * _CHAR_WIDTH + 2 * _PADDING)
        yield _Box(name, label, left, width)
        left += width + _GAP


def _node(box: _Box, top: float) -> Markup:
    kind = "end" if box.name in _ENDS else "step"
    return Markup(
        '<g class="node {kind}" data-node="{name}"><rect x="{x}" y="{y}" width="{width}" '
        'height="{height}" rx="{radius}"/><text x="{middle}" y="{base}">{label}</text></g>'
    ).format(
        kind=kind,
        name=box.name,
        x=box.left,
        y=top,
        width=box.width,
        height=_HEIGHT,
        radius=_HEIGHT / 2 if kind == "end" else 7,
        middle=box.middle,
        base=top + _HEIGHT / 2 + 4,
        label=box.label,
    )


def _edge(boxes: list[_Box], start: int, stop: int, top: float) -> Markup:
    """Return an arrow: straight to the next node, else in a bow above, and below if it goes back.

    Args:
        boxes: All nodes.
        start: The number of the node where the arrow begins.
        stop: The number of the node that it leads to.
        top: The top of the nodes.
    """
    source, target = boxes[start], boxes[stop]
    center = top + _HEIGHT / 2
    if stop - start == 1:
        end = target.left - 1
        path = f"M{source.right} {center} H{end - 6}"
        head = f"M{end - 8} {center - 4.5} L{end} {center} L{end - 8} {center + 4.5} Z"
    else:
        is_back = stop < start
        edge = top + _HEIGHT if is_back else top
        bow = edge + (_ROW - 8) * (1 if is_back else -1)
        tip = edge + (1 if is_back else -1)
        tail = 8 if is_back else -8
        path = f"M{source.middle} {edge} V{bow} H{target.middle} V{tip + tail * 0.7}"
        left, right = target.middle - 4.5, target.middle + 4.5
        head = f"M{left} {tip + tail} L{target.middle} {tip} L{right} {tip + tail} Z"
    return Markup('<path class="edge" d="{}"/><path class="head" d="{}"/>').format(path, head)
