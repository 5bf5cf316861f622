"""Generated tables: CSV, JSON lines and parquet with odd values and damage, in every command's place."""

import csv
import gzip
import io
import json
import os
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import NamedTuple

from graph.support.errors import DatasetError
from graph.support.table_files import read_rows
from tests.fakes import corpora
from tests.fakes.processes import in_child
from tests.fakes.scripted_runs import question
from tests.faults.commands import FAST, arm_limit, run_command
from tests.faults.harness import Case, Kind, Outcome, detail_of, faults_of
from tests.faults.odd_values import damaged, odd_text, odd_value
from tests.faults.runs import data

Rows = Sequence[Mapping[str, object]]
ENDINGS = ("csv", "csv.gz", "jsonl", "jsonl.gz", "parquet")


class Role(NamedTuple):
    """What a table is for: its sound rows, and the commands that read it."""

    rows: Rows
    commands: Sequence[tuple[object, ...]]
    """Command lines; TABLE stands for the path of the table."""


TABLE = object()
_CORPUS = [
    corpora.row(n, f"How to do thing {n}?", f"<p>thing {n} <code>x = {n}</code></p>")
    for n in range(6)
]
_QUESTIONS = [
    {
        "eval_id": f"q{n}",
        "question": question(n),
        "answer": f"do {n}",
        "relevant_question_ids": f"{n}",
    }
    for n in range(4)
]
_QUERIES = [
    {"query_id": f"{n}", "query_title": f"thing {n}?", "query_body": "<p>how</p>", "kind": "title"}
    for n in range(4)
]
_QRELS = [{"query_id": f"{n}", "question_id": f"{n}", "relevance": "1"} for n in range(4)]
_GRADES = [
    {
        "item_id": f"{n} {grade}",
        "question": f"why {n}?",
        "reference": f"because of {n}",
        "candidate": f"because of {n}, {grade} times",
        "human_mean": f"{grade}",
        "grades": json.dumps({"ann": grade, "ben": grade}),
    }
    for n in range(6)
    for grade in (0, 4)
]
_POSTS = [
    {
        "Id": n,
        "PostTypeId": 1 + n % 2,
        "ParentId": n - 1 if n % 2 else None,
        "CreationDate": "2021-03-04T05:06:07.890",
        "Score": 10,
        "Body": f"<p>post {n}</p>",
        "Title": f"title {n}",
        "Tags": "<python>",
        "ContentLicense": "CC BY-SA 4.0",
    }
    for n in range(6)
]
_EXPORT = [
    {
        **sound,
        "question_score": 7,
        "question_creation_date": "2021-03-04 05:06:07 UTC",
        "answer_creation_date": "2021-03-05 05:06:07 UTC",
        "question_owner_user_id": 3,
        "answer_owner_user_id": 4,
    }
    for sound in _CORPUS
]


def _roles() -> dict[str, Role]:
    corpus, questions = data() / "corpus.csv", data() / "questions.csv"
    keyword = ("--config", "keyword", "--profile", "embedded")
    retrieval = ("evaluation", "retrieval", "--config", "keyword", "--profile", "embedded")
    judged = {"corpus": corpus, "queries": data() / "queries.csv", "qrels": data() / "qrels.csv"}

    def measured(name: str) -> tuple[object, ...]:
        files = {**judged, name: TABLE}
        return (*retrieval, *(text for key, path in files.items() for text in (f"--{key}", path)))

    check = ("dataset", "check", TABLE)
    return {
        "corpus": Role(
            _CORPUS,
            [
                check,
                ("dataset", "check", questions, "--against", TABLE),
                ("graph", "index", *keyword, "--corpus", TABLE),
                ("graph", "ask", "how to do thing 3?", *keyword, "--corpus", TABLE, "--json"),
                (
                    *("eval.py", "--config", "keyword", *FAST, "--limit", 1),
                    *("--dataset", questions, "--corpus", TABLE),
                ),
                measured("corpus"),
            ],
        ),
        "questions": Role(
            _QUESTIONS,
            [
                check,
                (*check, "--against", corpus),
                ("eval.py", "--config", "baseline", *FAST, "--limit", 2, "--dataset", TABLE),
                (
                    "eval.py",
                    "--config",
                    "oracle",
                    "--dry-run",
                    "--dataset",
                    TABLE,
                    "--corpus",
                    corpus,
                ),
            ],
        ),
        "queries": Role(_QUERIES, [measured("queries")]),
        "qrels": Role(_QRELS, [measured("qrels")]),
        "grades": Role(
            _GRADES,
            [("evaluation", "calibrate", "--profile", "embedded", "--no-judge", "--grades", TABLE)],
        ),
        "export": Role(_EXPORT, [("dataset", "build", "bigquery", TABLE, "--out", "out.csv")]),
        "posts": Role(
            _POSTS, [("dataset", "build", "huggingface", TABLE, "--out", "out.csv", "--limit", "3")]
        ),
        "issues": Role(_POSTS, [("dataset", "build", "coderepoqa", "issues", "--out", "out.csv")]),
    }


def write_table(path: Path, rows: Rows, random: Random) -> None:
    """Write rows in the form that the ending of a path names."""
    name = path.name
    if name.endswith("parquet"):
        _write_parquet(path, rows)
        return
    text = _csv(rows, random) if ".csv" in name else _jsonl(rows)
    content = text.encode("utf-8", "surrogatepass")
    path.write_bytes(gzip.compress(content, 1) if name.endswith(".gz") else content)


def _csv(rows: Rows, random: Random) -> str:
    file = io.StringIO(newline="")
    columns = list(dict.fromkeys(name for row in rows for name in row))
    quoting = random.choice((csv.QUOTE_MINIMAL, csv.QUOTE_ALL))
    writer = csv.DictWriter(file, columns, restval="", quoting=quoting)
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def _jsonl(rows: Rows) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def _write_parquet(path: Path, rows: Rows) -> None:
    """Write typed columns where all values of a column have one type, else texts."""
    import pyarrow
    from pyarrow import parquet

    columns = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        values = [row.get(name) for row in rows]
        try:
            columns[name] = pyarrow.array(values)
        except (pyarrow.ArrowException, ValueError, TypeError, OverflowError):
            texts = [str(value).encode("utf-8", "replace").decode() for value in values]
            columns[name] = pyarrow.array(texts)
    parquet.write_table(pyarrow.table(columns), path)


def _changed(rows: Rows, random: Random, value) -> Rows:
    """Put odd values into some cells; sometimes repeat, drop or rename rows and columns."""
    changed = [dict(row) for row in rows]
    for _ in range(random.randrange(0, 5)):
        name = random.choice(list(changed[0]))
        for row in changed if random.random() < 0.2 else [random.choice(changed)]:
            row[name] = value(random)
    if random.random() < 0.1:
        changed.append(dict(random.choice(changed)))
    if random.random() < 0.1:
        name = random.choice(list(changed[0]))
        for row in random.sample(changed, random.randrange(1, len(changed) + 1)):
            row.pop(name, None)
    if random.random() < 0.05:
        for row in changed:
            row[odd_text(random)[:50]] = "x"
    return changed if random.random() > 0.02 else []


def _check(case: Case) -> Outcome:
    """Read a table with a command of its role: it ends with 0, or with 2 and one line."""
    random, roles = case.random, _roles()
    role = roles[list(roles)[case.number % len(roles)]]
    path = case.folder / f"table.{random.choice(ENDINGS)}"
    write_table(path, _changed(role.rows, random, odd_value), random)
    if random.random() < 0.4:
        path.write_bytes(damaged(path.read_bytes(), random))
    if random.random() < 0.02:
        path = path.rename(path.with_name(random.choice(("x", "x.txt", ".csv", "x.CSV"))))
    (case.folder / "issues").mkdir()
    (case.folder / "issues" / "a.jsonl").write_bytes(path.read_bytes())
    program, *arguments = (path if part is TABLE else part for part in random.choice(role.commands))
    ended = run_command(case, program, *arguments)
    # `check` ends with 1 if it finds problems.
    codes = [0, 1, 2] if arguments[0] == "check" else [0, 2]
    faults = faults_of(ended, codes)
    end = "refused" if ended.code == 2 else "unchanged"
    return Outcome(end, faults, f"{program} {arguments[:2]}; {detail_of(ended)}")


def _check_forms(case: Case) -> Outcome:
    """Read the same texts from each form of a file: all give the same rows, and none is lost."""
    random = case.random
    rows = _changed(_QUESTIONS, random, _sound_text) or _QUESTIONS
    columns = dict.fromkeys(name for row in rows for name in row)
    rows = [{name: row.get(name, "") for name in columns} for row in rows]

    def read() -> None:
        arm_limit(case)
        tables = []
        for ending in ENDINGS:
            path = case.folder / f"table.{ending}"
            write_table(path, rows, random)
            tables.append([dict(row) for _, row in read_rows(path)])
        assert all(table == tables[0] for table in tables), "the forms differ"
        assert len(tables[0]) == len(rows), "a row is lost"

    def read_or_refuse() -> int:
        try:
            read()
        except DatasetError as error:
            # Where a backslash stands before a quote, CSV alone does not tell what it means.
            return 2 if "a backslash before a quote" in str(error) else 1
        return 0

    ended = in_child(lambda: os._exit(read_or_refuse()))
    if ended.code not in (0, 2):
        faults = ("wrong",) if "AssertionError" in ended.err else faults_of(ended, [0, 2])
        return Outcome("", faults, detail_of(ended))
    return Outcome("refused" if ended.code else "unchanged")


def _sound_text(random: Random) -> str:
    """Return a text that every form can hold: no NUL, and no byte order mark at the start."""
    return odd_text(random).replace("\x00", "").lstrip("\ufeff") or "x"


@cache
def write_sound_tables() -> None:
    """Write queries, judgements and grades beside the other data."""
    for name, rows in (("queries", _QUERIES), ("qrels", _QRELS), ("grades", _GRADES)):
        write_table(data() / f"{name}.csv", rows, Random(0))


KINDS = [
    Kind("generated tables", 4_000, 64, _check, write_sound_tables),
    Kind("forms of tables", 500, 10, _check_forms),
]
