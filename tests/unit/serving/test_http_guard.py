"""Who may ask a server on HTTP: addresses, tokens, pages of other servers."""

import asyncio
import socket
from contextlib import closing

import pytest

from graph.support.errors import ConfigError
from serving.http_guard import TOKEN_VARIABLE, Guard, listen, read_token

TOKEN = "a-token-of-sixteen"


@pytest.mark.parametrize("token", ["", "short", "with a space in it", "ümlaut" * 4, "line\n" * 5])
def test_a_weak_or_impossible_token_is_refused(monkeypatch, token):
    monkeypatch.setenv(TOKEN_VARIABLE, token)
    with pytest.raises(ConfigError, match="must have at least 16 characters") as error:
        read_token()
    assert not token or token not in str(error.value)


def test_without_a_variable_there_is_no_token(monkeypatch):
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    assert read_token() is None
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    assert read_token() == TOKEN


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_an_address_of_other_machines_needs_a_token(host):
    with pytest.raises(ConfigError, match=f"set {TOKEN_VARIABLE} to a token"):
        listen(host, 0, None)


def test_with_a_token_every_address_may_be_taken():
    with closing(listen("0.0.0.0", 0, TOKEN)) as listener:
        assert listener.getsockname()[0] == "0.0.0.0"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_this_machine_needs_no_token(host):
    with closing(listen(host, 0, None)) as listener:
        assert listener.getsockname()[1] > 0


def test_a_port_in_use_is_one_line():
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1 port {port}: "):
            listen("127.0.0.1", port, None)


@pytest.mark.parametrize("host", ["no such host", "192.0.2.1", "x" * 300, "a..b"])
def test_an_address_that_is_not_here_is_one_line(host):
    with pytest.raises(ConfigError, match="cannot listen on"):
        listen(host, 0, TOKEN)


def status_of(token, **headers):
    """Return the status that the guard answers with; 0 if it passes the request on."""
    scope = {
        "type": "http",
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers.items()],
    }
    sent = [{"status": 0}]

    async def app(*_):
        pass

    async def send(message):
        sent.append(message)

    asyncio.run(Guard(app, token)(scope, None, send))
    return (sent[1:] or sent)[0]["status"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"authorization": f"Bearer {TOKEN}"}, 0),
        ({}, 401),
        ({"authorization": ""}, 401),
        ({"authorization": TOKEN}, 401),
        ({"authorization": f"Bearer {TOKEN}x"}, 401),
        ({"authorization": f"Bearer {TOKEN[:-1]}"}, 401),
        ({"authorization": "Bearer ä"}, 401),
        ({"authorization": f"Bearer {TOKEN}", "host": "a:1", "origin": "http://a:1"}, 0),
        ({"authorization": f"Bearer {TOKEN}", "host": "a:1", "origin": "http://evil"}, 403),
    ],
    ids=str,
)
def test_a_request_needs_the_token(headers, status):
    assert status_of(TOKEN, **headers) == status


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://127.0.0.1:8765", 0),
        ("http://127.0.0.1:9999", 403),
        ("http://evil.example", 403),
        ("http://127.0.0.1:8765@evil.example", 403),
        ("http://[broken", 403),
        ("null", 403),
        ("", 403),
    ],
)
def test_a_page_of_another_server_may_not_ask(origin, status):
    assert status_of(None, host="127.0.0.1:8765", origin=origin) == status
