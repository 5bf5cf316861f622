"""The socket and the token of a server on HTTP."""

import os
import re
import socket
from ipaddress import ip_address

from graph.support.errors import ConfigError

TOKEN_VARIABLE = "OPENCODER_TOKEN"
_MIN_TOKEN = 16
_TOKEN = re.compile(r"[A-Za-z0-9._~-]+")
_NEW_TOKEN = "python -c 'import secrets; print(secrets.token_urlsafe())'"


def read_token() -> str | None:
    """Return the token of the environment, or None if there is none.

    Raises:
        ConfigError: It can be guessed, or no header can hold it.
    """
    token = os.environ.get(TOKEN_VARIABLE)
    if token is None:
        return None
    # Other characters would change in the address of the page.
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
    return ip_address(address.partition("%")[0]).is_loopback
