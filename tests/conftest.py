"""Fixtures of all tests: no network, and a cache folder of its own for every unit test."""

import os
import socket
from itertools import count

import pytest

_numbers = count()
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["RAGAS_DO_NOT_TRACK"] = "true"
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
def _own_cache(request, tmp_path_factory, monkeypatch):
    """Unit tests never touch the user's cache; integration tests share the converted model."""
    if "unit" in request.path.parts:
        # Named, not made: a folder for each of some thousand tests takes a good part of their time.
        folder = tmp_path_factory.getbasetemp() / f"cache-{next(_numbers)}"
        monkeypatch.setenv("OPENCODER_CACHE", str(folder))
