"""Fixtures of all tests: no network, and an own cache folder for each unit test."""

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


def pytest_configure(config):
    """Know the marks of langchain-tests, whose plugins are not installed."""
    for name in ("benchmark", "vcr"):
        config.addinivalue_line("markers", f"{name}: of a plugin that is not installed")


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    """Make every connection to a network an error; without this it could wait for long."""

    def refuse(self, address, *args):
        if self.family == socket.AF_UNIX:
            return connect(self, address, *args)
        raise RuntimeError(f"a test tried to connect to {address}")

    connect = socket.socket.connect
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)


@pytest.fixture(autouse=True)
def _own_cache(request, tmp_path_factory, monkeypatch):
    """Keep unit tests out of the user's cache; integration tests share its converted model.

    They also wait for no disk: a sync protects from a power cut, which no test has.
    """
    if "unit" in request.path.parts:
        monkeypatch.setattr(os, "fsync", lambda _: None)
        # The folder is not created: that would take a good part of the time of thousands of tests.
        folder = tmp_path_factory.getbasetemp() / f"cache-{next(_numbers)}"
        monkeypatch.setenv("OPENCODER_CACHE", str(folder))
