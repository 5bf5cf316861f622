"""Servers that are lost in the middle of a run: no question is lost, and none is recorded as failed."""

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from langchain_core.language_models import SimpleChatModel

from evaluation.commands import eval_command as cli
from evaluation.store.recorded_run import read_run
from graph.models import Models
from graph.models.batching import BatchedModel
from graph.models.engines.langchain_engine import LangChainEngine
from graph.models.lockstep import Lockstep
from graph.retrieval.parts.postgres_server import VARIABLE
from graph.support import terminal
from tests.fakes.corpora import small_corpus
from tests.fakes.processes import in_child
from tests.fakes.scripted_runs import (
    answer_for,
    command,
    number_of,
    without_weights,
    write_dataset,
)
from tests.fakes.waiting import FAR
from tests.integration.loopback import allow_this_machine
from tests.integration.postgres_servers import PASSWORD, PostgresServer

COUNT, BATCH = 8, 2


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    """Replace the fixture of all tests, which allows no connection to this machine either."""
    allow_this_machine(monkeypatch)


class StubChat(SimpleChatModel):
    """A chat model that asks the server of `stub_model_server.py`."""

    port: int

    @property
    def _llm_type(self):
        return "stub"

    def _call(self, messages, stop=None, run_manager=None, **options):
        address = f"http://127.0.0.1:{self.port}"
        prompt = "\n".join(str(message.content) for message in messages)
        response = httpx.post(address, json={"prompt": prompt}, timeout=FAR, trust_env=False)
        return response.raise_for_status().json()["text"]


class ModelServer:
    """The server, which a test starts with another fault and, after the first time, on the same port."""

    def __init__(self):
        self.port = 0
        self.process = None

    def start(self, fault="none", after=0):
        self.stop()
        script = Path(__file__).with_name("stub_model_server.py")
        self.process = subprocess.Popen(
            [sys.executable, script, str(self.port), fault, str(after)],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.port = int(self.process.stdout.readline())

    def stop(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            self.process = None


class Commands:
    """The command of one run, whose model is on a server."""

    def __init__(self, monkeypatch, folder, server):
        self.monkeypatch, self.runs, self.server = monkeypatch, folder / "runs", server
        self.dataset = write_dataset(folder / "questions.csv", COUNT)

    def prepare(self, *flags):
        without_weights(self.monkeypatch)
        self.monkeypatch.setattr(cli, "open_models", self.open_models)
        command(
            self.monkeypatch,
            *("--config", "baseline", "--profile", "embedded", "--batch_size", BATCH),
            *("--dataset", self.dataset, "--runs", self.runs, "--no-report", *flags),
        )

    def open_models(self, profile, **_):
        lockstep = Lockstep()
        model = BatchedModel(LangChainEngine(StubChat(port=self.server.port)), lockstep)
        return Models(model, model, lockstep)

    def eval(self, *flags):
        """Run eval.py in a child process and return its end."""
        self.prepare(*flags)
        return in_child(lambda: terminal.run(cli.main))

    @property
    def folder(self):
        (folder,) = self.runs.iterdir()
        return folder

    def results(self):
        return {name: (self.folder / name).read_bytes() for name in ("metrics.json", "summary.md")}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The results of a run whose server stays.

    It runs in this process, so that each child starts with all modules loaded.
    """
    server = ModelServer()
    with pytest.MonkeyPatch.context() as patch:
        allow_this_machine(patch)
        commands = Commands(patch, tmp_path_factory.mktemp("undisturbed"), server)
        server.start()
        commands.prepare()
        try:
            assert cli.main() == 0
        finally:
            server.stop()
        return commands.results()


@pytest.fixture
def commands(monkeypatch, tmp_path, undisturbed):
    server = ModelServer()
    yield Commands(monkeypatch, tmp_path, server)
    server.stop()


@pytest.mark.parametrize(
    ("fault", "after", "message"),
    [
        ("killed", 6, "Error: "),
        ("killed", 8, "Error: "),
        ("unavailable", 6, "HTTPStatusError: Server error '503 Service Unavailable' for url"),
        ("limited", 8, "HTTPStatusError: Client error '429 Too Many Requests' for url"),
        ("hangs_up", 7, "RemoteProtocolError: Server disconnected without sending a response"),
    ],
)
def test_a_model_server_that_is_lost_costs_no_question(
    commands, undisturbed, fault, after, message
):
    # A batch is two answers and two grades: the second batch is requests 5 to 8.
    commands.server.start(fault, after)
    ended = commands.eval()
    assert ended.code == 1
    assert ended.out == ""
    (line,) = [line for line in ended.err.splitlines() if "error: " in line]
    assert message in line
    assert (
        "; 2 of 8 questions are recorded; when the cause is gone, the same command goes on" in line
    )
    # Still gone: nothing more is recorded.
    commands.server.stop()
    ended = commands.eval()
    assert ended.code == 1
    assert "Connection refused; 2 of 8 questions are recorded; " in ended.err
    commands.server.start()
    ended = commands.eval()
    assert ended.code == 0, ended.err
    assert commands.results() == undisturbed


def test_a_prompt_that_the_server_refuses_costs_its_own_question(commands, undisturbed):
    commands.server.start("too_long")
    assert commands.eval().code == 1
    records = read_run(commands.folder).records
    assert [record["index"] for record in records if record["error"]] == [5]
    assert records[5]["error"]["type"] == "HTTPStatusError"
    commands.server.start()
    ended = commands.eval("--retry-failed")
    assert ended.code == 0, ended.err
    assert commands.results() == undisturbed


@pytest.mark.parametrize("number", [2, 5])
def test_a_postgres_that_is_lost_costs_no_question(monkeypatch, tmp_path, number):
    for package in ("psycopg", "pgvector"):
        pytest.importorskip(
            package, reason=f"{package} is not installed: pip install '.[postgres]'"
        )
    small_corpus(tmp_path / "corpus.csv")
    dataset = write_dataset(tmp_path / "questions.csv", COUNT)

    def eval(runs, at=lambda: None):
        def answer(prompt):
            # The draft: it is written once for each question, after its batch has its passages.
            if number_of(prompt) == number and "<draft>" not in prompt:
                at()
            return answer_for(prompt)

        without_weights(monkeypatch, answer)
        command(
            monkeypatch,
            *("--config", "semantic", "--set", "retrieval.store=postgres", "--batch_size", BATCH),
            *("--profile", "embedded", "--no-report", "--runs", tmp_path / runs),
            *("--corpus", tmp_path / "corpus.csv", "--dataset", dataset),
        )
        return in_child(lambda: terminal.run(cli.main))

    with closing(PostgresServer()) as server:
        monkeypatch.setenv(VARIABLE, server.string)
        ended = eval("undisturbed")
        assert ended.code == 0, ended.err
        ended = eval("runs", at=server.lose)
        assert ended.code == 1, ended.err
        (line,) = [line for line in ended.err.splitlines() if "error: " in line]
        recorded = number // BATCH * BATCH + BATCH
        assert f"the PostgreSQL server that {VARIABLE} names: no server listens" in line
        assert (
            f"; {recorded} of 8 questions are recorded; when the cause is gone, the same c" in line
        )
        assert PASSWORD not in ended.err
        # Still gone: one line again, and nothing is recorded.
        ended = eval("runs")
        assert ended.code == 2
        assert "no server listens at this address" in ended.err
        server.start()
        ended = eval("runs")
        assert ended.code == 0, ended.err
    results = [
        {name: (folder / name).read_bytes() for name in ("metrics.json", "summary.md")}
        for runs in ("undisturbed", "runs")
        for folder in (tmp_path / runs).iterdir()
    ]
    assert results[0] == results[1]
