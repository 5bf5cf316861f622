"""The application of the page without a connection: its replies, and how a stream of events ends."""

import asyncio
import json
import re
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from graph.config import load_config
from graph.html import shared_scripts
from serving.http_guard import Admission
from serving.page import application
from serving.page.application import EventStream, PageSettings, page_server
from serving.question_queue import Limits, NoPlaceError, Started
from tests.fakes.waiting import FAR

TOKEN = "a-token-of-sixteen"
QUESTION = {"question": "why?", "config": "baseline"}


class AskedQueue:
    """A queue that records who asks; each question has started, and never ends by itself."""

    def __init__(self, *, is_full=False, **limits):
        self.limits = Limits(**limits)
        self.asked = []
        self.left = 0
        self._is_full = is_full

    @asynccontextmanager
    async def ask(self, question, config, *, client):
        self.asked.append((question, config, client))
        if self._is_full:
            raise NoPlaceError("no place")

        async def events():
            yield Started()
            await asyncio.Event().wait()

        try:
            yield events()
        finally:
            self.left += 1


class Response:
    """The reply of the page to a request of a client that goes away once it has read a part of the events."""

    def __init__(self, path, queue=None, body=None, token=None, **headers):
        content = b"" if body is None else json.dumps(body).encode()
        stated = {"host": "localhost", **headers}
        self.sent = []
        self._parts = [{"type": "http.request", "body": content}]
        self._has_read = asyncio.Event()
        scope = {
            **{"type": "http", "path": path, "query_string": b"", "client": None},
            "method": "GET" if body is None else "POST",
            "headers": [
                (name.replace("_", "-").encode(), value.encode()) for name, value in stated.items()
            ],
        }
        settings = PageSettings(
            {"baseline": load_config("baseline")}, "baseline", "p", "m", "c", False
        )
        server = page_server(queue or AskedQueue(), settings, Admission("127.0.0.1", (), token))
        asyncio.run(asyncio.wait_for(server.config.app(scope, self._receive, self._send), FAR))
        self.status = self.sent[0]["status"]
        self.headers = {name.decode(): value.decode() for name, value in self.sent[0]["headers"]}
        self.body = b"".join(message.get("body", b"") for message in self.sent)

    async def _receive(self):
        if not self._parts:
            await self._has_read.wait()
            return {"type": "http.disconnect"}
        return self._parts.pop()

    async def _send(self, message):
        self.sent.append(message)
        if message.get("body"):
            self._has_read.set()


JSON = {"content_type": "application/json"}


def test_a_client_that_leaves_is_sent_nothing_more_and_leaves_the_queue():
    queue = AskedQueue()
    response = Response("/ask", queue, QUESTION, **JSON, x_opencoder_client="a tab")
    assert response.status == 200
    assert queue.asked == [("why?", "baseline", "a tab")]
    assert queue.left == 1
    assert response.body.startswith(b'data: {"type": "started"')
    assert response.sent[-1]["more_body"] is True
    # What stands between must not hold the events back.
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert response.headers["x-accel-buffering"] == "no"
    assert response.headers["cache-control"] == "no-store"


def test_of_the_name_of_a_client_only_the_start_is_kept():
    queue = AskedQueue()
    Response("/ask", queue, QUESTION, **JSON, x_opencoder_client="x" * 9_999)
    [(_, _, client)] = queue.asked
    assert client == "x" * 64


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/json; charset=utf-8", 200),
        ("Application/JSON ;x", 200),
        ("application/jsonp", 400),
        ("text/plain", 400),
        ("application/x-www-form-urlencoded", 400),
    ],
)
def test_a_question_is_sent_as_json(kind, status):
    assert Response("/ask", None, QUESTION, content_type=kind).status == status


def test_a_full_queue_is_another_status_than_a_bad_question():
    response = Response("/ask", AskedQueue(is_full=True), QUESTION, **JSON)
    assert (response.status, json.loads(response.body)) == (429, {"error": "no place"})


def test_the_page_knows_the_limit_of_a_question():
    response = Response("/settings", AskedQueue(question_chars=50_000))
    assert json.loads(response.body) == {
        "configs": {"baseline": "generate"},
        "default_config": "baseline",
        "profile": "p",
        "model": "m",
        "corpus": "c",
        "is_embedded": False,
        "question_chars": 50_000,
    }
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(("length", "status"), [("600000", 200), ("600001", 413)])
def test_a_request_may_be_as_long_as_its_longest_question(length, status):
    queue = AskedQueue(question_chars=50_000)
    assert Response("/ask", queue, QUESTION, **JSON, content_length=length).status == status


@pytest.mark.parametrize(
    ("path", "status", "kind"),
    [
        ("/", 200, "text/html; charset=utf-8"),
        ("/assets/page.js", 200, "text/javascript; charset=utf-8"),
        ("/assets/page.css", 200, "text/css; charset=utf-8"),
        ("/assets/style.css", 200, "text/css; charset=utf-8"),
        ("/assets/step_words.js", 200, "text/javascript; charset=utf-8"),
        ("/assets/icon.svg", 200, "image/svg+xml"),
        ("/assets/none.js", 401, None),
        ("/settings", 401, None),
    ],
)
def test_only_the_files_of_the_page_need_no_token(path, status, kind):
    response = Response(path, token=TOKEN)
    assert response.status == status
    if kind:
        assert response.headers["content-type"] == kind
        # A browser asks each time whether a file is still the same.
        assert response.headers["cache-control"] == "no-cache"


def test_the_page_loads_the_shared_scripts_before_its_modules():
    page = Response("/").body.decode()
    scripts = re.findall(r'<script (\w+)(?:="module")? src="/assets/([\w.]+)">', page)
    assert scripts == [*(("defer", name) for name in shared_scripts()), ("type", "page.js")]


def test_the_modules_take_from_the_shared_scripts_only_functions_that_these_declare():
    # Of a plain script, only functions are properties of `globalThis`.
    functions = set(re.findall(r"^function (\w+)", "\n".join(shared_scripts().values()), re.M))
    names = set()
    for name in ("page_elements.js", "step_view.js"):
        module = Response(f"/assets/{name}").body.decode()
        for imported in re.findall(r"const \{([^}]+)\} = globalThis", module):
            names |= set(re.findall(r"\w+", imported))
    assert {"element", "candidateName", "costText"} <= names <= functions


class Stream:
    """A stream of events of a client that stays."""

    def __init__(self):
        self.ending = asyncio.Event()
        self.is_left = False
        self.sent = []
        self.has_pinged = asyncio.Event()

    async def _leave(self):
        self.is_left = True

    async def _stay(self):
        await asyncio.Event().wait()

    async def _send(self, message):
        self.sent.append(message)
        if message.get("body", b"").startswith(b": "):
            self.has_pinged.set()

    def run(self, events):
        """Send events to the end; return the bodies that were sent."""

        async def respond():
            places = AsyncExitStack()
            places.push_async_callback(self._leave)
            await EventStream(places, events(), self.ending)({}, self._stay, self._send)

        asyncio.run(asyncio.wait_for(respond(), FAR))
        return [message["body"] for message in self.sent[1:]]


def test_a_stream_ends_with_its_last_event():
    async def events():
        yield {"type": "failed", "message": "\ud800"}

    stream = Stream()
    assert stream.run(events) == [b'data: {"type": "failed", "message": "\\ud800"}\n\n', b""]
    assert [message["more_body"] for message in stream.sent[1:]] == [True, False]
    assert stream.is_left


def test_the_end_of_the_server_ends_a_stream():
    stream = Stream()

    async def events():
        yield {"type": "started"}
        stream.ending.set()
        await asyncio.Event().wait()

    assert stream.run(events) == [b'data: {"type": "started"}\n\n', b""]
    assert stream.is_left


def test_a_fault_in_an_event_is_one_of_the_server_and_leaves_the_queue():
    async def events():
        yield {"type": "started"}
        raise KeyError("a fault")

    stream = Stream()
    with pytest.raises(KeyError):
        stream.run(events)
    assert stream.is_left
    # A stream that was cut must not look like a whole one.
    assert stream.sent[-1]["more_body"] is True


def test_a_silent_stream_is_kept_open(monkeypatch):
    # Proxies close a connection that is silent for a minute.
    assert application._PING_SECONDS <= 30
    monkeypatch.setattr(application, "_PING_SECONDS", 0.0)
    stream = Stream()

    async def events():
        await stream.has_pinged.wait()
        yield {"type": "started"}

    bodies = stream.run(events)
    assert bodies[0] == b": the question is still in work\n\n"
    assert b'data: {"type": "started"}\n\n' in bodies
