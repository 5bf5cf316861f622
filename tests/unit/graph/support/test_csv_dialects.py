"""CSV files of other programs are read rightly or refused, and never read wrongly in silence."""

import csv
import gzip

import pytest

from graph.support.csv_dialects import MIN_ESCAPED_ROWS
from graph.support.errors import DatasetError
from graph.support.table_files import read_rows

TEXTS = (
    'print("C:\\new\\table")',
    're.match(r"\\d+", x)',
    "two\nlines; it's, a\ttab | bar",
    "C:\\",
    '"\\""',
    "",
)


def write(path, texts, **dialect):
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "wt", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, **dialect)
        writer.writerows([("id", "text"), *enumerate(texts)])
    return path


def texts_of(path):
    return [row["text"] for _, row in read_rows(path, ("id", "text"))]


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("escape", [{}, {"escapechar": "\\", "doublequote": False}])
def test_delimiters_and_escaped_quotes_are_read_rightly(tmp_path, name, quoting, delimiter, escape):
    path = write(tmp_path / name, TEXTS, delimiter=delimiter, quoting=quoting, **escape)
    assert texts_of(path) == list(TEXTS)


@pytest.mark.parametrize("escape", [{}, {"escapechar": "\\", "doublequote": False}])
def test_a_file_with_all_its_fields_in_single_quotes_is_read_rightly(tmp_path, escape):
    path = write(tmp_path / "t.csv", TEXTS, quotechar="'", quoting=csv.QUOTE_ALL, **escape)
    assert texts_of(path) == list(TEXTS)


def test_some_fields_in_single_quotes_are_refused_with_the_way_out(tmp_path):
    path = write(tmp_path / "t.csv", TEXTS, quotechar="'")
    with pytest.raises(DatasetError, match=r"single quotes\? convert the file to \.jsonl"):
        texts_of(path)


@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
def test_backslashes_that_were_doubled_throughout_are_read_rightly(tmp_path, caplog, quoting):
    texts = TEXTS * MIN_ESCAPED_ROWS
    path = write(tmp_path / "t.csv", texts, escapechar="\\", quoting=quoting)
    assert texts_of(path) == list(texts)
    assert caplog.messages == [f"{path}: the backslash is its escape character, and is read so"]


def test_few_doubled_backslashes_are_kept_and_told_of(tmp_path, caplog):
    path = write(tmp_path / "t.csv", ["C:\\new", "x"], escapechar="\\")
    assert texts_of(path) == ["C:\\\\new", "x"]
    assert "all backslashes come in pairs, in 1 row, and are kept; if" in caplog.text


@pytest.mark.parametrize("alone", ["\\n", "\\", "a\\b", "\\\\\\"])
def test_one_backslash_alone_says_that_none_is_doubled(tmp_path, caplog, alone):
    texts = ["C:\\\\new\\\\table"] * 2 * MIN_ESCAPED_ROWS
    path = write(tmp_path / "t.csv", [*texts, f"{alone} "])
    assert texts_of(path) == [*texts, f"{alone} "]
    assert caplog.messages == []


@pytest.mark.parametrize(
    "row",
    [
        b'1,"say \\"hi\\", C:\\new"',  # Spark escapes quotes alone
        b'1,"say \\"hi\\"\\n"',
        b"1,\\N",
        b'1,"text\\\n"\n2,"a"b"',
    ],
)
def test_what_no_dialect_fits_is_refused_in_one_line(tmp_path, row):
    path = tmp_path / "t.csv"
    path.write_bytes(b"id,text\n" + row + b"\n")
    with pytest.raises(DatasetError, match=r": .*\.jsonl") as caught:
        texts_of(path)
    assert "\n" not in str(caught.value)


def test_a_header_with_two_delimiters_is_refused(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"id;text|x\n1;2|3\n")
    with pytest.raises(DatasetError, match="its columns have two delimiters"):
        list(read_rows(path))


@pytest.mark.parametrize(
    "rows",
    [
        b'1,"line one\\\nline two"\n',
        b'1,"line one\\\r\nline two"\r\n2,x\r\n',
        b'1,"a\\\nb\\\nc"\n2,"C:\\\\new"\n',
        b'1,"ends \\\\\\\nb"\n',
    ],
)
def test_line_ends_that_mysql_escaped_are_refused(tmp_path, rows):
    path = tmp_path / "t.csv"
    path.write_bytes(b"id,text\n" + rows)
    with pytest.raises(DatasetError, match="as MySQL escapes line ends; export it as standard CSV"):
        texts_of(path)


@pytest.mark.parametrize(
    "texts",
    [
        ["run \\\n  --fast", "two\nlines"],
        ["run \\\n  --fast\nand more"],
        ["run \\\n  --fast", "a\\b"],
        ["C:\\", "x"],
        ["pairs \\\\\nb", "run \\\n  --fast"],
    ],
)
def test_a_backslash_at_some_line_ends_is_kept(tmp_path, texts):
    assert texts_of(write(tmp_path / "t.csv", texts)) == texts


@pytest.mark.parametrize("line", ["sep=;", "sep=,", '"sep=;"', "SEP=;", "sep=\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_excels_mark_of_the_delimiter_is_named(tmp_path, line, end):
    path = tmp_path / "t.csv"
    path.write_bytes(f"{line}{end}id;text{end}1;x{end}".encode())
    with pytest.raises(DatasetError, match=r"its first line, .* is Excel's mark .*: remove it"):
        texts_of(path)


@pytest.mark.parametrize("line", [b"\n", b"\r\n", b"  \n", b"\xef\xbb\xbf\n"])
def test_a_blank_first_line_is_named(tmp_path, line):
    path = tmp_path / "t.csv"
    path.write_bytes(line + b"id,text\n1,x\n")
    with pytest.raises(DatasetError, match=r"its first line is blank, .*: remove it"):
        texts_of(path)
