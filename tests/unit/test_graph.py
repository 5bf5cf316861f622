"""The wiring: which nodes run, in which order, and what reaches them."""

import graph
from graph import build_graph, load_config, trace
from graph.build import judged_graph
from tests.fakes import FakeModel, FakeRetriever, documents


def test_public_names_are_sorted():
    assert graph.__all__ == sorted(graph.__all__)
    assert all(hasattr(graph, name) for name in graph.__all__)


def test_semantic_runs_its_stages_in_order():
    model = FakeModel(["a draft", "1. wrong\n2. short", "a better answer"])
    built = build_graph("semantic", model=model, retriever=FakeRetriever(documents=documents("x")))
    steps = list(trace(built, "why?"))
    assert [step["node"] for step in steps] == ["retrieve", "generate", "critique", "refine"]
    assert steps[-1]["answer"] == "a better answer"
