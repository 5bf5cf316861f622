"""timings.json: how long things took. Apart from metrics.json, since times never repeat."""

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evaluation.answering.loop import Session
from evaluation.store.journal import Record
from graph.support.storage import write_atomically
from nodes.state import calls_of


def write_timings(
    folder: Path, session: Session, records: Sequence[Record], commits: dict[str, str | None]
) -> None:
    """Add a finished session to timings.json, with the mean seconds of each node over all records.

    `commits` are those of the model repositories that the session loaded.
    """
    path = folder / "timings.json"
    sessions: list[dict[str, Any]] = _earlier(path)
    sessions.append(
        {
            **session._asdict(),
            "calls": session.calls._asdict(),
            "commits": commits,
            "questions_per_second": session.questions / session.seconds,
            "new_tokens_per_second": session.calls.new_tokens / session.seconds,
        }
    )
    seconds: dict[str, list[float]] = defaultdict(list)
    for record in records:
        for step in record["steps"]:
            # What came from the cache took no time, which says nothing about the node.
            if "seconds" in step and not any(call["cached"] for call in calls_of(step)):
                seconds[step["node"]].append(step["seconds"])
    nodes = {
        node: {"mean_seconds": sum(values) / len(values), "n": len(values)}
        for node, values in seconds.items()
    }
    write_atomically(path, json.dumps({"sessions": sessions, "nodes": nodes}, indent=1) + "\n")


def _earlier(path: Path) -> list[dict[str, Any]]:
    try:
        return list(json.loads(path.read_text(encoding="utf-8"))["sessions"])
    except (OSError, ValueError, KeyError, TypeError):
        return []
