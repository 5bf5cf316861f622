"""OpenCoder: answers to programming questions from retrieval and a small language model.

Start reading in `graph/build.py`.
"""

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
