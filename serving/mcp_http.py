"""The server of tools on HTTP ("streamable HTTP"), for clients that do not start a process."""

import socket
from typing import Any

import uvicorn
from mcp.server import Server
from mcp.server.transport_security import TransportSecuritySettings

from serving.http_guard import Guard, is_loopback

PATH = "/mcp"
_OWN_NAMES = ("127.0.0.1", "localhost", "[::1]")


def serve_http(server: Server, listener: socket.socket, token: str | None) -> None:
    """Answer the requests that arrive at a socket, for ever.

    Args:
        server: The server of the tools.
        listener: A socket that listens.
        token: What clients send as `Authorization: Bearer TOKEN`; None asks for nothing.
    """
    app = server.streamable_http_app(
        streamable_http_path=PATH, transport_security=_security(listener.getsockname())
    )
    # No log of requests: it would repeat untrusted paths. The lifespan of the app holds its sessions.
    config = uvicorn.Config(Guard(app, token), lifespan="on", log_config=None, access_log=False)
    uvicorn.Server(config).run(sockets=[listener])


def url_of(listener: socket.socket) -> str:
    """Return the address of the tools at a socket."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}{PATH}"


def _security(address: tuple[Any, ...]) -> TransportSecuritySettings:
    """Return the checks of Host: a page must not reach this machine under a name of its own.

    Elsewhere the token is the check: no page knows it.
    """
    if not is_loopback(address[0]):
        return TransportSecuritySettings(enable_dns_rebinding_protection=False)
    names = {*_OWN_NAMES, address[0]}
    return TransportSecuritySettings(
        allowed_hosts=[f"{name}:*" for name in sorted(names)],
        allowed_origins=[f"http://{name}:*" for name in sorted(names)],
    )
