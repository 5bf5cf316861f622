"""Fixtures of tests with real weights: the embedded models, and tiny random checkpoints."""

import pytest

from graph.models import packaged
from graph.support.errors import MissingExtraError

_FIRST = ("test_embedded", "test_resume", "test_llama_server", "test_openvino")
"""The files that begin: the longest, so that both workers end at about the same time, and one that forks
much: after other files, a child of it has crashed in native code. The tests of the browser end: its driver
leaves an event loop that runs, in which no other test can start one."""


def pytest_collection_modifyitems(items):
    order = {name: number for number, name in enumerate(_FIRST)}
    items.sort(key=lambda item: order.get(item.path.stem, len(_FIRST)))
    for item in items:
        if "integration" in item.path.parts:
            item.add_marker(pytest.mark.integration)


@pytest.fixture(scope="session")
def embedded_models():
    """Skip the test if the packages with the models, which `make install` installs, are missing."""
    for name in ("SmolLM2-135M-Instruct", "all-MiniLM-L6-v2"):
        try:
            packaged.revision(name)
        except MissingExtraError as error:
            pytest.skip(str(error))
    packaged.model_folder("SmolLM2-135M-Instruct")


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory):
    """Return the folders of tiny Phi and Qwen2 models with random weights."""
    from tests.integration.checkpoints import make_phi, make_qwen2

    folder = tmp_path_factory.mktemp("checkpoints")
    return {"phi": make_phi(folder / "phi"), "qwen2": make_qwen2(folder / "qwen2")}
