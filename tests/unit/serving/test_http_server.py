"""What servers on HTTP share: token, socket, address and strict settings."""

import asyncio
import json
import socket
from contextlib import closing

import pytest

from graph.support.errors import ConfigError
from serving.http_guard import Admission
from serving.http_server import (
    TOKEN_VARIABLE,
    is_loopback,
    listen,
    most_body_bytes,
    read_token,
    until_gone,
    url_of,
)
from serving.page.application import PageSettings, page_server
from serving.question_queue import QuestionQueue

TOKEN = "a-token-of-sixteen"


@pytest.mark.parametrize(
    "token", ["", "short", "with a space in it", "ümlaut" * 4, "line\n" * 5, "a+b%41&c#d" * 2]
)
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


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:{}/mcp"),
        ("::1", "http://[::1]:{}/mcp"),
        # No browser opens an address that stands for all of a machine.
        ("0.0.0.0", "http://127.0.0.1:{}/mcp"),
        ("::", "http://[::1]:{}/mcp"),
    ],
)
def test_the_address_of_a_socket_can_be_opened_on_this_machine(host, url):
    with closing(listen(host, 0, TOKEN)) as listener:
        assert url_of(listener, "/mcp") == url.format(listener.getsockname()[1])


def page_config():
    queue = QuestionQueue(lambda _: None, [])
    settings = PageSettings({}, "semantic", "fake", "fake", "posts.csv", False)
    return page_server(queue, settings, Admission("127.0.0.1")).config


def tools_config():
    mcp = pytest.importorskip("mcp.server", reason="pip install 'opencoder[mcp]'")
    from serving.mcp_http import tool_server_on_http

    with closing(listen("127.0.0.1", 0, None)) as listener:
        return tool_server_on_http(mcp.Server("tools"), listener, None).config


@pytest.mark.parametrize("config_of", [page_config, tools_config])
def test_every_server_has_the_same_strict_settings(config_of):
    config = config_of()
    assert (config.http, config.ws, config.log_config) == ("h11", "none", None)
    assert not any((config.proxy_headers, config.server_header, config.access_log))
    assert (config.limit_concurrency, config.timeout_graceful_shutdown) == (200, 1)
    assert config.app._max_body == 300_000


@pytest.mark.parametrize(
    ("address", "is_here"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        # Some systems add the name of the interface.
        ("::1%lo", True),
        ("fe80::1%eth0", False),
        ("0.0.0.0", False),
        ("192.0.2.1", False),
    ],
)
def test_an_address_of_this_machine_alone(address, is_here):
    assert is_loopback(address) is is_here


@pytest.mark.parametrize(
    ("question_chars", "most"), [(1, 300_000), (25_000, 300_000), (25_001, 300_012)]
)
def test_a_request_has_room_for_the_longest_question(question_chars, most):
    assert most_body_bytes(question_chars) == most
    question = json.dumps("\U0001f600" * question_chars)
    assert len(question) - 2 <= most


def test_a_token_of_16_characters_is_long_enough(monkeypatch):
    monkeypatch.setenv(TOKEN_VARIABLE, "a" * 16)
    assert read_token() == "a" * 16


def test_a_client_is_gone_only_when_it_closes_its_connection():
    messages = [{"type": "http.request"}, {"type": "http.request"}, {"type": "http.disconnect"}]

    async def receive():
        return messages.pop(0)

    asyncio.run(until_gone(receive))
    assert messages == []


def test_the_reason_why_nothing_listens_is_in_words():
    with pytest.raises(ConfigError) as error:
        listen("192.0.2.1", 0, TOKEN)
    assert "[Errno" not in str(error.value)


@pytest.mark.parametrize(("config_of", "lifespan"), [(page_config, "off"), (tools_config, "on")])
def test_only_the_server_of_tools_has_work_at_its_start(config_of, lifespan):
    assert config_of().lifespan == lifespan
