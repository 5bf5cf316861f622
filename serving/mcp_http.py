"""The server of tools on HTTP ("streamable HTTP"), for clients that do not start a process."""

import socket

import uvicorn
from mcp.server import Server
from mcp.server.transport_security import TransportSecuritySettings

from serving.http_guard import Admission, RequestGuard
from serving.http_server import is_loopback, most_body_bytes, strict_config
from serving.question_queue import Limits

PATH = "/mcp"
_NO_CHECKS = TransportSecuritySettings(enable_dns_rebinding_protection=False)
"""The guard before the application checks hosts and origins."""


def tool_server_on_http(
    server: Server, listener: socket.socket, token: str | None
) -> uvicorn.Server:
    """Return a server of the tools on HTTP; its `run` and `serve` take the socket.

    Args:
        server: The server of the tools.
        listener: A socket that listens.
        token: What clients send as `Authorization: Bearer TOKEN`; None asks for nothing.
    """
    address = str(listener.getsockname()[0])
    application = RequestGuard(
        server.streamable_http_app(streamable_http_path=PATH, transport_security=_NO_CHECKS),
        Admission(address, token=token, any_name=not is_loopback(address)),
        open_paths=(),
        max_body=most_body_bytes(Limits.question_chars),
    )
    # The lifespan of the application holds its sessions.
    return uvicorn.Server(strict_config(application, lifespan="on"))
