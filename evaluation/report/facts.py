"""What was compared and on what: the lines above the table, and the manifests at the end."""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from evaluation.report.figures import Reported

_ODD = re.compile(
    "[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\U000e0000-\U000e007f]"
)


class Fact(NamedTuple):
    """A line: equal in all runs, or run by run."""

    name: str
    values: list[str]


def manifest_of(run: Reported) -> dict[str, Any]:
    """Return a run's manifest; empty where it is gone since it was read."""
    try:
        found = json.loads((run.run.folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def manifest_text(manifest: dict[str, Any]) -> str:
    """Return a manifest as JSON to read; what cannot be seen or reorders text is escaped."""
    text = json.dumps(manifest, indent=1, ensure_ascii=False)
    return _ODD.sub(lambda match: json.dumps(match[0])[1:-1], text)


def facts_of(runs: Sequence[Reported], manifests: Sequence[dict[str, Any]]) -> list[Fact]:
    """Return what the runs were made of and with."""
    sources: list[tuple[str, Callable[[Reported, dict[str, Any]], str]]] = [
        ("dataset", lambda _, manifest: _file(manifest.get("dataset"))),
        ("corpus", lambda _, manifest: _file(manifest.get("corpus"))),
        ("generator", lambda run, _: _model(run.run.identity.get("generator"))),
        ("judge", lambda run, _: _model(run.run.identity.get("judge"))),
        ("encoder", lambda run, _: _model(run.run.identity.get("embedder"))),
        ("profile", lambda run, _: run.run.profile),
        ("seed, batch size", lambda run, _: _numbers(run.run.identity)),
        ("started", lambda _, manifest: str(manifest.get("created", "not known"))),
    ]
    return [
        Fact(name, _once([(run.key, of(run, m)) for run, m in zip(runs, manifests, strict=True)]))
        for name, of in sources
    ]


def asked_of(runs: Sequence[Reported], manifests: Sequence[dict[str, Any]]) -> str:
    """Return how many questions were asked, and of which dataset."""
    counts = sorted({each.run.questions for each in runs})
    number = f"{counts[0]:,}" if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,}"
    names = dict.fromkeys(_file(manifest.get("dataset")) for manifest in manifests)
    return f"{number} question{'' if counts == [1] else 's'} of {' and '.join(names)}"


def _once(values: Sequence[tuple[str, str]]) -> list[str]:
    """Say a value that all share once; else say for each which runs have it."""
    keys: dict[str, list[str]] = {}
    for key, value in values:
        keys.setdefault(value, []).append(key)
    if len(keys) == 1:
        return list(keys)
    return [f"{', '.join(names)}: {value}" for value, names in keys.items()]


def _file(path: object) -> str:
    return Path(path).name if isinstance(path, str) else "none"


def _model(spec: object) -> str:
    if not isinstance(spec, dict):
        return "none"
    parts = [spec.get("revision") and f"revision {str(spec['revision'])[:12]}", spec.get("dtype")]
    said = ", ".join(str(part) for part in parts if part)
    return f"{spec.get('model', 'not known')}{f' ({said})' if said else ''}"


def _numbers(identity: dict[str, object]) -> str:
    return f"{identity.get('seed', 'not known')}, {identity.get('batch_size', 'not known')}"
