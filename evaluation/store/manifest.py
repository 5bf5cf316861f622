"""The manifest of a run folder: the identity of the run, and what it was made with."""

import json
from pathlib import Path
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict

from evaluation.store.checked_lines import first_fault
from evaluation.store.identity import SCHEMA, digest
from evaluation.store.journal import RunKey
from graph.support.errors import DatasetError
from graph.support.storage import read_regular
from graph.support.text import without_surrogates

MOST_BYTES = 64 << 20
"""Largest JSON file of a run that is read; a manifest of 100,000 questions has 2 MB."""


class Manifest(TypedDict):
    """The fields of a manifest that readers use; it holds more for people."""

    digest: str
    """Of the identity."""
    identity: dict[str, Any]
    config: str
    profile: str
    questions: int
    """Number of questions that the run has to answer."""
    question_digests: list[str]
    """See `question_digest`; by index."""
    versions: dict[str, str]
    """Of the packages that can change a number, at the run's start."""
    checksum: str
    """Of all other fields: some, such as the leaks, are used again when the run goes on."""


_MANIFEST = TypeAdapter(Manifest)


def read_manifest(folder: Path) -> Manifest:
    """Read and check the manifest of a run folder.

    Raises:
        DatasetError: The folder is no run folder, or its manifest is damaged or of another schema.
    """
    path = folder / "manifest.json"
    try:
        manifest = json.loads(read_regular(path, MOST_BYTES).decode("utf-8"))
    except OSError as error:
        raise DatasetError(
            f"{folder} is no run folder: manifest.json cannot be read ({error.strerror}); name a "
            "folder that eval.py has written, as in runs/semantic-..."
        ) from None
    except (ValueError, RecursionError):
        raise _damaged(f"{path} is not JSON") from None
    identity = manifest.get("identity") if isinstance(manifest, dict) else None
    # Before the fields: those of another version are others.
    if isinstance(identity, dict) and identity.get("schema") != SCHEMA:
        raise DatasetError(_other_schema(folder, manifest, identity.get("schema")))
    try:
        _MANIFEST.validate_python(manifest, strict=True)
    except ValidationError as error:
        field, reason = first_fault(error)
        raise _damaged(f"{path}: {field} is missing or damaged ({reason})") from None
    _check_values(path, manifest)
    return cast(Manifest, manifest)


def with_checksum(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return a manifest with the checksum of its other fields."""
    others = {name: value for name, value in manifest.items() if name != "checksum"}
    return {**others, "checksum": digest(others)}


def _check_values(path: Path, manifest: Manifest) -> None:
    """Check what the types of the fields do not tell.

    Raises:
        DatasetError: The values contradict each other, or cannot be shown.
    """
    for field, value in manifest.items():
        # A text with a lone surrogate, which JSON can hold, could not be printed or written.
        if isinstance(value, str) and value != without_surrogates(value):
            raise _damaged(f"{path}: {field} is missing or damaged (it holds a lone surrogate)")
    if manifest["questions"] != len(manifest["question_digests"]):
        raise _damaged(f"{path}: questions and question_digests do not have the same number")
    size = manifest["identity"].get("batch_size")
    if type(size) is not int or size < 1:
        raise _damaged(f"{path}: its identity has no batch size")
    if digest(manifest["identity"]) != manifest["digest"]:
        raise _damaged(f"{path}: its identity does not have its digest")
    if with_checksum(dict(manifest)) != manifest:
        raise _damaged(f"{path}: a field was changed: it does not have its checksum")


def run_key(manifest: Manifest) -> RunKey:
    """Return the values that bind the records of a run to it."""
    size = manifest["identity"]["batch_size"]
    return RunKey(manifest["digest"], manifest["question_digests"], size)


def _damaged(reason: str) -> DatasetError:
    return DatasetError(
        f"{reason}: restore the file from a copy, or run eval.py again with --fresh"
    )


def _other_schema(folder: Path, manifest: dict[str, Any], schema: object) -> str:
    versions = manifest.get("versions")
    writer = versions.get("opencoder") if isinstance(versions, dict) else None
    facts = [
        f"opencoder {writer[:40]}" if isinstance(writer, str) else "another version of opencoder"
    ]
    if isinstance(created := manifest.get("created"), str):
        facts.append(f"on {created[:10]}")
    return (
        f"{folder}: was written by {' '.join(facts)}, with records of schema {str(schema)[:20]}; this "
        f"version reads schema {SCHEMA}: use the version that wrote it, or run eval.py again"
    )
