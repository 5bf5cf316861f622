"""JSON documents of tests: parsed strictly, and edited in place."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from evaluation.store.manifest import with_checksum


def strict_json(text: str) -> Any:
    """Parse a document; NaN and Infinity, which are not JSON, are errors."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    return json.loads(text, parse_constant=refuse)


@contextmanager
def edited_json(path: Path) -> Iterator[Any]:
    """Yield the document of a file, and write it back with the changes made to it."""
    document = json.loads(path.read_text(encoding="utf-8"))
    yield document
    path.write_text(json.dumps(document), encoding="utf-8")


@contextmanager
def edited_manifest(folder: Path) -> Iterator[Any]:
    """Yield the manifest of a run, and write it back with its changes and a checksum that fits."""
    with edited_json(folder / "manifest.json") as manifest:
        yield manifest
        manifest.update(with_checksum(manifest))
