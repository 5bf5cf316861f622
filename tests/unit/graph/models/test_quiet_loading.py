"""A model that cannot be loaded is one line, telemetry is off, and models load one at a time."""

import os
from threading import Thread

import pytest

from graph.models.quiet_loading import LOADING, quiet_loading
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


def enters_in_another_thread():
    entered = []

    def enter():
        entered.append(LOADING.acquire(blocking=False))
        if entered[0]:
            LOADING.release()

    thread = Thread(target=enter)
    thread.start()
    thread.join()
    return entered[0]


def test_another_thread_cannot_load_a_model_meanwhile():
    # A model may need another one: the thread that loads does not wait for itself.
    with quiet_loading("the model 'm'"), quiet_loading("its tokenizer"):
        assert not enters_in_another_thread()
    assert enters_in_another_thread()
