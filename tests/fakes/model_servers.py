"""A server with OpenAI's interface on loopback, in this process: it records requests and fails as told."""

import json
import re
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Event, Thread
from zlib import crc32

from tests.fakes.waiting import FAR

MODEL = "stub-model"
PAUSE = 0.2
"""Seconds in which a request too many would arrive."""
INSTRUCTION = "Reply with exactly one of these and nothing else: "


class Page:
    """A reply that is not the usual JSON."""

    def __init__(self, content: str, status: int = 200, kind: str = "application/json", **headers):
        self.content, self.status, self.kind, self.headers = content, status, kind, headers


def error(status: int, message: str = "no") -> Page:
    # The client would wait for seconds; a server may say how long.
    headers = {"retry-after-ms": "1"}
    return Page(json.dumps({"error": {"message": message}}), status, **headers)


HANG = object()
"""The request is never answered."""
DROP = object()
"""The connection is closed without a reply."""


def logprobs(**tokens: float) -> dict:
    """Return a report on the first token, by the log-probability of each text; `_A` is ` A`."""
    top = [{"token": text.replace("_", " "), "logprob": value} for text, value in tokens.items()]
    return {"content": [{"token": top[0]["token"], "logprob": 0.0, "top_logprobs": top}]}


def completion(
    text: str | None, *, finish="stop", usage=(31, 7), logprobs=None, cached=None
) -> dict:
    document = {
        "id": "1",
        "object": "chat.completion",
        "created": 0,
        "model": MODEL,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text},
                "finish_reason": finish,
                "logprobs": logprobs,
            }
        ],
    }
    if usage:
        document["usage"] = {
            "prompt_tokens": usage[0],
            "completion_tokens": usage[1],
            "total_tokens": sum(usage),
        }
        if cached is not None:
            document["usage"]["prompt_tokens_details"] = {"cached_tokens": cached}
    return document


def as_stream(document: dict, *, with_usage: bool) -> Page:
    """Return a completion as a server streams it: one event a word, then the end, then the usage."""
    base = {key: document[key] for key in ("id", "created", "model")}
    base["object"] = "chat.completion.chunk"
    [choice] = document["choices"]

    def event(delta: dict, finish: str | None = None) -> dict:
        return {**base, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    words = re.findall(r"\s*\S+", choice["message"]["content"])
    events = [event({"role": "assistant", "content": ""})]
    events += [event({"content": word}) for word in words]
    events.append(event({}, choice["finish_reason"]))
    if with_usage:
        events.append({**base, "choices": [], "usage": document["usage"]})
    lines = [*(json.dumps(event) for event in events), "[DONE]"]
    return Page("".join(f"data: {line}\n\n" for line in lines), kind="text/event-stream")


def options_of(prompt: str) -> list[str]:
    return prompt.rsplit(INSTRUCTION, 1)[-1].split(", ") if INSTRUCTION in prompt else []


def answer_by_prompt(body: dict) -> dict:
    """Answer as a server that knows log-probabilities and whose texts depend on the request alone."""
    prompt = body["messages"][-1]["content"]
    # Without a temperature a server takes its own, which is not 0.
    seed = body.get("seed") if body.get("temperature", 1.0) else 0
    number = crc32(f"{prompt}{seed}".encode())
    if body.get("logprobs"):
        top = {"A": -1.0, "B": -2.0, "_3": -1.5, "2": -2.5}
        return completion("A", usage=(len(prompt), 1), logprobs=logprobs(**top))
    return completion(f"because of {number}", usage=(len(prompt), 3))


def answer_in_text(body: dict) -> dict | Page:
    """Answer as a server that knows neither log-probabilities nor schemas."""
    if body.get("logprobs") or body.get("response_format"):
        return error(400, "unknown field")
    options = options_of(body["messages"][-1]["content"])
    return completion(options[0] if options else "because")


def answer_by_schema(body: dict) -> dict | Page:
    """Answer as a server that ignores the wish for log-probabilities and knows schemas."""
    if form := body.get("response_format"):
        options = form["json_schema"]["schema"]["properties"]["choice"]["enum"]
        return completion(json.dumps({"choice": options[-1]}))
    return completion("because")


def refusing(answer: Callable[[dict], object], *fields: str, status: int = 400) -> Callable:
    """Return an answer that refuses requests with any of these fields."""

    def refuse(body: dict) -> object:
        refused = [field for field in fields if field in body]
        return error(status, f"unsupported: {refused}") if refused else answer(body)

    return refuse


class ModelServer:
    """The server; as a context manager it runs until the end of the block."""

    def __init__(self, answer: Callable[[dict], object] = answer_by_prompt, **entry) -> None:
        self.answer = answer
        self.entries: list[dict] = [{"id": MODEL, "object": "model", "owned_by": "stub", **entry}]
        self.models: object = None
        """In place of the list of models; a function is called for each request."""
        self.props: object = error(404)
        self.tags: object = error(404)
        """Ollama's own list of models."""
        self.bodies: list[dict] = []
        self.headers: list[dict] = []
        self.peak = 0
        self.hold_until = 0
        """Requests wait until so many run at the same time; 0 for none."""
        self._active = 0
        self._changed = Condition()
        self._closed = Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self) -> "ModelServer":
        Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()

    def get(self, path: str) -> object:
        if path == "/v1/models":
            models = self.models() if callable(self.models) else self.models
            return models or {"object": "list", "data": self.entries}
        return {"/props": self.props, "/api/tags": self.tags}.get(path, error(404))

    def post(self, path: str, body: dict, headers: dict) -> object:
        if path != "/v1/chat/completions":
            return error(404)
        with self._changed:
            self.bodies.append(body)
            self.headers.append(headers)
            self._active += 1
            self.peak = max(self.peak, self._active)
            self._changed.notify_all()
            self._hold()
        try:
            document = self.answer(body)
            if body.get("stream") and isinstance(document, dict):
                usage = body.get("stream_options", {}).get("include_usage", False)
                return as_stream(document, with_usage=usage)
            return document
        finally:
            with self._changed:
                self._active -= 1

    def _hold(self) -> None:
        if self.hold_until:
            limit = self.hold_until
            assert self._changed.wait_for(lambda: self.peak >= limit, FAR)
            # A client without a limit would send more meanwhile.
            self._changed.wait_for(lambda: self.peak > limit, PAUSE)

    def wait_for_end(self) -> None:
        self._closed.wait(FAR)

    def texts(self) -> list[str]:
        return [body["messages"][-1]["content"] for body in self.bodies]


def _handler(server: ModelServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        # HTTP/1.0, the default: no connection stays open in the clients that a process keeps.
        def do_GET(self):
            self.reply(server.get(self.path))

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.reply(server.post(self.path, body, headers))

        def reply(self, document):
            if document is HANG:
                server.wait_for_end()
            if document is HANG or document is DROP:
                self.close_connection = True
                return
            page = document if isinstance(document, Page) else Page(json.dumps(document))
            content = page.content.encode()
            self.send_response(page.status)
            self.send_header("Content-Type", page.kind)
            self.send_header("Content-Length", str(len(content)))
            for name, value in page.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    return Handler
