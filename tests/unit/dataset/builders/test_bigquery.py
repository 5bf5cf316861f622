"""The export of the BigQuery selection: columns checked, ids exact, rows kept or counted."""

import json
import re
from contextlib import suppress

import pytest

from dataset.builders import bigquery
from dataset.builders.join import TABLE_COLUMNS
from graph.support.errors import DatasetError
from tests.fakes.csv_files import read_csv, write_csv

ROW = {
    "question_id": "5",
    "question_title": "T",
    "question_body": "<p>q</p>",
    "question_tags": "python|list",
    "answer_id": "6",
    "answer_body": '<p>a, "b"\n</p>',
    "answer_score": "8",
}


def export(tmp_path, rows, name="export.csv"):
    return write_csv(tmp_path / name, rows)


def build(path):
    target = path.parent / "out.csv"
    counts = bigquery.build(path, target, site="stackoverflow.com")
    return read_csv(target), counts


@pytest.mark.parametrize("name", ["export.csv", "export.csv.gz"])
def test_the_originals_seven_columns_are_enough(tmp_path, name):
    rows, counts = build(export(tmp_path, [ROW], name))
    assert list(rows[0]) == list(TABLE_COLUMNS)
    assert {key: rows[0][key] for key in ROW} == ROW
    assert rows[0]["question_url"] == "https://stackoverflow.com/questions/5"
    assert rows[0]["answer_url"] == "https://stackoverflow.com/a/6"
    assert (rows[0]["licence"], rows[0]["is_accepted"], rows[0]["answer_author"]) == ("", "", "")
    assert counts.summary() == ("rows in = kept + rejected: 1 = 1 + 0\nkept: 1 rows\n")


def test_the_columns_of_our_query_are_kept(tmp_path):
    more = {
        "is_accepted": "true",
        "question_score": "9",
        "question_author": "",
        "answer_author": "joe",
        "question_user_id": "12",
        "answer_user_id": "13",
        "question_creation_date": "2012-01-01 00:00:00 UTC",
        "answer_creation_date": "2020-01-01 00:00:00 UTC",
    }
    row = build(export(tmp_path, [ROW | more]))[0][0]
    assert row["is_accepted"] == "True"
    assert row["question_author"] == "https://stackoverflow.com/users/12"
    assert row["answer_author"] == "joe"
    assert row["licence"] == "question CC BY-SA 3.0, answer CC BY-SA 4.0"
    assert set(more) - {"question_user_id", "answer_user_id"} <= set(TABLE_COLUMNS)
    for name in (*ROW, *more):
        assert re.search(rf"\bAS {name}\b", bigquery.query()), name


def test_parquet_is_read_and_ids_stay_exact(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow.parquet import write_table

    row = ROW | {"question_id": 2**53 + 1, "answer_id": 2**63 - 1, "answer_score": 8}
    path = tmp_path / "export.parquet"
    write_table(pa.Table.from_pylist([row]), path)
    first = build(path)[0][0]
    assert (int(first["question_id"]), int(first["answer_id"])) == (2**53 + 1, 2**63 - 1)


def test_every_reject_is_counted(tmp_path):
    rows = [
        ROW,
        ROW,
        ROW | {"answer_id": str(2**63)},
        ROW | {"answer_id": "7", "answer_score": "8.5"},
        ROW | {"answer_id": "8", "question_title": " "},
        ROW | {"answer_id": "9", "answer_body": ""},
        ROW | {"answer_id": "10", "question_tags": "<a><b>"},
    ]
    kept_rows, counts = build(export(tmp_path, rows))
    assert [row["answer_id"] for row in kept_rows] == ["6", "10"]
    assert kept_rows[1]["question_tags"] == "a|b"
    assert counts.rejected_by_reason == {
        "duplicate question and answer id": 1,
        "bad id": 1,
        "bad score": 1,
        "empty title": 1,
        "empty body": 1,
    }
    assert counts.rows_in == 7 == counts.kept_by_kind.total() + counts.rejected_by_reason.total()


def test_a_missing_column_is_named_with_the_nearest_one(tmp_path):
    row = dict(ROW)
    row["Answer_Body"] = row.pop("answer_body")
    with pytest.raises(DatasetError) as caught:
        build(export(tmp_path, [row]))
    assert "column 'answer_body' is missing ('Answer_Body' is near: rename it)" in str(caught.value)
    assert "it has 'question_id', " in str(caught.value)


def test_an_export_that_leaves_nothing_or_is_damaged_is_refused(tmp_path):
    target = tmp_path / "out.csv"
    target.write_text("old", encoding="utf-8")
    with pytest.raises(
        DatasetError, match="none of the 1 rows is kept, nothing was written: 1 bad id"
    ):
        build(export(tmp_path, [ROW | {"question_id": "x"}]))
    path = export(tmp_path, [ROW])
    path.write_text(path.read_text(encoding="utf-8") + '7,"unclosed\n', encoding="utf-8")
    with pytest.raises(DatasetError, match="the file ends inside quotes: one is not closed"):
        build(path)
    assert target.read_text(encoding="utf-8") == "old"
    assert {entry.name for entry in tmp_path.iterdir()} == {"out.csv", "export.csv"}


@pytest.mark.parametrize("missing", ["question_id", "answer_id", "answer_score", "question_body"])
def test_a_column_that_a_later_row_lacks_is_one_line(tmp_path, missing):
    later = {name: text for name, text in ROW.items() if name != missing}
    path = tmp_path / "export.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in (ROW, later)), encoding="utf-8")
    with pytest.raises(DatasetError, match=f"export.jsonl: row 2: '{missing}' is missing"):
        build(path)


@pytest.mark.parametrize(
    "value", [None, True, [], {}, [[1]], {"a": [1]}, 10**400, -1, 1.5, "x", "\r\n", "\ud800"]
)
@pytest.mark.parametrize("column", ROW)
def test_values_of_any_type_are_kept_counted_or_refused(tmp_path, column, value):
    path = tmp_path / "export.jsonl"
    rows = [ROW, {**ROW, "answer_id": 7, column: value}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    with suppress(DatasetError):
        _, counts = build(path)
        assert counts.rows_in == 2
        counts.summary()


@pytest.mark.parametrize("cell", ["5.0", "[5]", "5.00", '["5"]'])
def test_ids_are_read_in_each_notation(tmp_path, cell):
    rows, _ = build(export(tmp_path, [{**ROW, "question_id": cell}]))
    assert rows[0]["question_id"] == "5"


def test_the_floats_of_pandas_are_read_as_whole_numbers_and_told_of(tmp_path, caplog):
    floats = {"answer_score": "-5.0", "question_score": "8.0", "answer_user_id": "13.0"}
    rows, counts = build(export(tmp_path, [ROW | {"question_id": "5.0"} | floats]))
    assert (rows[0]["answer_score"], rows[0]["question_score"]) == ("-5", "8")
    assert rows[0]["answer_author"] == "https://stackoverflow.com/users/13"
    assert counts.rejected_by_reason == {}
    assert caplog.messages == [
        f"{tmp_path / 'export.csv'}: floats, read as whole numbers: 4 (5.0 as 5)"
    ]


@pytest.mark.parametrize("score", ["8.5", "", "nan", "8,9", "1.2e+30", "x"])
def test_a_score_that_is_no_whole_number_costs_its_row(tmp_path, score):
    _, counts = build(export(tmp_path, [ROW, ROW | {"answer_id": "7", "answer_score": score}]))
    assert counts.rejected_by_reason == {"bad score": 1}
