"""Texts and ids of cells that other programs wrote, and the line that tells of the changes."""

import json
import logging

import pytest

from graph.support.errors import DatasetError
from graph.support.table_files import read_rows
from graph.support.table_values import TableValues, id_or_text


@pytest.fixture
def values(tmp_path):
    return TableValues(tmp_path / "t.csv")


def one_id(values, cell):
    return values.id(3, {"question_id": cell}, "question_id")


def all_ids(values, cell):
    return values.ids(3, {"relevant_question_ids": cell}, "relevant_question_ids")


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        ("11", "11"),
        (" 11 ", "11"),
        ("11.0", "11"),
        ("11.", "11"),
        ("11.000", "11"),
        ("1.1e1", "11"),
        ("1.1E+01", "11"),
        ("[11]", "11"),
        ("[11.0]", "11"),
        ('["11"]', "11"),
        ("{11}", "11"),
        ("(11,)", "11"),
        ('"11"', "11"),
        # Marks of spreadsheets, invisible characters, full-width digits.
        ("'7000001", "7000001"),
        ('="7000001"', "7000001"),
        ("\ufeff7000001", "7000001"),
        ("7000001\u200b", "7000001"),
        ("\u00a07000001\u202f", "7000001"),
        ("\uff17\uff10\uff11", "701"),
        ("'11.0", "11"),
        ('="pandas#12"', "pandas#12"),
        ('["\'11"]', "11"),
        ("'q1'", "q1"),
        # Leading zeros and text stay as they are.
        ("007", "007"),
        ("-1", "-1"),
        ("9007199254740993", "9007199254740993"),
        ("pandas-dev/pandas#12", "pandas-dev/pandas#12"),
        ("3.12.1", "3.12.1"),
        ("12e5", "12e5"),
        ("v1.0", "v1.0"),
        ("a|b, c", "a|b, c"),
        # No id.
        ("", ""),
        ("nan", ""),
        ("None", ""),
        ("NULL", ""),
        ("NA", ""),
        ("N/A", ""),
        ("#N/A", ""),
        ("<NA>", ""),
        ("none", ""),
        ("[]", ""),
        ("{}", ""),
        ("( )", ""),
    ],
)
def test_one_id_is_read_in_each_notation(values, cell, name):
    assert one_id(values, cell) == name
    assert id_or_text(cell) == name


@pytest.mark.parametrize(
    ("cell", "names"),
    [
        ("", ()),
        ("11", ("11",)),
        ("11.0", ("11",)),
        ("11|12", ("11", "12")),
        ("11| 12 ||13", ("11", "12", "13")),
        ("11.0|12.0", ("11", "12")),
        ("11,12", ("11", "12")),
        ("11, 12", ("11", "12")),
        ("11;12", ("11", "12")),
        ("11 12", ("11", "12")),
        ("[11]", ("11",)),
        ("[11, 12.0]", ("11", "12")),
        ('["11", "12"]', ("11", "12")),
        ("['11', '12']", ("11", "12")),
        ("[11 12]", ("11", "12")),
        ("{11,12}", ("11", "12")),
        ("[9007199254740993]", ("9007199254740993",)),
        ("11.0|nan", ("11",)),
        ("[nan, 11, null]", ("11",)),
        ("[]", ()),
        ("{}", ()),
        ("()", ()),
        ("{1,NULL}", ("1",)),
        ("#N/A|11", ("11",)),
        ("1,2345", ("1", "2345")),
        ("0,234", ("0", "234")),
        ("NaN", ()),
        ("q1|q 2", ("q1", "q 2")),
        ("a b", ("a b",)),
        ("007|7", ("007", "7")),
        ("7 12 9001", ("7", "12", "9001")),
        ("7000001 7000002", ("7000001", "7000002")),
        ("101;102", ("101", "102")),
        ("[101, 102]", ("101", "102")),
        ("1234 567", ("1234", "567")),
        ("7 12 345 6", ("7", "12", "345", "6")),
        ('"11","12"', ("11", "12")),
        ("'11'; '12'", ("11", "12")),
        ('="11|12"', ("11", "12")),
        ("'11|'12", ("11", "12")),
        ("'11,12", ("11", "12")),
        ("\ufeff11|12\u200b|\uff11\uff13", ("11", "12", "13")),
        ("11\u00a0|\u202f12", ("11", "12")),
        ("\uff11\uff11\uff0c\uff11\uff12", ("11", "12")),
        ("11\uff1b12", ("11", "12")),
        ("11\u300112", ("11", "12")),
        ("11\uff5cq1", ("11", "q1")),
        ("[11\uff0c 12]", ("11", "12")),
        ('"11|12"', ("11", "12")),
        ("'11,12'", ("11", "12")),
        ('"11"', ("11",)),
        ("\"11\"|'12'", ("11", "12")),
        ('"[11, 12]"', ("11", "12")),
    ],
)
def test_several_ids_are_read_in_each_notation(values, cell, names):
    assert all_ids(values, cell) == names


@pytest.mark.parametrize(
    "cell",
    [
        "11.5",
        "1.23457E+08",
        "1e+05",
        "9007199254740993.0",
        "1.8014398509481985e16",
        "[[11]]",
        "{'a': 1}",
        '{"a": 1}',
        "[true]",
    ],
)
def test_what_is_no_id_for_sure_is_refused_with_row_and_value(values, cell):
    for read in (one_id, all_ids):
        with pytest.raises(DatasetError) as caught:
            read(values, cell)
        assert f"t.csv: row 3: {'question_id' if read is one_id else 'relevant_question_ids'} " in (
            str(caught.value)
        )
        assert repr(cell) in str(caught.value)
    assert id_or_text(cell) == cell


@pytest.mark.parametrize(
    "cell",
    [
        "11,12",
        "11|12",
        "11.0|12.0",
        "1,234",
        "[11, 12]",
        "11 12",
        '"11","12"',
        "'11';'12'",
        '"a" "b"',
        "7 000 001",
        "7,000,001",
        '="7,000,001"',
        "\uff11\uff11\uff0c\uff11\uff12",
        "11\u300112",
        "11\uff1b 12",
        '"11|12"',
    ],
)
def test_several_ids_are_no_single_id(values, cell):
    with pytest.raises(DatasetError, match="is not one id: write one, as in 11"):
        one_id(values, cell)


@pytest.mark.parametrize(
    "cell",
    [
        "a,b",
        "q1;q2",
        "11, q2",
        "11,0",
        "7.000,00",
        "7 000 001;12",
        "7,000,001;12",
        "a\uff0cb",
        '"11|12"|13',
        "'a|b'|13",
        '11|"a|b"',
    ],
)
def test_a_comma_that_may_belong_to_an_id_is_refused(values, cell):
    with pytest.raises(DatasetError, match=r"separate ids by \||separated by \|"):
        all_ids(values, cell)


@pytest.mark.parametrize(
    "cell", ["1,234", "101,102", "12,345,678", "7 000 001", "7 123", "101 102"]
)
def test_groups_of_three_digits_may_be_one_number_and_are_refused(values, cell):
    with pytest.raises(DatasetError, match=r"one number in groups .* separate ids by ; or \|"):
        all_ids(values, cell)
    for separator in "|;":
        text = cell.replace(",", separator).replace(" ", separator)
        assert all_ids(values, text) == tuple(text.split(separator))


@pytest.mark.parametrize(
    "cell",
    [
        *(f"7{space}000{space}001" for space in "\u00a0\u202f\u2009\u2007\u3000"),
        "7.000.001",
        "7'000'001",
        "7\u2019000\u2019001",
        "12'345",
        "7\u00a012",
        "\uff17\u00a0\uff10\uff10\uff10",
        '="7.000.001"',
    ],
)
def test_a_number_in_groups_is_refused_and_never_read_as_several(values, cell):
    for read in (one_id, all_ids):
        with pytest.raises(DatasetError, match="may be one number in groups") as caught:
            read(values, cell)
        assert "\n" not in str(caught.value)
    for text in (f"{cell}|12", f"12|{cell}", f"['{cell}']" if "'" not in cell else f'["{cell}"]'):
        if '="' not in cell:
            with pytest.raises(DatasetError, match="may be one number in groups"):
                all_ids(values, text)
    with pytest.raises(DatasetError, match="row 3: relevant_question_ids"):
        all_ids(values, f"{cell};12")


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("a\r\nb", "a\nb"),
        ("a\rb", "a\nb"),
        ("a\r\n\r\nb\r", "a\n\nb\n"),
        ("a\n\rb", "a\n\nb"),
        ("a\nb", "a\nb"),
    ],
)
def test_every_line_of_a_text_ends_with_lf(values, cell, text):
    assert values.text(cell) == text


def test_all_changes_are_counted_in_one_line_that_is_logged_once(tmp_path, caplog):
    values = TableValues(tmp_path / "t.csv")
    for cell in ("a\r\nb", "c", "d\re"):
        values.text(cell)
    for cell in ("11.0", "12", "13.0"):
        one_id(values, cell)
    all_ids(values, "[14, 15]")
    one_id(values, "nan")
    with caplog.at_level(logging.INFO, logger="opencoder"):
        values.log_changes()
        values.log_changes()
    assert caplog.messages == [
        f"{tmp_path / 't.csv'}: texts with CRLF or CR line ends, read as LF: 2; "
        "floats, read as whole numbers: 2 (11.0 as 11); "
        "lists of ids in another form than 11|12: 1 ([14, 15]); "
        "words for a missing value, read as none: 1 (nan)"
    ]


def test_marks_of_spreadsheets_are_counted(tmp_path, caplog):
    values = TableValues(tmp_path / "t.csv")
    for cell in ("'7000001", '="7000002"', "\ufeff7000003", "7000004"):
        one_id(values, cell)
    all_ids(values, "'11|'12")
    with caplog.at_level(logging.INFO, logger="opencoder"):
        values.log_changes()
    assert caplog.messages == [
        f"{tmp_path / 't.csv'}: ids read without marks of a spreadsheet and the like: 4 ('7000001)"
    ]


def test_nothing_is_logged_of_a_file_as_it_should_be(values, caplog):
    assert values.text("a\nb") == "a\nb"
    assert one_id(values, "11") == "11"
    assert all_ids(values, "11|12") == ("11", "12")
    values.log_changes()
    assert caplog.messages == []


def test_floats_lists_and_gaps_of_json_are_ids_too(tmp_path):
    path = tmp_path / "t.jsonl"
    cells = [11, 11.0, [11], [11.0], "11.0", ["11"]]
    lines = [json.dumps({"id": cell}) for cell in cells] + ['{"id": NaN}', '{"id": null}']
    path.write_text("\n".join(lines), encoding="utf-8")
    values = TableValues(path)
    ids = [values.id(number, row, "id") for number, row in read_rows(path)]
    assert ids == ["11"] * 6 + ["", ""]


def test_floats_lists_gaps_and_bytes_of_parquet_are_ids_too(tmp_path):
    arrow = pytest.importorskip("pyarrow", reason="parquet needs pyarrow")
    from pyarrow.parquet import write_table

    columns = {
        "float": [11.0, None, float("nan")],
        "list": [[11, 12], [], None],
        "floats": [[11.0, 12.0], [None], None],
        "bytes": [b"11", b"", None],
    }
    path = tmp_path / "t.parquet"
    write_table(arrow.table(columns), path)
    values = TableValues(path)
    rows = list(read_rows(path))
    assert [values.id(number, row, "float") for number, row in rows] == ["11", "", ""]
    assert [values.id(number, row, "bytes") for number, row in rows] == ["11", "", ""]
    for column in ("list", "floats"):
        assert [values.ids(number, row, column) for number, row in rows] == [("11", "12"), (), ()]


@pytest.mark.parametrize(("kind", "limit"), [("float16", 2**11), ("float32", 2**24)])
def test_ids_that_a_short_float_rounds_are_refused(tmp_path, kind, limit):
    arrow = pytest.importorskip("pyarrow", reason="parquet needs pyarrow")
    from pyarrow.parquet import write_table

    path = tmp_path / "t.parquet"
    type_ = getattr(arrow, kind)()

    def read(numbers, name="question_id", column_type=type_):
        write_table(arrow.table({name: arrow.array(numbers, column_type)}), path)
        values = TableValues(path)
        return [values.ids(number, row, name) for number, row in read_rows(path)]

    assert read([11.0, limit - 1.0, None]) == [("11",), (str(limit - 1),), ()]
    for numbers in ([11.0, float(limit)], [float(2 * limit)]):
        with pytest.raises(DatasetError, match=f"'question_id' holds short floats, .* {limit} on"):
            read(numbers)
    with pytest.raises(DatasetError, match="'relevant_question_ids' holds short floats"):
        read([[11.0], [1.0, float(limit)]], "relevant_question_ids", arrow.list_(type_))
    assert read([float(limit)], "question_id", arrow.float64()) == [(str(limit),)]
    read([float(limit)], "weight")
