"""Leaks of an evaluation: questions of its dataset that stand in the corpus it retrieves from."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

from dataset.check.leaks import (
    Leaks,
    LeaksData,
    Probe,
    ids_of,
    probe_of_markdown,
    probe_of_row,
    search,
)
from evaluation.answering.questions import Item
from graph.retrieval.documents import COLUMNS
from graph.support.errors import DatasetError
from graph.support.progress import progress
from graph.support.table_files import Row, read_rows

_STEP = 500


def find_leaks(items: Sequence[Item], corpus: Path, dataset: Path | None = None) -> Leaks:
    """Return the questions of `corpus` that repeat one of `items`.

    Args:
        items: the questions of a run.
        corpus: a file with the seven columns of a corpus.
        dataset: the file that the items come from. Without it a question's only id is its
            `eval_id`, and its title is its first line.

    Raises:
        DatasetError: a file cannot be read, or `dataset` lacks a question of `items`.
    """
    probes = _probes_of_file(items, dataset) if dataset else [_probe(item) for item in items]
    return search(probes, _rows(corpus))


def recorded_leaks(manifest: Path) -> LeaksData | None:
    """Return what a run's manifest says of leaks; None where it cannot be read or says nothing."""
    try:
        found = json.loads(manifest.read_text(encoding="utf-8"))["leaks"]
        excluded_ids(found)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return cast(LeaksData, found)


def excluded_ids(leaks: LeaksData | None) -> frozenset[str]:
    """Return the ids of the corpus questions that are left out of retrieval."""
    return frozenset(leak["question_id"] for leak in leaks["leaks"]) if leaks else frozenset()


def _probe(item: Item) -> Probe:
    # A dataset without ids gets row numbers, and those are no ids of posts.
    ids = {} if item.eval_id == str(item.index + 1) else {"eval_id": item.eval_id}
    return probe_of_markdown(item.eval_id, item.question, item.reference, ids=ids_of(ids))


def _probes_of_file(items: Sequence[Item], dataset: Path) -> list[Probe]:
    wanted = {item.eval_id for item in items}
    probes = {
        probe.eval_id: probe
        for number, row in read_rows(dataset)
        if (probe := probe_of_row(number, row)).eval_id in wanted
    }
    missing = wanted - probes.keys()
    if missing:
        raise DatasetError(f"{dataset}: has no question with the eval_id {min(missing)!r}")
    return [probes[item.eval_id] for item in items]


def _rows(corpus: Path) -> Iterator[tuple[int, Row]]:
    total = sum(1 for _ in read_rows(corpus, COLUMNS))
    with progress("looking for leaks", total) as bar:
        number = 0
        for number, row in read_rows(corpus, COLUMNS):
            yield number, row
            if number % _STEP == 0:
                bar.advance(_STEP)
        bar.advance(number % _STEP)
