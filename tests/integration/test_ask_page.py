"""The application of the ask page over real connections: events, many clients, refusals."""

import http.client
import json
import logging
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from time import monotonic

import pytest

from serving.http_guard import POLICY
from tests.fakes.page_servers import DRAFT, FAILING, REFINED, PageServer
from tests.fakes.waiting import FAR, wait_until
from tests.integration.loopback import allow_this_machine

TOKEN = "a-token-of-some-length"
QUESTION = {"question": "why?", "config": "baseline"}


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    """Replace the fixture of all tests, which allows no connection to this machine either."""
    allow_this_machine(monkeypatch)


@pytest.fixture(scope="module")
def server():
    with PageServer(seconds=0.2, waiting=32) as server:
        yield server


@pytest.fixture(scope="module")
def guarded():
    with PageServer(seconds=0, token=TOKEN, names=["Code.Example"]) as server:
        yield server


@pytest.fixture
def lines(caplog):
    """Return the lines of the log so far."""
    caplog.set_level(logging.INFO, "opencoder")
    return lambda: [record.getMessage() for record in caplog.records]


def test_the_documents_of_a_question_stand_in_the_order_of_its_steps(server):
    documents = server.ask("why?", "semantic")
    kinds = [document["type"] for document in documents if document["type"] != "chunk"]
    assert kinds == ["queued", "started", *["step_started", "step"] * 4, "answered"]
    steps = {d["step"]["node"]: d for d in documents if d["type"] == "step"}
    assert list(steps) == ["retrieve", "generate", "critique", "refine"]
    assert [p["title"] for p in steps["retrieve"]["step"]["passages"]] == [
        "title 1",
        "title 2",
        "title 3",
    ]
    assert "<code>sorted</code>" in steps["retrieve"]["step"]["passages"][0]["text_html"]
    assert steps["generate"]["cost"]["new_tokens"] == 3
    changes = steps["refine"]["changes"]
    assert "".join(text for kind, text in changes if kind != "inserted") == DRAFT
    assert "".join(text for kind, text in changes if kind != "deleted") == REFINED
    assert documents[-1]["answer"] == REFINED
    assert 'href="#passage-2"' in documents[-1]["answer_html"]
    texts = [d["text"] for d in documents if d["type"] == "chunk" and d["node"] == "refine"]
    assert "".join(texts) == REFINED
    assert len(texts) > 5
    assert 'data-node="critique"' in documents[1]["picture_html"]


def test_twenty_questions_of_five_clients_are_answered_and_none_is_crossed(server):
    def ask(number):
        return server.ask(f"question {number}", **{"X-OpenCoder-Client": f"client {number % 5}"})

    with ThreadPoolExecutor(20) as pool:
        results = list(pool.map(ask, range(20)))
    for number, documents in enumerate(results):
        assert documents[-1]["answer"] == f"echo of question {number}"
    positions = [
        [d["position"] for d in documents if d["type"] == "queued"] for documents in results
    ]
    assert all(own == sorted(own, reverse=True) for own in positions)
    assert max(map(max, positions)) == 18
    assert server.engine.most_running == 1


@pytest.mark.parametrize("is_waiting", [False, True])
def test_a_client_that_goes_away_frees_its_place_within_a_second(is_waiting):
    with PageServer(lambda _: "word " * 5_000, seconds=500) as server:
        connections = []
        for _ in range(1 + is_waiting):
            connection = http.client.HTTPConnection("127.0.0.1", server.port)
            connection.request(
                "POST", "/ask", json.dumps(QUESTION), {"Content-Type": "application/json"}
            )
            connections.append(connection)
        queue = server.queue
        wait_until(lambda: server.engine.running and queue.waiting == is_waiting)
        start = monotonic()
        connections.pop().close()
        wait_until(lambda: (queue.running + queue.waiting) == is_waiting)
        assert monotonic() - start < 1
        for connection in connections:
            connection.close()
        wait_until(lambda: not queue.running and not server.engine.running)


def test_the_end_of_the_server_ends_the_events_and_their_questions(lines):
    with PageServer(lambda _: "word " * 5_000, seconds=500) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        connection.request(
            "POST", "/ask", json.dumps(QUESTION), {"Content-Type": "application/json"}
        )
        response = connection.getresponse()
        while b"chunk" not in response.readline():
            pass
        server.end()
        assert b"answered" not in response.read()
        wait_until(lambda: not server.engine.running)
    connection.close()
    assert lines() == []


def test_a_failed_step_is_an_event_and_the_server_goes_on(server, monkeypatch, tmp_path):
    monkeypatch.setenv("OPENCODER_CACHE", str(tmp_path))
    assert server.ask(FAILING, "semantic")[-1] == {
        "type": "failed",
        "message": "ValueError: the model <b>fails</b> here",
        "node": "generate",
    }
    assert server.ask("again")[-1]["answer"] == "echo of again"


@pytest.mark.parametrize("path", ["", "assets/page.js", "settings", "assets/none.js", "none"])
def test_every_reply_has_the_headers_that_protect_it(server, path):
    with closing(http.client.HTTPConnection("127.0.0.1", server.port)) as connection:
        connection.request("GET", f"/{path}")
        headers = connection.getresponse().headers
    assert headers["content-security-policy"] == POLICY
    assert "unsafe" not in POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize(
    "path", ["assets/../application.py", "assets/%2e%2e/application.py", "assets/application.py"]
)
def test_no_file_beside_those_of_the_page_is_served(server, path):
    assert server.request(path)[0] == 404


@pytest.mark.parametrize(
    ("headers", "status", "reason"),
    [
        ({"Host": "evil.example"}, 421, "the host 'evil.example' is not this server"),
        ({"Host": "127.0.0.1.evil.example"}, 421, "is not this server"),
        ({"Host": "192.0.2.1"}, 421, "is not this server"),
        ({"Host": ""}, 421, "is not this server"),
        ({"Host": "x" * 5_000}, 421, "is not this server"),
        ({"Origin": "http://evil.example"}, 403, "the page of 'http://evil.example' may not ask"),
        ({"Origin": "null"}, 403, "the page of 'null' may not ask"),
        ({"Origin": "http://127.0.0.1:1"}, 403, "may not ask"),
        ({"Sec-Fetch-Site": "cross-site"}, 403, "another site's page may not ask"),
        ({"Sec-Fetch-Site": "same-site"}, 403, "another site's page may not ask"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_foreign_request_is_refused_and_logged_in_one_line(
    server, lines, headers, status, reason
):
    assert server.request(body=QUESTION, **headers)[0] == status
    [line] = lines()
    assert line.startswith("refused POST '/ask' of 127.0.0.1: ")
    assert reason in line
    assert line.isprintable()
    assert len(line) < 500
    assert server.queue.running == 0


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "LOCALHOST:1", "[::1]:80"])
def test_every_name_of_this_machine_is_a_host(server, host):
    assert server.request("settings", Host=host)[0] == 200


def test_a_link_on_another_page_leads_to_this_one(server):
    visit = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert server.request("", **visit)[0] == 200
    assert server.request(body=QUESTION, **visit)[0] == 403


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": TOKEN}, 401),
        ({"Authorization": f"Bearer {TOKEN}x"}, 401),
        ({"Authorization": f"Bearer {TOKEN}"}, 200),
    ],
    ids=lambda value: str(value)[:40],
)
def test_with_a_token_only_who_states_it_may_ask(guarded, lines, authorization, status):
    assert guarded.request(body=QUESTION, **authorization)[0] == status
    assert guarded.request("settings", **authorization)[0] == status
    assert len(lines()) == (0 if status == 200 else 2)
    assert TOKEN not in "".join(lines())
    # The page itself holds nothing.
    assert guarded.request("")[0] == 200


def test_the_names_of_a_proxy_are_hosts(guarded):
    assert guarded.request("", Host="code.example")[0] == 200
    assert guarded.request("", Host="code.example.evil")[0] == 421


def test_a_question_of_a_megabyte_is_refused_before_it_is_read(server, lines):
    with closing(socket.create_connection(("127.0.0.1", server.port))) as connection:
        connection.settimeout(FAR)
        connection.sendall(
            b"POST /ask HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: 1000000\r\n\r\n"
        )
        # Not one byte of the body is sent.
        reply = connection.makefile("rb").read()
    assert reply.startswith(b"HTTP/1.1 413 ")
    [line] = lines()
    assert line.endswith("the request is longer than 300,000 bytes")


def test_a_body_without_a_length_is_read_up_to_the_limit_only(server, lines):
    # The server reads them all, and waits for the end of the chunk.
    chunk = b"fffff\r\n" + b"x" * 300_001
    with closing(socket.create_connection(("127.0.0.1", server.port))) as connection:
        connection.settimeout(FAR)
        connection.sendall(
            b"POST /ask HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n" + chunk
        )
        reply = connection.makefile("rb").read()
    assert reply.startswith(b"HTTP/1.1 413 ")
    assert len(lines()) == 1


@pytest.mark.parametrize("length", ["-1", "x", "1" * 5_000, "300001"])
def test_a_length_that_is_none_is_refused(server, length):
    with closing(socket.create_connection(("127.0.0.1", server.port))) as connection:
        connection.settimeout(FAR)
        connection.sendall(
            f"POST /ask HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n".encode()
        )
        reply = connection.makefile("rb").read()
    assert reply.split()[1] in (b"400", b"413")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"question": "", "config": "baseline"}, "the question is empty"),
        ({"question": "x" * 20_001, "config": "baseline"}, "the question has 20,001 characters"),
        (
            {"question": "\U0001f600" * 20_001, "config": "baseline"},
            "the question has 20,001 characters",
        ),
        ({"question": "why?", "config": "nothing"}, "there is no config 'nothing'"),
        ({"question": "why?"}, "send a JSON object"),
        ({"question": 5, "config": "baseline"}, "send a JSON object"),
        ([], "send a JSON object"),
        (b"{", "send a JSON object"),
        (b"\xff\xfe", "send a JSON object"),
        (b"[" * 200_000, "send a JSON object"),
        (b"", "send a JSON object"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_bad_question_is_refused_in_one_line(server, lines, body, message):
    status, text = server.request(body=body)
    assert status == 400
    assert json.loads(text)["error"].startswith(message)
    [line] = lines()
    assert line.startswith("refused POST '/ask' of 127.0.0.1: " + message)


def test_the_longest_question_fits_into_a_request(server):
    assert server.ask("\U0001f600" * 20_000)[-1]["type"] == "answered"


def test_a_form_of_another_page_cannot_ask(server):
    # A page may send text/plain to any server without asking it first.
    status, text = server.request(body=QUESTION, **{"Content-Type": "text/plain"})
    assert (status, "send a JSON object" in text) == (400, True)


def test_a_client_with_too_many_questions_is_told_so(server):
    name = {"X-OpenCoder-Client": "one"}
    with ThreadPoolExecutor(5) as pool:
        statuses = list(pool.map(lambda n: server.request(body=QUESTION, **name)[0], range(5)))
    assert sorted(statuses) == [200, 200, 200, 200, 429]
