"""The guard of a server on HTTP: who may ask, and from which pages."""

import asyncio

import pytest

from serving.http_guard import Admission, RequestGuard, is_wildcard

TOKEN = "a-token-of-sixteen"


def status_of(token, **headers):
    """Return the status that the guard answers with; 0 if it passes the request on."""
    scope = {
        **{"type": "http", "method": "POST", "path": "/mcp"},
        "headers": [
            (name.encode(), value.encode("latin-1"))
            for name, value in {"host": "a", **headers}.items()
        ],
    }
    sent = [{"status": 0}]

    async def app(*_):
        pass

    async def send(message):
        sent.append(message)

    async def receive():
        return {"type": "http.request", "body": b""}

    admission = Admission("127.0.0.1", ["a"], token)
    asyncio.run(RequestGuard(app, admission, open_paths=(), max_body=9)(scope, receive, send))
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


@pytest.mark.parametrize(
    ("address", "names", "host", "is_admitted"),
    [
        ("127.0.0.1", (), "127.0.0.1:8600", True),
        ("127.0.0.1", (), "localhost", True),
        ("127.0.0.1", (), "[::1]:8600", True),
        ("127.0.0.1", (), "192.0.2.1", False),
        ("127.0.0.1", (), "evil.example:8600", False),
        ("127.0.0.1", (), "localhost.evil.example", False),
        ("127.0.0.1", (), "", False),
        ("127.0.0.1", ("",), "", False),
        ("127.0.0.1", (), "localhost:evil.example", False),
        ("127.0.0.1", (), "[::1]evil.example", False),
        ("127.0.0.1", (), "[127.0.0.1", False),
        ("192.0.2.1", (), "192.0.2.1:8600", True),
        ("192.0.2.1", (), "192.0.2.2:8600", False),
        # An address of digits cannot be pointed elsewhere; a name can.
        ("0.0.0.0", (), "192.0.2.1:8600", True),
        ("::", (), "[2001:db8::1]:8600", True),
        ("0.0.0.0", (), "evil.example", False),
        ("0.0.0.0", ("Code.Example",), "code.example:443", True),
    ],
)
def test_a_host_header_must_name_this_server(address, names, host, is_admitted):
    assert Admission(address, names).admits_host(host) is is_admitted


@pytest.mark.parametrize(
    ("address", "is_all"), [("0.0.0.0", True), ("::", True), ("127.0.0.1", False), ("a", False)]
)
def test_a_wildcard_is_an_address_of_the_whole_machine(address, is_all):
    assert is_wildcard(address) is is_all


@pytest.mark.parametrize(
    ("header", "is_admitted"),
    [
        (f"Bearer {TOKEN}", True),
        (f"bearer {TOKEN}", True),
        (TOKEN, False),
        (f"Basic {TOKEN}", False),
        ("Bearer ", False),
    ],
)
def test_the_token_follows_the_name_of_its_scheme(header, is_admitted):
    assert Admission("192.0.2.1", token=TOKEN).admits_token(header) is is_admitted


def test_with_a_token_a_server_can_do_without_the_check_of_names():
    admission = Admission("0.0.0.0", token=TOKEN, any_name=True)
    assert admission.admits_host("code.example")
    assert not admission.admits_host("")
