"""The graph for `langgraph dev` (see langgraph.json), built when the server asks for it."""

from graph.build import AnsweringGraph, build_graph


def make_graph() -> AnsweringGraph:
    """Return the default graph; its weights load at the first question."""
    return build_graph()
