"""OpenCoder: answers to programming questions from retrieval and a small language model.

Start reading in `graph/build.py`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graph.build import build_graph
    from graph.components import open_bm25, open_embeddings, open_llm_cache, open_vector_store
    from graph.config import load_config
    from graph.drawing import draw
    from graph.tracing import trace

__all__ = [
    "build_graph",
    "draw",
    "load_config",
    "open_bm25",
    "open_embeddings",
    "open_llm_cache",
    "open_vector_store",
    "trace",
]

_MODULES = {
    "build_graph": "graph.build",
    "draw": "graph.drawing",
    "load_config": "graph.config",
    "open_bm25": "graph.components",
    "open_embeddings": "graph.components",
    "open_llm_cache": "graph.components",
    "open_vector_store": "graph.components",
    "trace": "graph.tracing",
}


def __getattr__(name: str) -> Any:
    """Import a name of this package at its first use: `opencoder --help` needs none of them."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
