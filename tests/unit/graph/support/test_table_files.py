"""Tables are read whole, every value as text, or refused with one line that names the position."""

import csv
import gzip
import io
import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.support.errors import DatasetError
from graph.support.table_files import MAX_FIELD, read_rows
from tests.fakes.properties import examples, utf8_text


def table(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    return path


def rows_of(path, required=()):
    return [row for _, row in read_rows(path, required)]


def refusal(path, required=()):
    with pytest.raises(DatasetError) as caught:
        list(read_rows(path, required))
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path):
    path = table(tmp_path, "t.csv", b"\xef\xbb\xbfid,text\n1,x\n")
    assert rows_of(path, ("id",)) == [{"id": "1", "text": "x"}]


def test_windows_line_ends_quotes_and_newlines_in_fields_are_kept_exactly(tmp_path):
    path = table(tmp_path, "t.csv", b'a,b\r\n"say ""hi""\r\nthere",2\r\n"x,\ny",\r\n')
    assert rows_of(path) == [
        {"a": 'say "hi"\r\nthere', "b": "2"},
        {"a": "x,\ny", "b": ""},
    ]


def test_rows_are_numbered_from_one_whatever_lines_they_take(tmp_path):
    path = table(tmp_path, "t.csv", b'a\n"1\n1\n1"\n2\n')
    assert list(read_rows(path)) == [(1, {"a": "1\n1\n1"}), (2, {"a": "2"})]


@pytest.mark.parametrize(
    ("codec", "byte"), [("utf-16", "0xff"), ("latin-1", "0xe4"), ("cp1252", "0xe4")]
)
def test_another_encoding_is_refused_with_the_byte_that_gives_it_away(tmp_path, codec, byte):
    path = table(tmp_path, "t.csv", "id,text\n1,Käse\n".encode(codec))
    assert refusal(path) == f"not UTF-8 (byte {byte}); convert it, for example with iconv"


def test_utf16_without_a_mark_has_none_of_the_columns(tmp_path):
    path = table(tmp_path, "t.csv", "id,text\n1,x\n".encode("utf-16-le"))
    assert refusal(path, ("id",)).startswith("column 'id' missing; it has 'i\\x00d\\x00'")


def test_a_bad_byte_in_the_last_row_is_refused_too(tmp_path):
    path = table(tmp_path, "t.jsonl", b'{"a": 1}\n' * 20_000 + b'{"a": "\xfe"}\n')
    assert refusal(path) == "not UTF-8 (byte 0xfe); convert it, for example with iconv"


def test_text_after_a_nul_is_not_lost(tmp_path):
    path = table(tmp_path, "t.csv", b"a,b\n1,x\x00y\n")
    assert rows_of(path) == [{"a": "1", "b": "x\x00y"}]


def test_a_field_of_ten_megabytes_is_read_whole(tmp_path):
    text = "0123456789" * 1024 * 1024
    path = table(tmp_path, "t.csv", b"a,b\n1," + text.encode() + b"\n")
    assert rows_of(path)[0]["b"] == text


def test_a_field_above_the_limit_is_refused_with_its_line(tmp_path):
    path = table(tmp_path, "t.csv", b"a,b\n1,2\n3," + b"x" * (MAX_FIELD + 1) + b"\n")
    assert refusal(path) == f"line 3: field larger than field limit ({MAX_FIELD})"


def test_an_unclosed_quote_is_refused(tmp_path):
    path = table(tmp_path, "t.csv", b'a,b\n1,"2\n3,4\n')
    assert refusal(path) == "line 3: the file ends inside quotes: one is not closed"


@pytest.mark.parametrize(
    "header", [b'"a,b\n', b'"a"x,b\n', b'"' + b"a" * (MAX_FIELD + 1) + b'",b\n']
)
def test_a_broken_header_is_refused_like_a_broken_row(tmp_path, header):
    assert "line " in refusal(table(tmp_path, "t.csv", header + b"1,2\n"))


@pytest.mark.parametrize(("row", "count"), [(b"1,2,3", "3 fields"), (b"1", "1 field")])
def test_a_row_of_another_length_is_refused_with_its_line(tmp_path, row, count):
    path = table(tmp_path, "t.csv", b'a,b\n"x\ny",2\n' + row + b"\n5,6\n")
    assert refusal(path) == f"line 4: {count} where the header has 2"


def test_a_blank_line_is_no_row(tmp_path):
    path = table(tmp_path, "t.csv", b"a,b\n\n1,2\n\n3,4\n\n")
    assert list(read_rows(path)) == [(1, {"a": "1", "b": "2"}), (2, {"a": "3", "b": "4"})]


def test_a_duplicate_column_is_named(tmp_path):
    path = table(tmp_path, "t.csv", b"a,b,a\n1,2,3\n")
    assert refusal(path) == "column 'a' is a duplicate"


def test_missing_columns_are_named_with_those_that_are_there(tmp_path):
    path = table(tmp_path, "t.csv", b"a,b\n1,2\n")
    assert refusal(path, ("b", "c", "d")) == "column 'c', 'd' missing; it has 'a', 'b'"


def test_columns_may_come_in_any_order_and_more_than_needed(tmp_path):
    path = table(tmp_path, "t.csv", b"x,b,a\n0,2,1\n")
    assert rows_of(path, ("a", "b")) == [{"x": "0", "b": "2", "a": "1"}]


@pytest.mark.parametrize("content", [b"", b"a,b\n", b"a,b", b"\xef\xbb\xbf", b"a,b\n\n\n"])
def test_a_table_without_rows_is_refused(tmp_path, content):
    assert refusal(table(tmp_path, "t.csv", content)) == "has no rows"


@pytest.mark.parametrize("content", [b"", b"\n \n"])
def test_json_lines_without_rows_are_refused(tmp_path, content):
    assert refusal(table(tmp_path, "t.jsonl", content)) == "has no rows"


def test_gzipped_tables_read_like_plain_ones(tmp_path):
    plain = b"a,b\n1,2\n"
    assert rows_of(table(tmp_path, "t.csv.gz", gzip.compress(plain))) == [{"a": "1", "b": "2"}]
    lines = table(tmp_path, "t.jsonl.gz", gzip.compress(b'{"a": 1}\n'))
    assert rows_of(lines) == [{"a": "1"}]


@pytest.mark.parametrize("cut", [1, 4, 8, 9, 40])
def test_a_gzip_file_with_its_end_torn_off_is_refused(tmp_path, cut):
    whole = gzip.compress(b"a,b\n" + b"1,2\n" * 5_000)
    assert refusal(table(tmp_path, "t.csv.gz", whole[:-cut])).startswith("cannot be read: ")


def test_a_flipped_byte_in_a_gzip_file_is_never_read_as_rows(tmp_path):
    content = "".join(f"{number},{number * number}\n" for number in range(400))
    whole = gzip.compress(f"a,b\n{content}".encode(), mtime=0)
    for position in range(10, len(whole), 37):
        damaged = bytearray(whole)
        damaged[position] ^= 0xFF
        assert refusal(table(tmp_path, "t.csv.gz", bytes(damaged)))


def test_a_file_that_is_not_gzip_is_refused(tmp_path):
    message = refusal(table(tmp_path, "t.csv.gz", b"a,b\n1,2\n"))
    assert message.startswith("cannot be read: Not a gzipped file")


def test_a_bad_json_line_is_refused_with_its_number(tmp_path):
    path = table(tmp_path, "t.jsonl", b'{"a": 1}\n\n{"a": 2\n{"a": 3}\n')
    assert refusal(path) == "line 3: not JSON"


@pytest.mark.parametrize("line", [b"[1]", b'"text"', b"3", b"null"])
def test_a_json_line_that_is_no_object_is_refused(tmp_path, line):
    path = table(tmp_path, "t.jsonl", b'{"a": 1}\n' + line + b"\n")
    assert refusal(path) == "line 2: not a JSON object"


def test_json_nested_without_end_is_refused_and_not_recursed_into(tmp_path):
    path = table(tmp_path, "t.jsonl", b'{"a": 1}\n{"a": ' + b"[" * 100_000 + b"\n")
    assert refusal(path) == "line 2: not JSON"


def test_json_values_become_text(tmp_path):
    values = {"id": 7, "score": 1.5, "tags": ["a", "b"], "none": None, "text": "x\u2028y"}
    path = table(tmp_path, "t.jsonl", json.dumps(values).encode() + b"\n")
    assert rows_of(path) == [
        {"id": "7", "score": "1.5", "tags": "a|b", "none": "", "text": "x\u2028y"}
    ]


def test_json_lines_are_split_at_line_feeds_only(tmp_path):
    line = json.dumps({"a": "x\u2028y\u2029z\x85w\x0bv"}, ensure_ascii=False)
    path = table(tmp_path, "t.jsonl", (line + "\r\n").encode().replace(b"\x0b", b"\\u000b"))
    assert rows_of(path) == [{"a": "x\u2028y\u2029z\x85w\x0bv"}]


def test_a_json_row_that_lacks_a_needed_column_is_refused_or_filled(tmp_path):
    path = table(tmp_path, "t.jsonl", b'{"a": 1, "b": 2}\n{"a": 3}\n')
    with suppress(DatasetError):
        assert rows_of(path, ("a", "b")) == [{"a": "1", "b": "2"}, {"a": "3", "b": ""}]


def test_parquet_values_become_text(tmp_path):
    arrow = pytest.importorskip("pyarrow", reason="parquet needs pyarrow")
    from pyarrow.parquet import write_table

    path = tmp_path / "t.parquet"
    write_table(arrow.table({"id": [1, 2], "text": ["NA", None], "tags": [["a", "b"], []]}), path)
    assert list(read_rows(path, ("id", "text"))) == [
        (1, {"id": "1", "text": "NA", "tags": "a|b"}),
        (2, {"id": "2", "text": "", "tags": ""}),
    ]


def test_a_damaged_parquet_file_is_never_a_surprise(tmp_path):
    arrow = pytest.importorskip("pyarrow", reason="parquet needs pyarrow")
    from pyarrow.parquet import write_table

    path = tmp_path / "t.parquet"
    write_table(arrow.table({"id": list(range(50)), "text": ["some text"] * 50}), path)
    whole = path.read_bytes()
    refused = 0
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 0xFF
        path.write_bytes(damaged)
        try:
            list(read_rows(path))
        except DatasetError:
            refused += 1
    assert refused > len(whole) // 2


@pytest.mark.parametrize("name", ["t.txt", "t.tsv", "t", "t.csv.zip", "t.gz", "csv"])
def test_an_unknown_ending_is_refused_with_the_known_ones(tmp_path, name):
    message = refusal(table(tmp_path, name, b"a\n1\n"))
    assert message == "unknown kind of file; give .csv, .csv.gz, .jsonl, .jsonl.gz or .parquet"


@pytest.mark.parametrize("name", ["T.CSV", "posts.2024.csv", "a.b.Csv"])
def test_the_last_ending_counts_whatever_its_case(tmp_path, name):
    assert rows_of(table(tmp_path, name, b"a\n1\n")) == [{"a": "1"}]


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    (tmp_path / "folder.csv").mkdir()
    assert refusal(tmp_path / "none.csv") == "there is no such file"
    assert refusal(tmp_path / "folder.csv") == "is a folder; give a regular file"


def test_words_that_other_readers_take_for_missing_stay_text(tmp_path):
    words = ["NA", "null", "NaN", "None", "", "-", "0x10", "1e5", "true", "007"]
    path = table(tmp_path, "t.csv", ("a,b\n" + "".join(f"{w},x\n" for w in words)).encode())
    assert [row["a"] for row in rows_of(path)] == words


def test_unicode_line_separators_stay_inside_their_field(tmp_path):
    text = "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg"
    path = table(tmp_path, "t.csv", f"a,b\n1,{text}\n2,x\n".encode())
    assert rows_of(path) == [{"a": "1", "b": text}, {"a": "2", "b": "x"}]


@examples(60)
@given(rows=st.lists(st.tuples(utf8_text, utf8_text), min_size=1, max_size=6))
def test_whatever_was_written_is_read_back(tmp_path_factory, rows):
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([("a", "b"), *rows])
    path = tmp_path_factory.getbasetemp() / "written.csv"
    path.write_bytes(text.getvalue().encode())
    assert [(row["a"], row["b"]) for row in rows_of(path)] == rows
