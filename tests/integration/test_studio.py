"""`langgraph dev` from the repository: schemas, drawings, runs and MCP, with one set of weights."""

import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

import httpx
import pytest

from graph.config import config_names, profile_names
from tests.fakes.project_files import ROOT
from tests.fakes.waiting import FAR, wait_until
from tests.integration.loopback import allow_this_machine

pytestmark = [
    pytest.mark.usefixtures("embedded_models"),
    pytest.mark.skipif(
        find_spec("langgraph_cli") is None or find_spec("langgraph_api") is None,
        reason="langgraph dev is not installed: pip install 'opencoder[studio]'",
    ),
]

QUESTION = "How do I sort a dict by value?"
EXTRACT = {"config": "extract", "profile": "embedded"}
BASELINE = {"config": "baseline", "profile": "embedded"}
OPTIONS = ("--no-browser", "--no-reload", "--n-jobs-per-worker", "3")
SOURCES = "\n\nSources:\n\n1. "


class Server:
    """`langgraph dev` in a folder that has the files of the repository and none of an earlier server."""

    def __init__(self, folder):
        for entry in ROOT.iterdir():
            if entry.name != ".langgraph_api":
                (folder / entry.name).symlink_to(entry)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        # The proxy of the server: each connection to another machine would wait here.
        self.proxy = socket.create_server(("127.0.0.1", 0))
        self.proxy.setblocking(False)
        self.log_file = folder / "server.log"
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "langgraph_cli", "dev", *OPTIONS, "--port", str(port)],
                cwd=folder,
                env=self.environment(),
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.client = httpx.Client(
            base_url=f"http://127.0.0.1:{port}",
            headers={"Accept": "application/json"},
            timeout=FAR,
            trust_env=False,
        )
        wait_until(self.is_ready)

    def environment(self):
        proxy = "http://{}:{}".format(*self.proxy.getsockname())
        names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
        inherited = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"}
        return {
            **inherited,
            **dict.fromkeys([*names, *map(str.lower, names)], proxy),
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
            "LANGGRAPH_CLI_NO_ANALYTICS": "1",
            "LANGSMITH_API_KEY": "a key that nothing may use",
            "LOG_COLOR": "false",
        }

    @property
    def log(self):
        return self.log_file.read_text(encoding="utf-8")

    def is_ready(self):
        assert self.process.poll() is None, self.log
        try:
            return self.client.get("/ok").status_code == 200
        except httpx.TransportError:
            return False

    def get(self, path):
        return self.client.get(path).raise_for_status().json()

    def post(self, path, **document):
        return self.client.post(path, json=document).raise_for_status().json()

    def assistant(self, graph, **context):
        """Make an assistant, as Studio does it for a choice, and return its path."""
        assistant = self.post("/assistants", graph_id=graph, context=context)
        return f"/assistants/{assistant['assistant_id']}"

    def run(self, graph, values, context, thread=""):
        path = f"{thread}/runs/wait"
        return self.post(path, assistant_id=graph, input=values, context=context)

    def call(self, method, **params):
        """Call the MCP server."""
        return self.post("/mcp", jsonrpc="2.0", id=1, method=method, params=params)["result"]

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.client.close()
        self.proxy.close()


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    """Replace the fixture of all tests, which allows no connection to this machine either."""
    allow_this_machine(monkeypatch)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with pytest.MonkeyPatch.context() as monkeypatch:
        allow_this_machine(monkeypatch)
        server = Server(tmp_path_factory.mktemp("studio"))
    yield server
    server.stop()


@pytest.mark.parametrize(
    ("graph", "inputs", "outputs"),
    [
        ("opencoder", {"question"}, {"answer", "passages", "withheld"}),
        ("opencoder_chat", {"messages"}, {"messages"}),
    ],
)
def test_the_schemas_have_input_output_and_a_choice_of_config_and_profile(
    server, graph, inputs, outputs
):
    schemas = server.get(f"{server.assistant(graph)}/schemas")
    assert set(schemas["input_schema"]["properties"]) == inputs
    assert set(schemas["output_schema"]["properties"]) == outputs
    context = schemas["context_schema"]["properties"]
    assert set(config_names()) - set(context["config"]["enum"]) == {"oracle", "shuffled"}
    assert context["profile"]["enum"] == profile_names()


@pytest.mark.parametrize(
    ("config", "stages"),
    [
        ("baseline", {"generate"}),
        ("extract", {"retrieve", "extract"}),
        ("semantic_rerank_refined", {"retrieve", "generate", "critique", "refine"}),
    ],
)
def test_the_drawing_is_that_of_the_chosen_config(server, config, stages):
    def nodes(graph):
        drawing = server.get(f"{server.assistant(graph, config=config)}/graph?xray=true")
        return {node["id"] for node in drawing["nodes"]}

    stages = stages | ({"rerank_refined"} if "rerank" in config else set())
    assert nodes("opencoder") == stages | {"__start__", "__end__"}
    assert nodes("opencoder_chat") >= {f"answering:{name}" for name in stages}


@pytest.mark.parametrize("graph", ["opencoder", "opencoder_chat"])
def test_a_wrong_name_is_one_clear_error(server, graph):
    line = "unknown config 'semantc'; did you mean semantic?"
    result = server.run(graph, {"question": QUESTION, "messages": QUESTION}, {"config": "semantc"})
    assert result["__error__"]["message"].startswith(line)
    response = server.client.get(f"{server.assistant(graph, config='semantc')}/schemas")
    assert response.status_code == 400
    assert response.json()["detail"].startswith(line)


def test_an_error_inside_the_graph_reaches_the_client(server):
    result = server.run("opencoder_chat", {"messages": []}, EXTRACT)
    assert "messages must hold a message of a person" in result["__error__"]["message"]


def test_a_question_is_answered_with_passages(server):
    result = server.run("opencoder", {"question": QUESTION}, EXTRACT)
    assert len(result["passages"]) == 5
    assert result["passages"][0]["text"].startswith(result["answer"])


def test_a_thread_holds_a_conversation(server):
    thread = f"/threads/{server.post('/threads')['thread_id']}"
    for question in (QUESTION, "How do I merge two dicts?"):
        message = {"type": "human", "content": [{"type": "text", "text": question}]}
        result = server.run("opencoder_chat", {"messages": [message]}, EXTRACT, thread)
    assert [message["type"] for message in result["messages"]] == ["human", "ai"] * 2
    answers = [message["content"] for message in result["messages"][1::2]]
    assert all(SOURCES in answer for answer in answers)
    assert answers[0] != answers[1]


def test_three_runs_at_the_same_time_load_the_weights_once(server):
    runs = [
        ("opencoder", {"question": "Say yes."}, BASELINE),
        ("opencoder", {"question": "Say no."}, BASELINE),
        ("opencoder_chat", {"messages": "Say yes."}, BASELINE),
    ]
    with ThreadPoolExecutor(len(runs)) as pool:
        first, second, chat = pool.map(lambda run: server.run(*run), runs)
    assert first["answer"]
    assert second["answer"]
    # The runs wait for the model one after the other: each has the answer that it has alone.
    assert chat["messages"][-1]["content"] == first["answer"]
    assert server.log.count("loading the model 'SmolLM2-135M-Instruct'") == 1


def test_an_mcp_client_finds_and_calls_both_graphs(server):
    assert "tools" in server.call("initialize", protocolVersion="2025-06-18")["capabilities"]
    tools = {tool["name"]: tool for tool in server.call("tools/list")["tools"]}
    for name, field in (("opencoder", "question"), ("opencoder_chat", "messages")):
        assert "programming question" in tools[name]["description"]
        schema = tools[name]["inputSchema"]
        assert schema["properties"][field]["type"] == "string"
        result = server.call("tools/call", name=name, arguments={field: QUESTION}, context=EXTRACT)
        assert "isError" not in result
        assert "sort several times" in result["content"][0]["text"]


def test_an_assistant_with_a_context_of_its_own_is_a_tool(server):
    server.post("/assistants", graph_id="opencoder", context=EXTRACT, name="first passage")
    tools = [tool["name"] for tool in server.call("tools/list")["tools"]]
    assert "first_passage" in tools
    result = server.call("tools/call", name="first_passage", arguments={"question": QUESTION})
    assert "sort several times" in result["content"][0]["text"]


def test_nothing_blocks_the_event_loop_and_nothing_asks_another_machine(server):
    server.run("opencoder", {"question": QUESTION}, EXTRACT)
    assert "Blocking" not in server.log
    # The client of this report of the server's use takes no proxy.
    assert "skipping metadata loop" in server.log
    with pytest.raises(BlockingIOError):
        server.proxy.accept()
