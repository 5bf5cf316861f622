"""The guard of a server on HTTP: who may ask, and from which pages."""

import asyncio
import logging

import pytest

from serving import http_guard
from serving.http_guard import Admission, RequestGuard, is_wildcard
from tests.fakes.waiting import FAR

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


class Exchange:
    """One request through the guard, at most 9 bytes long, to an application that a test writes.

    `sent` holds the messages of the response, and `parts` those of the body that were not read.
    """

    def __init__(
        self, app, *parts, headers=((b"host", b"a"),), method="POST", path="/mcp", **scope
    ):
        self.scope = {"type": "http", "method": method, "path": path, "headers": headers, **scope}
        self.sent = []
        self.parts = [
            {"type": "http.request", "body": part, "more_body": number < len(parts)}
            for number, part in enumerate(parts, 1)
        ]
        guard = RequestGuard(app, Admission("a"), open_paths=(), max_body=9)
        asyncio.run(asyncio.wait_for(guard(self.scope, self.receive, self.send), FAR))

    async def receive(self):
        if not self.parts:
            # A client that is silent.
            await asyncio.Event().wait()
        return self.parts.pop(0)

    async def send(self, message):
        self.sent.append(message)

    @property
    def statuses(self):
        return [message["status"] for message in self.sent if "status" in message]

    @property
    def headers(self):
        return [header for message in self.sent for header in message.get("headers", [])]


async def unasked(*_):
    raise AssertionError("the guard let a refused request pass")


async def reading(_, receive, send):
    """Read the whole body, and once more; answer with its end."""
    while (message := await receive()).get("more_body"):
        pass
    if message["type"] == "http.disconnect":
        assert await receive() == message
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"read"})


FOREIGN = ((b"host", b"a"), (b"origin", b"http://evil.example"))


@pytest.fixture
def lines(caplog):
    caplog.set_level(logging.WARNING, "opencoder")
    return lambda: [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize("hosts", [(), ("a", "a"), ("a", "evil.example"), ("evil.example", "a")])
def test_a_request_has_one_host(hosts, lines):
    headers = [(b"host", host.encode()) for host in hosts]
    assert Exchange(unasked, b"", headers=headers).statuses == [421]
    assert f"the host '{', '.join(hosts)}' is not this server" in lines()[0]


@pytest.mark.parametrize(
    ("length", "status"),
    [("0", 200), ("9", 200), ("10", 413), ("1" * 5_000, 413), ("-1", 413), ("x", 413), ("", 413)],
    ids=lambda value: str(value)[:9],
)
def test_a_length_that_is_stated_is_at_most_the_limit(length, status):
    headers = [(b"host", b"a"), (b"content-length", length.encode())]
    exchange = Exchange(reading, b"", headers=headers)
    assert exchange.statuses == [status]
    # A body that is too long is not read.
    assert len(exchange.parts) == (status == 413)


@pytest.mark.parametrize("parts", [[b"123456789"], [b"12345", b"6789"]])
def test_a_body_may_have_as_many_bytes_as_the_limit(parts, lines):
    exchange = Exchange(reading, *parts)
    assert exchange.statuses == [200]
    assert exchange.sent[-1]["body"] == b"read"
    assert lines() == []


@pytest.mark.parametrize("parts", [[b"1234567890"], [b"12345", b"67890", b"1"]])
def test_a_body_without_a_length_ends_at_the_limit_for_the_application(parts, lines):
    exchange = Exchange(reading, *parts, b"never wanted")
    assert exchange.statuses == [413]
    assert exchange.sent[-1]["body"] == b"the request is longer than 9 bytes"
    assert len(exchange.sent) == 2
    assert lines() == ["refused POST '/mcp' of unknown: the request is longer than 9 bytes"]


def test_an_application_that_fails_over_a_refused_body_is_no_error_of_the_server(lines):
    async def fail(_, receive, __):
        if (await receive())["type"] == "http.disconnect":
            raise ConnectionError("the client is gone")

    assert Exchange(fail, b"1234567890").statuses == [413]
    assert len(lines()) == 1


def test_a_body_that_grows_too_long_after_the_start_of_the_response_has_no_second_one(lines):
    async def answer_first(_, receive, send):
        await send({"type": "http.response.start", "status": 200})
        await receive()

    assert Exchange(answer_first, b"1234567890").statuses == [200]
    assert len(lines()) == 1


@pytest.mark.parametrize(("starts", "statuses"), [(False, [500]), (True, [200])])
def test_an_error_of_the_application_is_logged_and_answered_once(
    starts, statuses, lines, monkeypatch, tmp_path
):
    monkeypatch.setenv("OPENCODER_CACHE", str(tmp_path))

    async def fail(_, __, send):
        if starts:
            await send({"type": "http.response.start", "status": 200})
        raise KeyError("a secret")

    exchange = Exchange(fail)
    assert exchange.statuses == statuses
    [line] = lines()
    assert line.startswith("KeyError: 'a secret'; ")
    assert b"a secret" not in exchange.sent[-1].get("body", b"")


def test_a_header_of_the_application_is_not_repeated():
    async def answer(_, __, send):
        own = [(b"Referrer-Policy", b"origin")]
        await send({"type": "http.response.start", "status": 200, "headers": own})

    headers = Exchange(answer).headers
    assert [value for name, value in headers if name.lower() == b"referrer-policy"] == [b"origin"]
    assert (b"x-content-type-options", b"nosniff") in headers


def test_a_refused_body_is_read_before_the_reply_so_that_the_client_gets_it():
    exchange = Exchange(unasked, b"1234", b"5678", headers=FOREIGN)
    assert (exchange.statuses, exchange.parts) == ([403], [])
    assert (b"connection", b"close") in exchange.headers


def test_a_refused_body_that_is_too_long_is_read_up_to_the_limit():
    exchange = Exchange(unasked, *[b"12345"] * 9, headers=FOREIGN)
    assert (exchange.statuses, len(exchange.parts)) == ([403], 7)


def test_a_silent_client_has_its_refusal_after_a_short_time(monkeypatch):
    monkeypatch.setattr(http_guard, "_DRAIN_SECONDS", 0.0)
    assert Exchange(unasked, headers=FOREIGN).statuses == [403]


def test_a_client_without_a_token_is_told_which_kind_is_asked_for():
    async def ask(scope, receive, send):
        guard = RequestGuard(unasked, Admission("a", token=TOKEN), open_paths=("/",), max_body=9)
        await guard(scope, receive, send)

    exchanges = [Exchange(ask, b""), Exchange(unasked, b"", headers=FOREIGN)]
    stated = [(b"www-authenticate", b"Bearer") in exchange.headers for exchange in exchanges]
    assert [exchange.statuses for exchange in exchanges] == [[401], [403]]
    assert stated == [True, False]


@pytest.mark.parametrize("kind", ["lifespan", "websocket"])
def test_only_the_start_and_the_end_of_the_server_pass_unchecked(kind):
    passed = []

    async def app(scope, *_):
        passed.append(scope["type"])

    exchange = Exchange(app, type=kind)
    assert passed == (["lifespan"] if kind == "lifespan" else [])
    assert exchange.sent == []


@pytest.mark.parametrize(
    ("headers", "method", "status"),
    [
        ({"origin": "https://A:1"}, "POST", 200),
        ({"origin": "HTTP://a:1"}, "POST", 200),
        ({"origin": "ftp://a:1"}, "POST", 403),
        ({"sec-fetch-site": "same-origin"}, "POST", 200),
        ({"sec-fetch-site": "none"}, "POST", 200),
        ({"sec-fetch-site": "cross-site"}, "POST", 403),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}, "POST", 403),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}, "GET", 200),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "cors"}, "GET", 403),
    ],
    ids=str,
)
def test_a_browser_says_which_page_asks(headers, method, status):
    stated = {"host": "A:1", **headers}
    encoded = [(name.encode(), value.encode()) for name, value in stated.items()]
    assert Exchange(reading, b"", headers=encoded, method=method).statuses == [status]


def test_the_line_of_a_refusal_is_short_and_shows_no_foreign_character(lines):
    client = ("192.0.2.9", 50_000)
    Exchange(unasked, b"", headers=FOREIGN, path="/\u202e\n\u0430" + "x" * 900, client=client)
    [line] = lines()
    assert line.startswith("refused POST '/\\u202e\\n\\u0430xxx")
    assert line.endswith("...' of 192.0.2.9: the page of 'http://evil.example' may not ask")
    assert len(line) < 200


def test_an_address_of_ipv6_is_admitted_in_brackets_and_in_every_case():
    assert Admission("2001:DB8::1").admits_host("[2001:db8::1]:8600")
    assert Admission("2001:db8::1").admits_host("[2001:DB8::1]")
    assert not Admission("2001:db8::1").admits_host("[2001:db8::2]")


def test_spaces_around_a_token_are_no_part_of_it():
    assert Admission("a", token=TOKEN).admits_token(f"Bearer  {TOKEN} ")


def test_what_is_too_long_never_reaches_the_application():
    received = []

    async def collect(_, receive, __):
        received.append(await receive())
        received.append(await receive())

    assert Exchange(collect, b"12345", b"67890", b"1").statuses == [413]
    assert [message.get("body") for message in received] == [b"12345", None]
    assert received[-1] == {"type": "http.disconnect"}


def test_of_two_tokens_the_first_one_counts():
    def status(*tokens):
        headers = [(b"host", b"a"), *((b"authorization", f"Bearer {t}".encode()) for t in tokens)]

        async def ask(scope, receive, send):
            admission = Admission("a", token=TOKEN)
            await RequestGuard(reading, admission, open_paths=(), max_body=9)(scope, receive, send)

        return Exchange(ask, b"", headers=headers).statuses

    assert (status(TOKEN, "wrong"), status("wrong", TOKEN)) == ([200], [401])
