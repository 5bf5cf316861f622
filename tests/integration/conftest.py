"""Integration tests run real weights: the embedded models, and tiny checkpoints made here."""

from pathlib import Path

import pytest

from graph.models import packaged as embedded
from graph.support.errors import MissingExtraError

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "dataset" / "sample"


def pytest_collection_modifyitems(items):
    for item in items:
        if "integration" in item.path.parts:
            item.add_marker(pytest.mark.integration)


@pytest.fixture(scope="session")
def embedded_models():
    """Skip where the packages with the models are not installed; `make install` installs them."""
    for name in ("SmolLM2-135M-Instruct", "all-MiniLM-L6-v2"):
        try:
            embedded.revision(name)
        except MissingExtraError as error:
            pytest.skip(str(error))
    embedded.model_folder("SmolLM2-135M-Instruct")


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory):
    """Folders of tiny random-weight Phi and Qwen2 models, saved as their big sisters are."""
    from tests.integration.checkpoints import make_phi, make_qwen2

    folder = tmp_path_factory.mktemp("checkpoints")
    return {"phi": make_phi(folder / "phi"), "qwen2": make_qwen2(folder / "qwen2")}
