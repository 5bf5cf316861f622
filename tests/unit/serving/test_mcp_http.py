"""The server of tools on HTTP: which hosts it admits, when it asks for a token, and how much it reads."""

import asyncio
from contextlib import closing

import pytest

from serving.http_server import listen

mcp = pytest.importorskip("mcp.server", reason="pip install 'opencoder[mcp]'")
from serving.mcp_http import PATH, tool_server_on_http  # noqa: E402

TOKEN = "a-token-of-sixteen"
BEARER = f"Bearer {TOKEN}"


def status_of(address, token, **headers):
    """Return the status of a request to a server that listens at an address, but has not started."""
    with closing(listen(address, 0, token)) as listener:
        app = tool_server_on_http(mcp.Server("tools"), listener, token).config.app
    sent = []

    async def send(message):
        sent.append(message)

    async def receive():
        return {"type": "http.request", "body": b""}

    encoded = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "POST", "path": PATH, "headers": encoded}
    asyncio.run(app(scope, receive, send))
    return sent[0]["status"]


@pytest.mark.parametrize(
    ("address", "host", "status"),
    [
        # Without a token only the names of this machine are admitted: a page knows no token.
        ("127.0.0.1", "evil.example", 421),
        ("127.0.0.1", "localhost", 401),
        ("127.0.0.1", "127.0.0.1:8765", 401),
        # Other machines know this one by names that it does not know.
        ("0.0.0.0", "code.example:8765", 401),
        ("0.0.0.0", "", 421),
    ],
)
def test_on_an_address_of_other_machines_every_host_name_is_admitted(address, host, status):
    assert status_of(address, TOKEN, host=host) == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"authorization": f"{BEARER}x"}, 401),
        ({"authorization": BEARER, "origin": "http://evil.example"}, 403),
        ({"authorization": BEARER, "content_length": "300001"}, 413),
    ],
    ids=str,
)
def test_the_guard_stands_before_the_tools(headers, status):
    assert status_of("127.0.0.1", TOKEN, host="localhost", **headers) == status
