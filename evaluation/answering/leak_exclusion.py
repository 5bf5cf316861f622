"""Leaks of a run: questions of its dataset that are also in the corpus it retrieves from."""

import json
from collections.abc import Sequence
from pathlib import Path

from dataset.leaks.leak_search import (
    HTML_BODIES,
    LeakReport,
    Probe,
    ids_of,
    probe_of_markdown,
    probe_of_row,
    search,
)
from dataset.load import rows_with_progress
from evaluation.answering.questions import Item
from graph.support.body_markup import peek_markup
from graph.support.errors import DatasetError
from graph.support.storage import read_regular
from graph.support.table_files import CORPUS_COLUMNS, read_rows


def find_leaks(items: Sequence[Item], corpus: Path, dataset: Path | None = None) -> LeakReport:
    """Find the questions of `corpus` that repeat one of `items`.

    Args:
        items: The questions of a run.
        corpus: A table with the columns of a corpus.
        dataset: The file that the items come from. Without it a question's only id is its
            `eval_id`, and its title is its first line.

    Raises:
        DatasetError: a file cannot be read, or `dataset` lacks a question of `items`.
    """
    probes = _probes_of_file(items, dataset) if dataset else [_probe(item) for item in items]
    return search(probes, rows_with_progress(corpus, CORPUS_COLUMNS, "looking for leaks"))


def recorded_leaks(manifest: Path) -> LeakReport | None:
    """Return the leaks that a run's manifest records; None if it is unreadable or has none."""
    try:
        document = json.loads(read_regular(manifest).decode("utf-8"))
        return LeakReport.from_json(document["leaks"])
    except (DatasetError, OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _probe(item: Item) -> Probe:
    # In a dataset without ids an eval_id is a row number, which is not the id of a post.
    ids = {} if item.eval_id == str(item.index + 1) else {"eval_id": item.eval_id}
    return probe_of_markdown(item.eval_id, item.question, item.reference, ids=ids_of(ids))


def _probes_of_file(items: Sequence[Item], dataset: Path) -> list[Probe]:
    item_ids = {item.eval_id for item in items}
    markup, rows = peek_markup(read_rows(dataset), HTML_BODIES)
    probes = {
        probe.eval_id: probe
        for number, row in rows
        if (probe := probe_of_row(number, row, markup)).eval_id in item_ids
    }
    missing = item_ids - probes.keys()
    if missing:
        raise DatasetError(f"{dataset}: has no question with the eval_id {min(missing)!r}")
    return [probes[item.eval_id] for item in items]
