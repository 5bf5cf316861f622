"""The facts of a report: the data and the models of the runs, and their manifests as text."""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from evaluation.report.run_figures import ReportedRun
from graph.support.errors import DatasetError
from graph.support.storage import read_regular
from graph.support.text import plural

_UNKNOWN = "not known"
_INVISIBLE = re.compile(
    "[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\U000e0000-\U000e007f]"
)
"""Characters that cannot be seen, that reorder text, or that no file can hold."""


class Fact(NamedTuple):
    """A named fact: one value if all runs share it, else one for each group of runs."""

    name: str
    values: list[str]


def manifest_for_people(run: ReportedRun) -> dict[str, Any]:
    """Read a run's manifest; empty if it was removed or damaged since the run was read."""
    try:
        manifest = json.loads(read_regular(run.recorded.folder / "manifest.json"))
    except (OSError, ValueError, RecursionError, DatasetError):
        return {}
    return manifest if isinstance(manifest, dict) else {}


def manifest_text(manifest: dict[str, Any]) -> str:
    """Return a manifest as indented JSON with its invisible characters escaped."""
    text = json.dumps(manifest, indent=1, ensure_ascii=False)
    return _INVISIBLE.sub(lambda match: json.dumps(match[0])[1:-1], text)


def facts_of(runs: Sequence[ReportedRun], manifests: Sequence[dict[str, Any]]) -> list[Fact]:
    """Return the facts about the data, the models and the settings of the runs."""
    sources: list[tuple[str, Callable[[ReportedRun, dict[str, Any]], str]]] = [
        ("dataset", lambda _, manifest: _file_name(manifest.get("dataset"))),
        ("corpus", lambda _, manifest: _file_name(manifest.get("corpus"))),
        ("generator", lambda run, _: _model_text(run.recorded.identity.get("generator"))),
        ("judge", lambda run, _: _model_text(run.recorded.identity.get("judge"))),
        ("encoder", lambda run, _: _model_text(run.recorded.identity.get("embedder"))),
        ("profile", lambda run, _: run.recorded.profile),
        ("seed, batch size", lambda run, _: _seed_text(run.recorded.identity)),
        ("started", lambda _, manifest: str(manifest.get("created", _UNKNOWN))),
    ]
    return [
        Fact(
            name,
            _merged([(run.key, value_of(run, m)) for run, m in zip(runs, manifests, strict=True)]),
        )
        for name, value_of in sources
    ]


def question_count(runs: Sequence[ReportedRun], manifests: Sequence[dict[str, Any]]) -> str:
    """Return the number of questions and the name of their dataset, as `20 questions of a.csv`."""
    counts = sorted({run.recorded.questions for run in runs})
    count = f"{counts[0]:,}" if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,}"
    datasets = dict.fromkeys(_file_name(manifest.get("dataset")) for manifest in manifests)
    return f"{count} {plural(counts[-1], 'question')} of {' and '.join(datasets)}"


def _merged(values: Sequence[tuple[str, str]]) -> list[str]:
    """Return each value once, after the keys of the runs that have it unless all have it."""
    keys_by_value: dict[str, list[str]] = {}
    for key, value in values:
        keys_by_value.setdefault(value, []).append(key)
    if len(keys_by_value) == 1:
        return list(keys_by_value)
    return [f"{', '.join(keys)}: {value}" for value, keys in keys_by_value.items()]


def _file_name(path: object) -> str:
    return Path(path).name if isinstance(path, str) else "none"


def _model_text(spec: object) -> str:
    if not isinstance(spec, dict):
        return "none"
    refused = spec.get("refused")
    parts = [
        spec.get("revision") and f"revision {str(spec['revision'])[:12]}",
        spec.get("dtype"),
        spec.get("engine") if spec.get("engine") != "huggingface" else None,
        isinstance(refused, list) and refused and f"without {' and '.join(map(str, refused))}",
        spec.get("verdicts") and f"verdicts by {spec['verdicts']}",
    ]
    details = ", ".join(str(part) for part in parts if part)
    return f"{spec.get('model', _UNKNOWN)}{f' ({details})' if details else ''}"


def _seed_text(identity: dict[str, object]) -> str:
    return f"{identity.get('seed', _UNKNOWN)}, {identity.get('batch_size', _UNKNOWN)}"
