"""What all servers on HTTP share: the token, the socket, its address, and strict settings of uvicorn."""

import os
import re
import socket
from ipaddress import ip_address
from typing import TYPE_CHECKING, Literal

from graph.support.errors import ConfigError
from serving.http_guard import App, Receive, is_wildcard

if TYPE_CHECKING:
    import uvicorn

DEFAULT_HOST = "127.0.0.1"
TOKEN_VARIABLE = "OPENCODER_TOKEN"
_MIN_TOKEN = 16
_TOKEN = re.compile(r"[A-Za-z0-9._~-]+")
_NEW_TOKEN = "python -c 'import secrets; print(secrets.token_urlsafe())'"
_LEAST_BODY = 300_000
_BYTES_OF_CHAR = 12
"""A character takes at most this as JSON, escaped as a pair of surrogates."""
_MOST_CONNECTIONS = 200
_SECONDS_TO_END = 1
"""Seconds that open connections have when the server ends."""


def read_token() -> str | None:
    """Return the token of the environment, or None if there is none.

    Raises:
        ConfigError: It can be guessed, or no header can hold it.
    """
    token = os.environ.get(TOKEN_VARIABLE)
    if token is None:
        return None
    # A browser encodes other characters in the address of the page.
    if len(token) < _MIN_TOKEN or not _TOKEN.fullmatch(token):
        raise ConfigError(
            f"{TOKEN_VARIABLE} must have at least {_MIN_TOKEN} characters, of A-Z, a-z, 0-9 and -._~, as from "
            f"{_NEW_TOKEN}"
        )
    return token


def listen(host: str, port: int, token: str | None) -> socket.socket:
    """Return a socket that listens at an address.

    Args:
        host: An address or a name.
        port: A port; 0 takes a free one.
        token: The token that clients send; every address but those of this machine alone needs one.

    Raises:
        ConfigError: The address does not exist here or is in use, or needs a token.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        if token is None and not is_loopback(str(address[0])):
            raise ConfigError(
                f"--host {host} lets other machines ask: set {TOKEN_VARIABLE} to a token, as from {_NEW_TOKEN}"
            )
        return socket.create_server(address, family=family)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(
            f"cannot listen on {host} port {port}: {reason}; choose another --host or --port"
        ) from None


def is_loopback(address: str) -> bool:
    """Tell whether an IP address is of this machine alone."""
    return ip_address(address).is_loopback


def url_of(listener: socket.socket, path: str = "/") -> str:
    """Return the address of a path at a socket, as this machine reaches it."""
    host, port = listener.getsockname()[:2]
    if is_wildcard(host):
        host = "::1" if ":" in host else DEFAULT_HOST
    return f"http://{f'[{host}]' if ':' in host else host}:{port}{path}"


def strict_config(app: App, *, lifespan: Literal["on", "off"]) -> "uvicorn.Config":
    """Return settings of uvicorn for an application behind a guard.

    Args:
        app: The application.
        lifespan: Whether the application has work at its start and its end.
    """
    import uvicorn

    return uvicorn.Config(
        app,
        # The parser that the extras install, also where another package brings a second one.
        http="h11",
        ws="none",
        lifespan=lifespan,
        # No log of requests: it would repeat untrusted paths.
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_graceful_shutdown=_SECONDS_TO_END,
    )


def most_body_bytes(question_chars: int) -> int:
    """Return the most bytes of a request whose question has at most so many characters."""
    return max(_LEAST_BODY, _BYTES_OF_CHAR * question_chars)


async def until_gone(receive: Receive) -> None:
    """Wait until the client of a request closes its connection; the body was read before."""
    while (await receive())["type"] != "http.disconnect":
        pass
