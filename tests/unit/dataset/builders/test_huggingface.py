"""Posts as parquet give the same table as the dump, whatever types the columns have."""

import sys
from datetime import datetime
from types import SimpleNamespace

import pytest

from dataset.builders import huggingface, stackexchange
from dataset.builders.post_parsing import POST_COLUMNS
from dataset.builders.post_selection import Selection
from graph.support.errors import DatasetError, MissingExtraError
from tests.fakes.dumps import answer, question, write_dump

pa = pytest.importorskip("pyarrow")

POSTS = [question(1, AcceptedAnswerId="2"), answer(2, 1), answer(3, 1), answer(4, 9), question(5)]


def write(path, rows):
    from pyarrow.parquet import write_table

    write_table(pa.Table.from_pylist(rows), path)
    return path


def build(source, target):
    return huggingface.build(
        str(source), target, split="train", selection=Selection(), site="stackoverflow.com"
    )


def typed(post):
    """A post as a typical dataset has it: numbers, times, gaps that make ids floats."""
    row = {name: post.get(name) for name in POST_COLUMNS}
    row["Id"], row["Score"], row["PostTypeId"] = (
        int(post["Id"]), int(post["Score"]), int(post["PostTypeId"]),
    )  # fmt: skip
    row["ParentId"] = float(post["ParentId"]) if "ParentId" in post else None
    row["AcceptedAnswerId"] = float(post.get("AcceptedAnswerId", "nan"))
    row["CreationDate"] = datetime.fromisoformat(post["CreationDate"] + "000")
    row["Tags"] = post["Tags"][1:-1].split("><") if "Tags" in post else None
    return row | {"more": "x"}


@pytest.mark.parametrize("shape", ["text", "typed", "folder"])
def test_parquet_gives_what_the_dump_gives(tmp_path, shape):
    if shape == "folder":
        source = tmp_path / "parts"
        (source / "a").mkdir(parents=True)
        write(source / "a" / "0.parquet", list(map(typed, POSTS[:2])))
        write(source / "b.parquet", list(map(typed, POSTS[2:])))
    else:
        rows = POSTS if shape == "text" else list(map(typed, POSTS))
        rows = [dict.fromkeys(POST_COLUMNS) | row for row in rows]
        source = write(tmp_path / "posts.parquet", rows)
    counts = build(source, tmp_path / "a.csv")
    expected = stackexchange.build(
        write_dump(tmp_path, POSTS),
        tmp_path / "b.csv",
        selection=Selection(),
        site="stackoverflow.com",
    )
    assert counts.summary() == expected.summary()
    table = (tmp_path / "a.csv").read_text(encoding="utf-8")
    if shape != "text":
        # A time as pandas has it names microseconds.
        table = table.replace(".890000,", ".890,").replace("T00:00:00,", "T00:00:00.000,")
    assert table == (tmp_path / "b.csv").read_text(encoding="utf-8")


def test_an_id_that_a_float_cannot_hold_is_a_reject(tmp_path):
    rows = [typed(question(1)), typed(answer(2, 1)), typed(answer(3, 2**53))]
    counts = build(write(tmp_path / "posts.parquet", rows), tmp_path / "a.csv")
    assert counts.rejected_by_reason == {"answer without a question id": 1}


def test_missing_columns_are_named(tmp_path):
    path = write(tmp_path / "posts.parquet", [{"Id": 1, "body": "x"}])
    with pytest.raises(DatasetError) as caught:
        build(path, tmp_path / "a.csv")
    assert str(caught.value).startswith(
        f"{path}: needs the columns of Posts.xml; PostTypeId, ParentId, CreationDate"
    )
    assert str(caught.value).endswith("; it has Id, body")


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + bytes(50) + b"PAR1"])
def test_what_is_no_parquet_is_refused(tmp_path, content):
    (tmp_path / "posts.parquet").write_bytes(content)
    with pytest.raises(DatasetError, match="damaged or no parquet file"):
        build(tmp_path / "posts.parquet", tmp_path / "a.csv")
    assert [entry.name for entry in tmp_path.iterdir()] == ["posts.parquet"]


def test_a_dataset_of_the_hub_needs_its_package(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(
        MissingExtraError, match=r"there is no such file; to read a dataset .* pip install"
    ):
        build("owner/posts", tmp_path / "a.csv")
    with pytest.raises(DatasetError, match="neither a file or folder here nor the id of a dataset"):
        build("no/such/file", tmp_path / "a.csv")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match=r"the folder holds no \.parquet file"):
        build(tmp_path / "empty", tmp_path / "a.csv")


def test_a_dataset_of_the_hub_is_read_row_by_row(tmp_path, monkeypatch):
    calls = []

    class Datasets:
        @staticmethod
        def load_dataset(name, **options):
            calls.append((name, options))
            return map(typed, POSTS)

    monkeypatch.setitem(sys.modules, "datasets", Datasets)
    counts = build("owner/posts", tmp_path / "a.csv")
    assert calls == [("owner/posts", {"split": "train", "streaming": True})]
    assert counts.kept_by_kind == {"questions": 1, "answers": 2}


@pytest.mark.parametrize("count", [0, 1, 3])
def test_an_error_of_the_hub_is_one_line_after_any_number_of_rows(tmp_path, monkeypatch, count):
    def load_dataset(name, **options):
        yield from map(typed, POSTS[:count])
        raise ConnectionError("the hub\nis gone")

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    with pytest.raises(DatasetError, match="owner/posts: cannot be read from the hub: the hub is"):
        build("owner/posts", tmp_path / "a.csv")
    assert list(tmp_path.iterdir()) == []


def short_floats(column):
    rows = [dict.fromkeys(POST_COLUMNS) | post for post in POSTS]
    table = pa.Table.from_pylist(rows)
    ids = pa.array([None, 77777777.0, 1.0, 9.0, None], pa.float32())
    return table.set_column(table.schema.get_field_index(column), column, ids)


@pytest.mark.parametrize("column", ["ParentId", "AcceptedAnswerId", "OwnerUserId"])
def test_ids_that_a_short_float_rounds_are_refused(tmp_path, monkeypatch, column):
    from pyarrow.parquet import write_table

    table = short_floats(column)
    write_table(table, tmp_path / "posts.parquet")
    with pytest.raises(DatasetError, match=f"column '{column}' holds short floats"):
        build(tmp_path / "posts.parquet", tmp_path / "a.csv")

    class Streamed(list):
        features = SimpleNamespace(arrow_schema=table.schema)

    rows = Streamed(table.to_pylist())
    package = SimpleNamespace(load_dataset=lambda name, **options: rows)
    monkeypatch.setitem(sys.modules, "datasets", package)
    with pytest.raises(DatasetError, match=f"owner/posts: column '{column}' holds short floats"):
        build("owner/posts", tmp_path / "a.csv")
