"""Folders that commands write to, and environment variables that change what they do."""

import os
import tempfile
from pathlib import Path
from typing import NamedTuple

from graph.diagnosis.problem import Problem
from graph.support.errors import ConfigError
from graph.support.storage import cache_folder

VARIABLES = {
    "OPENCODER_CACHE": True,
    "OPENCODER_DATA": True,
    "OPENCODER_POSTGRES": False,
    "XDG_CACHE_HOME": True,
    "HF_HOME": True,
    "HF_HUB_OFFLINE": True,
    "HF_TOKEN": False,
    "CUDA_VISIBLE_DEVICES": True,
    "OMP_NUM_THREADS": True,
    "OPENAI_API_KEY": False,
    "OPENAI_BASE_URL": False,
    "OTEL_EXPORTER_OTLP_ENDPOINT": False,
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": False,
    "LANGSMITH_TRACING": True,
    "LANGSMITH_API_KEY": False,
    "LANGCHAIN_TRACING_V2": True,
    "LANGCHAIN_API_KEY": False,
    "HTTP_PROXY": False,
    "HTTPS_PROXY": False,
}
"""Whether the value is shown: that of an address or a key can be a secret."""
_SENDS = ("LANGSMITH_TRACING", "LANGCHAIN_TRACING_V2")
_VALUE_CHARS = 200


class Folder(NamedTuple):
    """A folder that commands write to."""

    use: str
    path: Path
    error: str | None
    """Why nothing can be written there; None if something can."""


def inspect_folders() -> tuple[list[Folder], list[Problem]]:
    """Try to write to each folder, and leave nothing there."""
    folders, problems = [], []
    try:
        cache = cache_folder()
    except ConfigError as error:
        advice = "set OPENCODER_CACHE to the whole path of a folder"
        problems.append(Problem(str(error), advice, blocking=True))
    else:
        folders.append(Folder("cache", cache, _write_error(cache)))
    folders.append(Folder("runs", Path("runs").absolute(), _write_error(Path("runs").absolute())))
    for folder in folders:
        if folder.error:
            advice = "set OPENCODER_CACHE to another folder"
            if folder.use == "runs":
                advice = "start the commands in another folder, or give --runs DIR"
            text = (
                f"nothing can be written to the {folder.use} folder {folder.path}: {folder.error}"
            )
            problems.append(Problem(text, advice, blocking=folder.use == "cache"))
    return folders, problems


def inspect_variables() -> tuple[dict[str, str | None], list[Problem]]:
    """Return the variables that are set; None is a value that can be a secret."""
    values = {name: value for name in VARIABLES if (value := os.environ.get(name, "")) != ""}
    public = {
        name: value[:_VALUE_CHARS] if VARIABLES[name] else None for name, value in values.items()
    }
    problems = [
        Problem(
            f"{name} is set: LangChain sends all questions, posts and answers to LangSmith",
            f"unset {name} unless you want that",
        )
        for name in _SENDS
        if values.get(name, "").lower() in ("true", "1")
    ]
    return public, problems


def _write_error(folder: Path) -> str | None:
    """Try to write a file without a name into a folder, or into the nearest one that exists."""
    while not os.path.lexists(folder) and folder != folder.parent:
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            return None
    except OSError as error:
        return error.strerror or str(error)
