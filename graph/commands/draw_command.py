"""Print a graph as Mermaid text, or draw it."""

import argparse

from graph.config import config_names
from graph.drawing import draw, to_png, to_svg
from graph.support.arguments import output_file
from graph.support.storage import write_bytes_atomically
from graph.support.terminal import print_document


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("config", metavar="NAME", help="one of: " + ", ".join(config_names()))
    parser.add_argument("--svg", type=output_file, metavar="FILE", help="write an SVG picture")
    parser.add_argument("--png", type=output_file, metavar="FILE", help="write a PNG picture")
    parser.add_argument(
        "--direction", choices=["LR", "TD"], default="LR", help="left to right, or top down"
    )
    parser.add_argument("--no-judge", action="store_true", help="leave out the judge")


def run(arguments: argparse.Namespace) -> int:
    """Print the graph, or write its pictures."""
    mermaid = draw(arguments.config, judged=not arguments.no_judge, direction=arguments.direction)
    if not (arguments.svg or arguments.png):
        print_document(mermaid)
        return 0
    svg = to_svg(mermaid)
    if arguments.svg:
        write_bytes_atomically(arguments.svg, svg.encode())
    if arguments.png:
        width = 1400 if arguments.direction == "LR" else 640
        write_bytes_atomically(arguments.png, to_png(svg, width=width))
    return 0
