"""The graphs of `langgraph dev`: the context of a run, and what all runs of a process share."""

import asyncio
import json
from threading import Barrier, Thread, get_ident

import pytest

from graph import opened_graphs, studio
from graph.build import answering_graph
from graph.config import config_names, load_config, load_profile, profile_names
from graph.models import Models
from graph.models.lockstep import Lockstep
from graph.opened_graphs import OpenedGraphs
from tests.fakes.fake_models import FakeModel, FakeRetriever, LengthScorer, documents
from tests.fakes.project_files import ROOT

CONFIGS = [name for name in config_names() if name not in ("oracle", "shuffled")]


class Opened:
    """Counts what is opened in place of models and indexes."""

    def __init__(self, monkeypatch) -> None:
        self.profiles, self.retrievals, self.threads = [], [], set()
        self.model = FakeModel(["a draft", "No problems."] * 20)
        monkeypatch.setattr(studio, "_graphs", OpenedGraphs())
        monkeypatch.setattr(opened_graphs, "open_models", self.open_models)
        monkeypatch.setattr(opened_graphs, "open_retriever", self.open_retriever)

    def open_models(self, profile, *, seed):
        self.profiles.append(profile)
        self.threads.add(get_ident())
        return Models(self.model, self.model, Lockstep())

    def open_retriever(self, retrieval, embedder, *, corpus, folder):
        self.retrievals.append(retrieval)
        return FakeRetriever(documents=documents("a passage"))


@pytest.fixture
def opened(monkeypatch):
    return Opened(monkeypatch)


def build(graph=studio.opencoder, **context):
    return asyncio.run(graph({"configurable": {"profile": "embedded", **context}}))


def test_the_context_is_a_choice_among_all_configs_and_profiles(opened):
    schema = build().get_context_jsonschema()
    assert schema["properties"]["config"]["enum"] == CONFIGS
    assert schema["properties"]["config"]["default"] == "semantic_cot"
    assert schema["properties"]["profile"]["enum"] == profile_names()
    assert schema["properties"]["profile"]["default"] == "auto"
    assert build(studio.opencoder_chat).get_context_jsonschema() == schema


@pytest.mark.parametrize("name", CONFIGS)
def test_every_config_of_the_choice_is_built(name, opened):
    parts = {"model": opened.model, "chooser": opened.model, "retriever": FakeRetriever()}
    expected = answering_graph(load_config(name), **parts, scorer=LengthScorer())
    assert set(build(config=name).nodes) == set(expected.nodes)
    kind = load_config(name).retrieval.kind
    assert [retrieval.kind for retrieval in opened.retrievals] == ([] if kind == "none" else [kind])


def test_without_a_choice_the_defaults_run(opened, monkeypatch):
    names = []
    for reader in (load_config, load_profile):
        monkeypatch.setattr(studio, reader.__name__, recorded(reader, names))
    asyncio.run(studio.opencoder({}))
    assert names == ["semantic_cot", "auto"]


def recorded(reader, names):
    """Return a reader that adds each name to a list."""

    def read(name):
        names.append(name)
        return reader(name)

    return read


@pytest.mark.parametrize(
    ("context", "message"),
    [
        ({"config": "semantc"}, "unknown config 'semantc'; did you mean semantic?"),
        ({"config": ""}, "unknown config ''"),
        ({"config": "../../etc/passwd"}, "unknown config"),
        ({"config": "own.yaml"}, "unknown config"),
        ({"config": 4}, "context: config must be a name, not 4"),
        ({"config": None}, "context: config must be a name, not None"),
        ({"config": ["semantic"]}, "context: config must be a name"),
        ({"config": "oracle"}, "needs the questions of a dataset: use eval.py"),
        ({"config": "shuffled"}, "needs the questions of a dataset: use eval.py"),
        ({"profile": "gpo"}, "unknown profile 'gpo'; did you mean gpu?"),
        ({"profile": {}}, "context: profile must be a name"),
        ({"profile": "own.yaml"}, "unknown profile"),
    ],
)
@pytest.mark.parametrize("graph", [studio.opencoder, studio.opencoder_chat])
def test_a_wrong_choice_is_one_clear_line(graph, context, message):
    # The server answers a ValueError with its message, and hides that of other errors.
    with pytest.raises(ValueError, match=r".") as error:
        build(graph, **context)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_all_runs_of_a_process_share_their_models_and_indexes(opened):
    for config in ("semantic", "semantic_cot", "semantic_rerank_initial", "keyword", "baseline"):
        for graph in (studio.opencoder, studio.opencoder_chat):
            build(graph, config=config)
    assert len(opened.profiles) == 1
    assert [retrieval.kind for retrieval in opened.retrievals] == ["semantic", "keyword"]
    build(profile="gpu", config="keyword")
    assert len(opened.profiles) == 2


def test_runs_that_start_at_the_same_time_open_their_models_once(opened):
    count, graphs = 8, []
    barrier = Barrier(count)

    def start():
        barrier.wait()
        graphs.append(build(config="semantic"))

    threads = [Thread(target=start) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(graphs) == count
    assert (len(opened.profiles), len(opened.retrievals)) == (1, 1)


def test_nothing_is_opened_in_the_thread_of_the_event_loop(opened):
    build()
    assert opened.threads
    assert get_ident() not in opened.threads


def test_a_question_is_answered_with_its_passages(opened):
    result = build(config="semantic").invoke({"question": "why?"}, context={"config": "semantic"})
    assert set(result) == {"answer", "passages", "withheld"}
    assert result["answer"] == "a draft"
    assert [passage["title"] for passage in result["passages"]] == ["title 1"]


def test_a_conversation_is_answered_with_a_message(opened):
    graph = build(studio.opencoder_chat, config="semantic")
    result = asyncio.run(graph.ainvoke({"messages": "why?"}, context={"config": "semantic"}))
    assert result["messages"][-1].content.startswith("a draft\n\nSources:")


def test_the_servers_file_names_both_graphs_with_descriptions_and_switches_tracing_off():
    served = json.loads((ROOT / "langgraph.json").read_text(encoding="utf-8"))
    for name, graph in served["graphs"].items():
        module, _, function = graph["path"].partition(":")
        # A path to a file would make one module, with models of its own, for each graph.
        assert module == studio.__name__
        assert getattr(studio, function) is getattr(studio, name)
        assert len(graph["description"]) > 60
    assert set(served["graphs"]) == {"opencoder", "opencoder_chat"}
    assert served["env"]["LANGSMITH_TRACING"] == "false"
