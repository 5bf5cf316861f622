"""The builder for CodeRepoQA: a folder of GitHub issues becomes questions with reference answers.

The question is the title and the body of an issue. The answer is the comment with the most positive
reactions.
"""

import heapq
from collections.abc import Collection, Iterator
from hashlib import sha256
from pathlib import Path

from dataset.builders.byte_progress import byte_progress
from dataset.builders.issue import Issue, parse_issue
from dataset.builders.json_values import json_files, read_values
from dataset.builders.row_counts import RowCounts
from dataset.builders.table_output import work_folder, write_table
from graph.support.errors import DatasetError
from graph.support.table_values import TableValues

PYTHON_REPOSITORIES = [
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
"""The repositories of CodeRepoQA in Python, in lower case; source: its README."""


def build(
    folder: Path,
    target: Path,
    *,
    repositories: Collection[str],
    sample: int | None,
    seed: int,
) -> RowCounts:
    """Build the table from all JSON files under a folder.

    Args:
        folder: The folder; it and the folders in it are read in the order of names.
        target: The table, written at the end or not at all.
        repositories: Names as owner/name in lower case; no name means all repositories.
        sample: The most issues; the seed and their ids alone decide which are sampled.
        seed: The seed of the sample.

    Raises:
        DatasetError: there is no issue file, no issue is kept, or the disk is full; the target is
            unchanged.
    """
    if not folder.is_dir():
        raise DatasetError(f"{folder}: there is no such folder; give the one with the issue files")
    files = json_files(folder)
    if not files:
        raise DatasetError(f"{folder}: holds no .json or .jsonl file")
    counts = RowCounts()
    size = sum(file.stat().st_size for file in files)
    with work_folder(target) as work, byte_progress(f"reading {folder.name}", size) as advance:
        values = (value for file in files for value in read_values(file, advance))
        texts = TableValues(folder)
        issues = _issues(values, counts, frozenset(repositories), texts)
        if sample is not None:
            issues = _sample(issues, sample, seed, counts)
        write_table(target, work, Issue._fields, _count_kept(folder, issues, counts))
    texts.log_changes()
    return counts


def _count_kept(folder: Path, issues: Iterator[Issue], counts: RowCounts) -> Iterator[Issue]:
    for issue in issues:
        counts.kept_by_kind["issues"] += 1
        yield issue
    if not counts.kept_by_kind.total():
        raise DatasetError(
            f"{folder}: none of the {counts.rows_in} issues is kept, nothing was written: "
            f"{counts.reasons()}"
        )


def _sample(issues: Iterator[Issue], size: int, seed: int, counts: RowCounts) -> Iterator[Issue]:
    """Return `size` issues ordered by id: those with the smallest digests of seed and id."""

    def digest(issue: Issue) -> bytes:
        return sha256(f"{seed}\n{issue.eval_id}".encode()).digest()

    total = 0

    def counted() -> Iterator[Issue]:
        nonlocal total
        for issue in issues:
            total += 1
            yield issue

    # nsmallest holds `size` issues in memory, not all of them.
    sample = heapq.nsmallest(size, counted(), key=digest)
    counts.reject("not in the sample", total - len(sample))
    return iter(sorted(sample, key=lambda issue: (issue.repository, issue.issue_number)))


def _issues(
    values: Iterator[object],
    counts: RowCounts,
    repositories: Collection[str],
    texts: TableValues,
) -> Iterator[Issue]:
    eval_ids: set[str] = set()
    for value in values:
        counts.rows_in += 1
        issue = parse_issue(value, repositories)
        if isinstance(issue, str):
            counts.reject(issue)
        elif issue.eval_id in eval_ids:
            counts.reject("duplicate issue")
        else:
            eval_ids.add(issue.eval_id)
            question, answer = texts.text(issue.question), texts.text(issue.answer)
            yield issue._replace(question=question, answer=answer)
