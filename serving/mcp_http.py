"""The server of tools on HTTP ("streamable HTTP"), for clients that do not start a process."""

import socket

import uvicorn
from mcp.server import Server
from mcp.server.transport_security import TransportSecuritySettings

from serving.http_guard import Admission, RequestGuard
from serving.http_listener import is_loopback

PATH = "/mcp"
_NO_CHECKS = TransportSecuritySettings(enable_dns_rebinding_protection=False)
"""The guard before the application checks hosts and origins."""
_MAX_BODY = 300_000
"""Bytes of a request: a character of a question can take twelve as JSON."""


def serve_http(server: Server, listener: socket.socket, token: str | None) -> None:
    """Answer the requests that arrive at a socket, for ever.

    Args:
        server: The server of the tools.
        listener: A socket that listens.
        token: What clients send as `Authorization: Bearer TOKEN`; None asks for nothing.
    """
    address = str(listener.getsockname()[0])
    app = RequestGuard(
        server.streamable_http_app(streamable_http_path=PATH, transport_security=_NO_CHECKS),
        Admission(address, token=token, any_name=not is_loopback(address)),
        open_paths=(),
        max_body=_MAX_BODY,
    )
    # No log of requests: it would repeat untrusted paths. The lifespan of the app holds its sessions.
    config = uvicorn.Config(
        app,
        lifespan="on",
        log_config=None,
        access_log=False,
        ws="none",
        proxy_headers=False,
        server_header=False,
    )
    uvicorn.Server(config).run(sockets=[listener])


def url_of(listener: socket.socket) -> str:
    """Return the address of the tools at a socket."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}{PATH}"
