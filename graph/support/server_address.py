"""Addresses of servers: checked before anything is sent there."""

from urllib.parse import urlsplit


def check_address(address: str) -> None:
    """Check that an address is one of a server, and holds no password.

    Raises:
        ValueError: It is not; the message does not repeat the address.
    """
    try:
        parts = urlsplit(address)
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname)
        is_usable = is_usable and parts.port != 0 and address.isprintable() and " " not in address
    except ValueError:
        is_usable = False
    if not is_usable:
        raise ValueError("give the address of a server, as http://127.0.0.1:8000/v1")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError(
            "give the address alone: a key or a password belongs into the environment variable "
            "OPENAI_API_KEY"
        )
