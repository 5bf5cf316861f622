"""The application of the ask page: its files, its settings, and the events of a question."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from importlib.resources import files
from socket import socket
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from graph.html import shared_scripts, stylesheet
from graph.schema import Config
from graph.support.text import one_line
from serving.http_guard import Admission, App, Receive, RequestGuard, Scope, Send, log_refusal
from serving.http_server import most_body_bytes, strict_config, until_gone
from serving.page.event_documents import Document, documents
from serving.page.flow_picture import flow_text
from serving.question_queue import BadQuestionError, NoPlaceError, QuestionQueue

_PING_SECONDS = 15
"""A silent connection is closed by some of what stands between; a comment keeps it open."""
_CLIENT_CHARS = 64
_SCRIPTS = (
    "page.js",
    "page_elements.js",
    "question_stream.js",
    "run_view.js",
    "step_view.js",
    "session_history.js",
    "tab_storage.js",
)
_TYPES = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".html": "text/html",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True)
class PageSettings:
    """What the page shows and offers."""

    configs: dict[str, Config]
    """The configs that may be asked, by name."""
    default_config: str
    profile: str
    """The name of the profile."""
    model: str
    """The name of the model that writes."""
    corpus: str
    """The file of the posts."""
    is_embedded: bool
    """Whether the model comes in a package: such models are tiny."""


def page_server(
    queue: QuestionQueue, settings: PageSettings, admission: Admission
) -> uvicorn.Server:
    """Return the server of the page; its `run` and `serve` take a socket that listens."""
    ending = asyncio.Event()
    application = _application(queue, settings, admission, ending)
    return _Server(strict_config(application, lifespan="off"), ending)


class _Server(uvicorn.Server):
    """A server that ends the streams of events before it waits for the end of its connections."""

    def __init__(self, config: uvicorn.Config, ending: asyncio.Event) -> None:
        super().__init__(config)
        self._ending = ending

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """End all connections."""
        self._ending.set()
        await super().shutdown(sockets)


def _application(
    queue: QuestionQueue, settings: PageSettings, admission: Admission, ending: asyncio.Event
) -> App:
    """Return the application, behind its guard."""
    contents = _contents()
    steps = {name: flow_text(config) for name, config in settings.configs.items()}

    async def file(request: Request) -> Response:
        name = request.path_params.get("name", "page.html")
        if name not in contents:
            return JSONResponse({"error": "there is no such file"}, 404)
        kind = _TYPES[name[name.rindex(".") :]]
        return Response(contents[name], media_type=kind, headers={"cache-control": "no-cache"})

    async def describe(_: Request) -> Response:
        return _json(
            {
                "configs": steps,
                "default_config": settings.default_config,
                "profile": settings.profile,
                "model": settings.model,
                "corpus": settings.corpus,
                "is_embedded": settings.is_embedded,
                "question_chars": queue.limits.question_chars,
            }
        )

    async def ask(request: Request) -> Response | EventStream:
        try:
            question, config = _question_of(request, await request.body())
            client = request.headers.get("x-opencoder-client", "")[:_CLIENT_CHARS]
            places = AsyncExitStack()
            events = await places.enter_async_context(queue.ask(question, config, client=client))
        except (BadQuestionError, NoPlaceError) as error:
            log_refusal(request.scope, one_line(error))
            status = 429 if isinstance(error, NoPlaceError) else 400
            return _json({"error": str(error)}, status)
        return EventStream(places, documents(events, settings.configs[config]), ending)

    routes = [
        Route("/", file),
        Route("/assets/{name}", file),
        Route("/settings", describe),
        Route("/ask", ask, methods=["POST"]),
    ]
    open_paths = ["/", *(f"/assets/{name}" for name in contents)]
    return RequestGuard(
        Starlette(routes=routes),
        admission,
        open_paths=open_paths,
        max_body=most_body_bytes(queue.limits.question_chars),
    )


class EventStream:
    """A response of server-sent events, which ends its question when the client goes away.

    Args:
        places: Holds the place in the queue; closed with the response.
        events: The documents to send, one for each event.
        ending: Set when the server ends.
    """

    def __init__(
        self, places: AsyncExitStack, events: AsyncIterator[Document], ending: asyncio.Event
    ) -> None:
        self._places = places
        self._events = events
        self._ending = ending

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        """Send the events until the last one, the end of the server, or until the client goes away."""
        async with self._places:
            headers = [
                (b"content-type", b"text/event-stream; charset=utf-8"),
                (b"cache-control", b"no-store"),
                # nginx would hold the events back.
                (b"x-accel-buffering", b"no"),
            ]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            works = (
                self._send_events(send),
                _ping(send),
                self._ending.wait(),
                until_gone(receive),
            )
            tasks = [asyncio.create_task(work) for work in works]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome
        is_gone = outcomes[-1] is None
        if not is_gone:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_events(self, send: Send) -> None:
        async for document in self._events:
            # Escaped: a lone surrogate of a text has no other form.
            await _send_part(send, f"data: {json.dumps(document, allow_nan=False)}\n\n")


async def _ping(send: Send) -> None:
    while True:
        await asyncio.sleep(_PING_SECONDS)
        await _send_part(send, ": the question is still in work\n\n")


async def _send_part(send: Send, text: str) -> None:
    await send({"type": "http.response.body", "body": text.encode(), "more_body": True})


def _question_of(request: Request, body: bytes) -> tuple[str, str]:
    """Return the question and the name of the config of a request.

    Raises:
        BadQuestionError: The body is no JSON object with both.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    document: Any = None
    # A nested document of thousands of levels is a RecursionError.
    with suppress(ValueError, RecursionError):
        document = json.loads(body)
    fields = document if isinstance(document, dict) else {}
    question, config = fields.get("question"), fields.get("config")
    if kind != "application/json" or not isinstance(question, str) or not isinstance(config, str):
        raise BadQuestionError(
            'send a JSON object, {"question": "...", "config": "..."}, as application/json'
        )
    return question, config


def _json(document: object, status: int = 200) -> Response:
    text = json.dumps(document, allow_nan=False)
    headers = {"cache-control": "no-store"}
    return Response(text, status, headers=headers, media_type="application/json")


def _contents() -> dict[str, str]:
    """Return the files of the page by name; a request names one of them, and never a path."""
    folder = files("serving").joinpath("page", "assets")
    names = ("page.html", "page.css", "icon.svg", *_SCRIPTS)
    contents = {name: folder.joinpath(name).read_text(encoding="utf-8") for name in names}
    return {**contents, **shared_scripts(), "style.css": stylesheet()}
