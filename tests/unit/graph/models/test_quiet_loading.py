"""A model that cannot be loaded is one line, and telemetry is off before a library is imported."""

import os

import pytest

from graph.models.quiet_loading import quiet_loading
from graph.support.errors import ConfigError


@pytest.mark.parametrize("error", [OSError("gone\nfor good"), ValueError("gone"), KeyError("gone")])
def test_a_model_that_cannot_be_loaded_is_one_line(error):
    with (
        pytest.raises(ConfigError, match=r"^cannot load the model 'm': .*gone") as caught,
        quiet_loading("the model 'm'"),
    ):
        raise error
    assert "\n" not in str(caught.value)


def test_telemetry_is_off_while_a_model_is_loaded(monkeypatch):
    monkeypatch.delenv("HF_HUB_DISABLE_TELEMETRY", raising=False)
    with quiet_loading("the model 'm'"):
        assert os.environ["HF_HUB_DISABLE_TELEMETRY"] == "1"
