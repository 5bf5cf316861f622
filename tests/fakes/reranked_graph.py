"""A graph that reranks, over two fake passages: one with every kind of model call."""

from graph.build import answering_graph
from graph.config import load_settings
from nodes.state import State
from tests.fakes.fake_models import FakeRetriever, documents

CONFIG = "semantic_cot_rerank_initial"
SHORT = ["generation.max_new_tokens=8", "rerank.drafts=2", "rerank.temperature=0.9"]


def graph_of(model, overrides=SHORT):
    """Build the graph; the model also compares drafts."""
    settings = load_settings(CONFIG, "embedded", overrides)
    retriever = FakeRetriever(documents=documents("one", "two"))
    return answering_graph(
        settings.config, model=model, chooser=model, retriever=retriever, output=State
    )
