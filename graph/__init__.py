"""OpenCoder: answers to programming questions from retrieval and a small language model.

Start reading in `graph/build.py`.
"""

from graph.build import build_graph
from graph.config import load_config
from graph.drawing import draw
from graph.tracing import trace

__all__ = ["build_graph", "draw", "load_config", "trace"]
