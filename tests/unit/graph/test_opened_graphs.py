"""The graphs of one process: models and indexes are opened once."""

import logging
from pathlib import Path

import pytest

from graph import opened_graphs
from graph.config import load_config, load_settings
from graph.models import Models
from graph.opened_graphs import OpenedGraphs, answering_config_names
from tests.fakes.fake_models import FakeModel

CORPUS, INDEX = Path("/posts.csv"), Path("/index")
PROFILE = load_settings("baseline", "embedded", []).profile


@pytest.fixture
def opened(monkeypatch):
    """Return the lists of what is opened: the seeds of models, and the kinds of retrievers."""
    seeds, retrievers = [], []

    def open_models(profile, *, seed):
        seeds.append(seed)
        return Models(FakeModel(), None, None)

    def open_retriever(retrieval, embedder, *, corpus, folder):
        retrievers.append((retrieval.kind, corpus, folder))
        return own_open_retriever(retrieval, embedder, corpus=corpus, folder=folder)

    own_open_retriever = opened_graphs.open_retriever
    monkeypatch.setattr(opened_graphs, "open_models", open_models)
    monkeypatch.setattr(opened_graphs, "open_retriever", open_retriever)
    return seeds, retrievers


def test_graphs_share_their_models_and_each_search_is_opened_once(opened, caplog):
    caplog.set_level(logging.INFO, "opencoder")
    seeds, retrievers = opened
    graphs = OpenedGraphs(corpus=CORPUS, index=INDEX, seed=7)
    for name in ("semantic", "semantic_cot", "keyword", "baseline", "semantic"):
        graphs.open(load_config(name), PROFILE)
    shared = graphs.retriever(load_config("keyword").retrieval, PROFILE.embedder)
    assert shared is graphs.retriever(load_config("keyword").retrieval, PROFILE.embedder)
    assert graphs.retriever(load_config("baseline").retrieval, PROFILE.embedder) is None
    assert seeds == [7]
    assert retrievers == [("semantic", CORPUS, INDEX), ("keyword", CORPUS, INDEX)]
    # The corpus is the same for all of them.
    assert [record.getMessage() for record in caplog.records] == [f"corpus: {CORPUS}"]


@pytest.mark.usefixtures("opened")
@pytest.mark.parametrize("opens_graph", [False, True])
def test_two_first_questions_at_the_same_time_open_no_part_twice(monkeypatch, opens_graph):
    graphs = OpenedGraphs(corpus=CORPUS)
    config, held = load_config("semantic"), []

    def recording(open_part):
        def open_and_record(*arguments, **options):
            held.append(graphs._lock.locked())
            return open_part(*arguments, **options)

        return open_and_record

    for name in ("open_models", "open_retriever"):
        monkeypatch.setattr(opened_graphs, name, recording(getattr(opened_graphs, name)))
    if opens_graph:
        graphs.open(config, PROFILE)
    else:
        graphs.retriever(config.retrieval, PROFILE.embedder)
    assert held == [True] * (1 + opens_graph)


def test_the_configs_that_can_be_asked_need_no_dataset():
    names = answering_config_names()
    assert {"baseline", "semantic", "keyword", "hybrid", "extract"} <= {*names}
    assert not {"oracle", "shuffled"} & {*names}
