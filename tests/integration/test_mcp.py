"""`opencoder mcp` as programs use it: over stdio, and on HTTP. The config needs no weights."""

import asyncio
import json
import os
import signal
import subprocess
import sys

import httpx2
import pytest

from serving.http_server import TOKEN_VARIABLE
from tests.fakes.project_files import ROOT
from tests.fakes.waiting import FAR
from tests.integration.loopback import allow_this_machine

mcp = pytest.importorskip("mcp", reason="pip install 'opencoder[mcp]'")
from mcp.client.streamable_http import streamable_http_client  # noqa: E402

COMMAND = (
    *(sys.executable, "-m", "graph", "mcp", "--profile", "embedded"),
    *("--config", "extract", "--set", "retrieval.kind=keyword"),
)
QUESTION = "Why does setting one cell of my 2D list fill the whole column?"
TITLE = "Setting one cell of a 2D list fills the whole column"
TOKEN = "a-token-that-nobody-knows"
RECORDED = '{ "$@"; echo $? > "$0/code"; } | tee "$0/stdout"'
"""A shell's line that keeps what the server writes to stdout, and its exit code."""


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    """Replace the fixture of all tests, which allows no connection to this machine either."""
    allow_this_machine(monkeypatch)


def run(work):
    return asyncio.run(asyncio.wait_for(work, FAR))


async def check_tools(client):
    """Call both tools, and each of them wrongly."""
    tools = (await client.list_tools()).tools
    assert [tool.name for tool in tools] == ["search_posts", "ask"]
    result = await client.call_tool("search_posts", {"question": QUESTION, "top_k": 3})
    posts = result.structured_content["posts"]
    assert (len(posts), posts[0]["title"]) == (3, TITLE)
    assert f"[1] {TITLE}\n" in result.content[0].text
    result = await client.call_tool("ask", {"question": QUESTION})
    assert posts[0]["text"].startswith(result.structured_content["answer"])
    assert result.structured_content["sources"][0]["title"] == TITLE
    for tool, arguments in (("search_posts", {"question": ""}), ("ask", {"config": "nothing"})):
        result = await client.call_tool(tool, arguments)
        assert result.is_error
        assert result.content[0].text.count("\n") == 0


def test_a_client_that_starts_it_has_nothing_but_the_protocol_on_stdout(tmp_path):
    server = mcp.StdioServerParameters(
        command="sh",
        args=["-c", RECORDED, str(tmp_path), *COMMAND],
        cwd=ROOT,
        env={"OPENCODER_CACHE": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "1"},
    )

    async def work():
        async with mcp.Client(server) as client:
            await check_tools(client)

    run(work())
    messages = (tmp_path / "stdout").read_text(encoding="utf-8").splitlines()
    assert len(messages) >= 5
    assert all(json.loads(line)["jsonrpc"] == "2.0" for line in messages)
    # It ended when the client closed stdin.
    assert (tmp_path / "code").read_text(encoding="utf-8") == "0\n"


async def status_of(url, **headers):
    """Return the status of a request that is not the client's."""
    accepted = {"Accept": "application/json, text/event-stream"}
    async with httpx2.AsyncClient(trust_env=False) as web:
        ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
        answer = await web.post(url, json=ping, headers=accepted | headers)
        return answer.status_code


async def check_http(url):
    token = {"Authorization": f"Bearer {TOKEN}"}
    async with (
        httpx2.AsyncClient(headers=token, trust_env=False, timeout=FAR) as web,
        mcp.Client(streamable_http_client(url, http_client=web)) as client,
    ):
        await check_tools(client)
    assert await status_of(url) == 401
    assert await status_of(url, Authorization=f"Bearer {TOKEN[:-1]}") == 401
    assert await status_of(url, **token, Host="evil.example") == 421
    assert await status_of(url, **token, Origin="http://evil.example") == 403


def test_on_http_it_wants_its_token_and_ctrl_c_ends_it(tmp_path):
    process = subprocess.Popen(
        [*COMMAND, "--http", "--port", "0"],
        cwd=ROOT,
        env={**os.environ, "OPENCODER_CACHE": str(tmp_path), TOKEN_VARIABLE: TOKEN},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        lines = []
        while not lines or "can be searched" not in lines[-1]:
            lines.append(process.stderr.readline())
            assert lines[-1], lines
        (url,) = (line.split()[3].rstrip(";") for line in lines if "MCP on " in line)
        run(check_http(url))
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    finally:
        process.kill()
    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert TOKEN not in err
