"""Loading of models: one at a time, no telemetry, no noise, errors as one line."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock
from types import ModuleType
from typing import Any, cast

from graph.support.errors import ConfigError, MissingExtraError
from graph.support.text import one_line

LOADING = RLock()
"""Held while a model is loaded or converted. transformers switches the initialisation of weights and
the default dtype of the whole process meanwhile: a model that another thread loads at the same time
would get random weights."""


def switch_off_telemetry() -> None:
    """Switch the telemetry of huggingface_hub off; call it before transformers is imported."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")


def import_openvino() -> Any:
    """Import OpenVINO without its telemetry, which would send data at the import without asking.

    Raises:
        MissingExtraError: It is not installed.
    """
    if "openvino" not in sys.modules:
        sys.modules["openvino_telemetry"] = cast(ModuleType, None)
    try:
        import openvino
    except ImportError:
        raise MissingExtraError("OpenVINO is not installed: pip install 'opencoder[cpu]'") from None
    return openvino


@contextmanager
def quiet_loading(model: str) -> Iterator[None]:
    """Silence the libraries while the block loads a model, and report a failure in one line.

    Another thread that loads a model waits (`LOADING`).

    Import `sentence_transformers` or the classes of `transformers` inside the block: huggingface_hub
    reads the variable that turns its telemetry off when it is imported.

    Args:
        model: The model as an error names it: a noun and its name.

    Raises:
        ConfigError: the block raised an OSError, a ValueError or a KeyError: there is no such model.
    """
    switch_off_telemetry()
    with LOADING:
        from transformers.utils import logging as transformers_logging

        transformers_logging.set_verbosity_error()
        transformers_logging.disable_progress_bar()
        try:
            yield
        except (OSError, ValueError, KeyError) as error:
            raise ConfigError(f"cannot load {model}: {one_line(error)}") from None
