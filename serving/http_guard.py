"""The guard before a server: who may ask, how much, and what a browser may do with the reply.

It refuses foreign `Host` headers (a name that an attacker pointed at this machine: DNS rebinding),
requests that another site's page makes, requests without the token, and bodies that are too long,
before the body is read. Each refusal is one line of the log.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from hmac import compare_digest
from ipaddress import ip_address
from typing import Any

from graph.support.fault_log import describe_fault
from graph.support.logger import log

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types opencoder",
    ]
)
_HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]\s]+)(?::\d+)?")
_LOGGED_CHARS = 80
_DRAIN_SECONDS = 1.0


@dataclass(frozen=True)
class Admission:
    """Who may ask.

    Args:
        address: The address that the server listens on.
        names: Further host names under which it may be reached.
        token: What each request must state; None asks for none.
        any_name: Whether every host name is admitted. No page of an attacker's name knows the token, so
            that a server with one can do without the check.
    """

    address: str
    names: Collection[str] = ()
    token: str | None = None
    any_name: bool = False

    def admits_host(self, host: str) -> bool:
        """Tell whether a `Host` header names this server."""
        name = host_name(host)
        if self.any_name or not name:
            return bool(name)
        if name in (*_LOOPBACK_NAMES, *(name.lower() for name in self.names)):
            return True
        # An attacker's page has a name. Nobody can point an address of digits elsewhere.
        bare = name.strip("[]")
        return bare == self.address.lower() or (is_wildcard(self.address) and is_address(bare))

    def admits_token(self, authorization: str) -> bool:
        """Tell whether an `Authorization` header states the token, in constant time."""
        if self.token is None:
            return True
        scheme, _, token = authorization.partition(" ")
        is_token = compare_digest(token.strip().encode(), self.token.encode())
        return is_token and scheme.lower() == "bearer"


class RequestGuard:
    """An ASGI application that lets requests pass to another one, or refuses them.

    Args:
        app: The application behind it.
        admission: Who may ask.
        open_paths: Paths that need no token: they hold nothing but the page itself.
        max_body: The most bytes of a request.
    """

    def __init__(
        self, app: App, admission: Admission, *, open_paths: Collection[str], max_body: int
    ) -> None:
        self._app = app
        self._admission = admission
        self._open_paths = frozenset(open_paths)
        self._max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            # Nothing here takes a WebSocket.
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send, self._max_body)
        refusal = self._refusal(scope)
        if refusal:
            await exchange.refuse(*refusal)
            return
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except Exception as error:
            # The application takes a refused body for a connection that was lost.
            if exchange.is_refused:
                return
            log.error("%s", describe_fault(error))
            if not exchange.has_started:
                await exchange.send_text(500, "an error of the server: its log has the details")

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Return the status and the reason of a refusal; None if the request may pass."""
        hosts = _values(scope, b"host")
        if len(hosts) != 1 or not self._admission.admits_host(hosts[0]):
            return 421, f"the host {_quoted(', '.join(hosts))} is not this server"
        if reason := _foreign(scope, hosts[0]):
            return 403, reason
        if scope["path"] not in self._open_paths:
            stated = _values(scope, b"authorization")
            if not self._admission.admits_token(stated[0] if stated else ""):
                return (
                    401,
                    "the token is missing or wrong: open the address that the server printed, or send it "
                    "as Authorization: Bearer TOKEN",
                )
        lengths = _values(scope, b"content-length")
        if lengths and not (lengths[0].isdecimal() and int(lengths[0][:12]) <= self._max_body):
            return 413, _too_long(self._max_body)
        return None


def _too_long(max_body: int) -> str:
    return f"the request is longer than {max_body:,} bytes"


class _Exchange:
    """One request and its response, with the headers that every response has."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, max_body: int) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._max_body = max_body
        self._read = 0
        self.has_started = False
        self.is_refused = False

    async def receive(self) -> Message:
        """Receive a part of the request; refuse it once it is too long."""
        message = await self._receive()
        self._read += len(message.get("body", b""))
        if self._read > self._max_body and not self.is_refused:
            await self.refuse(413, _too_long(self._max_body))
        return {"type": "http.disconnect"} if self.is_refused else message

    async def send(self, message: Message) -> None:
        """Send a part of the response, unless the request was refused."""
        if not self.is_refused:
            await self._send_part(message)

    async def _send_part(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.has_started = True
            own = {name.lower() for name, _ in message.get("headers", [])}
            message["headers"] = [
                *message.get("headers", []),
                *((n.encode(), v.encode()) for n, v in _HEADERS.items() if n.encode() not in own),
            ]
        await self._send(message)

    async def refuse(self, status: int, reason: str) -> None:
        """Refuse the request, and log why."""
        log_refusal(self._scope, reason)
        if not self.has_started:
            # A connection that is closed with bytes unread is reset, and its client can lose the reply.
            if status != 413:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._drain(), _DRAIN_SECONDS)
            await self.send_text(status, reason)
        self.is_refused = True

    async def _drain(self) -> None:
        """Read the rest of a request that is not too long."""
        has_more = True
        while has_more and self._read <= self._max_body:
            message = await self._receive()
            self._read += len(message.get("body", b""))
            has_more = message.get("more_body", False)

    async def send_text(self, status: int, text: str) -> None:
        """Send a short text; the connection ends, since the body of the request was not read."""
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
        if status == 401:
            headers.append((b"www-authenticate", b"Bearer"))
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send({"type": "http.response.body", "body": text.encode("utf-8", "replace")})


def log_refusal(scope: Scope, reason: str) -> None:
    """Log the refusal of a request in one line."""
    client = (scope.get("client") or ("unknown",))[0]
    log.warning("refused %s %s of %s: %s", scope["method"], _quoted(scope["path"]), client, reason)


def host_name(host: str) -> str:
    """Return the name of a `Host` header without its port, in lower case; empty if it is none."""
    match = _HOST.fullmatch(host)
    return match[1].lower() if match else ""


def is_address(name: str) -> bool:
    """Tell whether a name is an address of digits."""
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def is_wildcard(address: str) -> bool:
    """Tell whether an address stands for all of this machine."""
    return is_address(address) and ip_address(address).is_unspecified


def _foreign(scope: Scope, host: str) -> str:
    """Return the reason why a request comes from the page of another site; empty if it does not."""
    for origin in _values(scope, b"origin"):
        if origin.lower() not in (f"http://{host.lower()}", f"https://{host.lower()}"):
            return f"the page of {_quoted(origin)} may not ask"
    sites = _values(scope, b"sec-fetch-site")
    # To follow a link to the page is no request of a page.
    is_visit = scope["method"] == "GET" and "navigate" in _values(scope, b"sec-fetch-mode")
    if any(site not in ("same-origin", "none") for site in sites) and not is_visit:
        return "another site's page may not ask"
    return ""


def _values(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name]


def _quoted(text: str) -> str:
    return ascii(text if len(text) <= _LOGGED_CHARS else text[:_LOGGED_CHARS] + "...")
