"""The tools on HTTP over real connections: a client that goes away frees its place."""

import asyncio
import http.client
import json
import logging
from contextlib import closing
from functools import partial
from threading import Thread

import pytest

from serving.http_server import listen
from serving.question_queue import QuestionQueue
from tests.fakes.fake_models import FakeRetriever, documents
from tests.fakes.paced_engine import PacedEngine, paced_graph
from tests.fakes.waiting import FAR, wait_until
from tests.integration.loopback import allow_this_machine

pytest.importorskip("mcp", reason="pip install 'opencoder[mcp]'")
from serving.mcp_http import PATH, tool_server_on_http
from serving.mcp_server import ask_tool, search_tool, tool_server

WITH_SESSIONS, WITHOUT_SESSIONS = "2025-06-18", "2026-07-28"
ASK = {"name": "ask", "arguments": {"question": "why?"}}
SEARCH = {"name": "search_posts", "arguments": {"question": "why?"}}


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    """Replace the fixture of all tests, which allows no connection to this machine either."""
    allow_this_machine(monkeypatch)


class ToolServer:
    """The tools on loopback, in this process, over a model that writes for hours."""

    def __init__(self):
        self.engine = PacedEngine(lambda _: "word " * 1_000_000, 100_000)
        self.queue = QuestionQueue(partial(paced_graph, self.engine), ["baseline"])
        tools = [
            search_tool(FakeRetriever(documents=documents("one"))),
            ask_tool(self.queue, "baseline", is_local=True),
        ]
        self._listener = listen("127.0.0.1", 0, None)
        self._port = self._listener.getsockname()[1]
        self._server = tool_server_on_http(tool_server(tools), self._listener, None)
        self._thread = Thread(target=lambda: asyncio.run(self._serve()))

    async def _serve(self):
        await self._server.serve(sockets=[self._listener])

    def __enter__(self):
        self._thread.start()
        wait_until(lambda: self._server.started)
        return self

    def __exit__(self, *_):
        self._server.should_exit = True
        self._thread.join(FAR)

    def send(self, method, params, **headers):
        """Send a call; return the connection, from which nothing was read."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=FAR)
        call = {"jsonrpc": "2.0", "method": method, "params": params}
        if not method.startswith("notifications/"):
            call["id"] = 1
        accepted = {"Accept": "application/json, text/event-stream"}
        kind = {"Content-Type": "application/json"}
        connection.request("POST", PATH, json.dumps(call), accepted | kind | headers)
        return connection


@pytest.fixture(scope="module")
def server():
    with ToolServer() as server:
        yield server


def called_in_a_session(server, call):
    """Call a tool as clients of the older protocol do, in a session; return the connection."""
    start = {
        "protocolVersion": WITH_SESSIONS,
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    }
    with closing(server.send("initialize", start)) as connection:
        response = connection.getresponse()
        headers = {
            "Mcp-Session-Id": response.headers["mcp-session-id"],
            "MCP-Protocol-Version": WITH_SESSIONS,
        }
        response.read()
    with closing(server.send("notifications/initialized", {}, **headers)) as connection:
        assert connection.getresponse().status == 202
    return server.send("tools/call", call, **headers)


def called_without_a_session(server, call):
    """Call a tool as clients of the newer protocol do; return the connection."""
    key = "io.modelcontextprotocol/"
    meta = {
        f"{key}protocolVersion": WITHOUT_SESSIONS,
        f"{key}clientInfo": {"name": "test", "version": "1"},
        f"{key}clientCapabilities": {},
    }
    headers = {
        "MCP-Protocol-Version": WITHOUT_SESSIONS,
        "Mcp-Method": "tools/call",
        "Mcp-Name": call["name"],
    }
    return server.send("tools/call", {**call, "_meta": meta}, **headers)


@pytest.mark.parametrize("called", [called_in_a_session, called_without_a_session])
def test_a_client_that_stays_gets_its_result(server, called):
    with closing(called(server, SEARCH)) as connection:
        assert "title 1" in connection.getresponse().read().decode()


@pytest.mark.parametrize("called", [called_in_a_session, called_without_a_session])
def test_a_client_that_closes_its_connection_frees_its_place(server, caplog, called):
    connection = called(server, ASK)
    wait_until(lambda: server.engine.running)
    assert server.queue.running == 1
    connection.close()
    wait_until(lambda: not server.queue.running and not server.engine.running)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("host", ["localhost", "[::1]:1", "127.0.0.1"])
def test_every_name_of_this_machine_is_a_host(server, host):
    with closing(server.send("ping", {}, Host=host)) as connection:
        assert connection.getresponse().status != 421
