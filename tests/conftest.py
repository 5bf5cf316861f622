"""Fixtures of all tests: no network, and a cache folder of its own for every unit test."""

import os
import socket

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
for _name in ("LANGSMITH_TRACING", "LANGCHAIN_TRACING_V2"):
    os.environ.pop(_name, None)


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    """Every test runs without a network: a connection is an error, not a wait."""

    def refuse(self, address, *args):
        if self.family == socket.AF_UNIX:
            return connect(self, address, *args)
        raise RuntimeError(f"a test tried to connect to {address}")

    connect = socket.socket.connect
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)


@pytest.fixture(autouse=True)
def _own_cache(request, tmp_path, monkeypatch):
    """Unit tests never touch the user's cache; integration tests share the converted model."""
    if "unit" in request.path.parts:
        monkeypatch.setenv("OPENCODER_CACHE", str(tmp_path / "cache"))
