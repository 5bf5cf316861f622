"""A folder of CodeRepoQA's GitHub issues -> evaluation questions with reference answers.

The question is an issue's title and body, the answer the comment that others found most helpful.
"""

import heapq
from collections.abc import Collection, Iterator
from hashlib import sha256
from pathlib import Path

from dataset.build.counts import Counts
from dataset.build.issue import Issue, parse_issue
from dataset.build.json_values import json_files, read_values
from dataset.build.output import work_folder, write_table
from dataset.build.progress import Progress, reading
from dataset.errors import InputError

PYTHON = [
    "plotly/plotly.py",
    "pandas-dev/pandas",
    "numpy/numpy",
    "python-pillow/pillow",
    "huggingface/transformers",
    "pymysql/pymysql",
    "nltk/nltk",
    "tree-sitter/py-tree-sitter",
    "scipy/scipy",
    "aio-libs/aiohttp",
    "ansible/ansible",
    "textualize/rich",
    "significant-gravitas/autogpt",
    "fastapi/fastapi",
    "pytorch/pytorch",
    "home-assistant/core",
]
"""CodeRepoQA's repositories whose language is Python, in lower case; source: its README."""


def build(
    folder: Path,
    target: Path,
    *,
    repositories: Collection[str],
    sample: int | None,
    seed: int,
    progress: Progress,
) -> Counts:
    """Build the table from all JSON files under a folder.

    Args:
        folder: Read with all folders in it, in the order of names.
        target: The table, written at the end or not at all.
        repositories: Names as owner/name in lower case; none of them means all.
        sample: Issues at most; which ones follows from the seed and their ids alone.
        seed: Of the sample.
        progress: Told of bytes read.

    Raises:
        InputError: there is no issue file, nothing is left, or the disk is full.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder; give the one with the issue files")
    files = json_files(folder)
    if not files:
        raise InputError(f"{folder}: holds no .json or .jsonl file")
    counts = Counts()
    size = sum(file.stat().st_size for file in files)
    with work_folder(target) as work, reading(progress, f"reading {folder.name}", size) as advance:
        values = (value for file in files for value in read_values(file, advance))
        issues = _issues(values, counts, frozenset(repositories))
        if sample is not None:
            issues = _sampled(issues, sample, seed, counts)
        write_table(target, work, Issue._fields, _kept(folder, issues, counts))
    return counts


def _kept(folder: Path, issues: Iterator[Issue], counts: Counts) -> Iterator[Issue]:
    for issue in issues:
        counts.kept["issues"] += 1
        yield issue
    if not counts.kept.total():
        raise InputError(
            f"{folder}: none of the {counts.rows_in} issues is kept, nothing was written: "
            f"{counts.reasons()}"
        )


def _sampled(issues: Iterator[Issue], size: int, seed: int, counts: Counts) -> Iterator[Issue]:
    """Yield `size` issues, ordered by their ids: those with the smallest digests of seed and id."""

    def place(issue: Issue) -> bytes:
        return sha256(f"{seed}\n{issue.eval_id}".encode()).digest()

    seen = 0

    def counted() -> Iterator[Issue]:
        nonlocal seen
        for issue in issues:
            seen += 1
            yield issue

    chosen = heapq.nsmallest(size, counted(), key=place)
    counts.reject("not in the sample", seen - len(chosen))
    return iter(sorted(chosen, key=lambda issue: (issue.repository, issue.issue_number)))


def _issues(
    values: Iterator[object], counts: Counts, repositories: Collection[str]
) -> Iterator[Issue]:
    seen: set[str] = set()
    for value in values:
        counts.rows_in += 1
        found = parse_issue(value, repositories)
        if isinstance(found, str):
            counts.reject(found)
        elif found.eval_id in seen:
            counts.reject("duplicate issue")
        else:
            seen.add(found.eval_id)
            yield found
