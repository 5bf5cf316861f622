"""The journal: what was written is read back, and no damage to it goes unseen."""

import json
import os
import random
import shutil
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.store import checked_lines as module
from evaluation.store.checked_lines import decode
from evaluation.store.checked_lines import encode as encode_line
from evaluation.store.journal import Journal
from graph.support.errors import DatasetError, FileLostError
from tests.fakes.properties import any_text, examples
from tests.fakes.records import failed, key_of, record

COUNT = 50
KEY = key_of([record(index) for index in range(COUNT)])


def encode(entry):
    return encode_line(entry, KEY.digest)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.jsonl"


def write(path, records):
    journal = Journal(path, KEY)
    journal.append(records)
    journal.close()


def read(path):
    journal = Journal(path, KEY)
    journal.close()
    return list(journal.entries.values())


def read_or_refusal(path):
    try:
        return read(path)
    except DatasetError as error:
        return str(error)


@pytest.fixture(scope="module")
def fifty():
    """Fifty records, one batch of text each, and the bytes of their lines."""
    records = [
        record(index, answer=f"line\n{index} é\u2028\ud800 {{}}", steps=[])
        for index in range(COUNT)
    ]
    return records, [encode(entry) for entry in records]


def test_a_record_comes_back_as_it_was_written(path):
    records = [record(3), failed(1), record(0, answer="é\u2028\x00\ud800\U0001f600")]
    write(path, records)
    assert read(path) == records


@examples(200)
@given(
    text=any_text,
    number=st.floats(allow_nan=False, allow_infinity=False) | st.none(),
    index=st.integers(0),
)
def test_every_text_and_number_survives_as_one_line(text, number, index):
    original = record(index, question=text, answer=text, metrics={"BLEU": number, text: 1.0})
    line = encode(original)
    assert line.isascii()
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    back = decode(line[:-1]).entry
    assert encode(back) == line
    # JSON itself joins two halves of a surrogate pair that stand side by side.
    if text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") == text:
        assert back == original


def test_a_line_says_its_own_checksum(path):
    write(path, [record(0)])
    line = json.loads(path.read_text(encoding="utf-8"))
    assert list(line) == ["crc32", "owner", "record"]
    assert line["owner"] == KEY.digest
    assert line["record"]["eval_id"] == "q0"
    assert len(line["crc32"]) == 8


def test_equal_records_give_equal_bytes_whatever_the_order_of_their_keys():
    assert encode(record(1)) == encode(dict(reversed(record(1).items())))


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_json_has_not_is_refused_before_it_is_written(path, number):
    journal = Journal(path, KEY)
    with pytest.raises(ValueError, match="not JSON compliant"):
        journal.append([record(0), record(1, metrics={"BLEU": number})])
    journal.close()
    assert path.read_bytes() == b""
    assert journal.entries == {}


def test_records_are_appended_and_known_at_once(path):
    write(path, [record(0)])
    journal = Journal(path, KEY)
    journal.append([record(2), record(1)])
    assert list(journal.entries) == [0, 2, 1]
    journal.close()
    assert [entry["index"] for entry in read(path)] == [0, 2, 1]


def test_a_batch_is_on_disk_before_append_returns(path, monkeypatch):
    done = []
    for name in ("write", "fsync"):
        real = getattr(module.os, name)
        monkeypatch.setattr(
            module.os, name, lambda *args, n=name, f=real: done.append(n) or f(*args)
        )
    journal = Journal(path, KEY)
    done.clear()
    journal.append([record(0), record(1)])
    journal.append([record(2)])
    journal.close()
    assert done == ["write", "fsync", "write", "fsync"]


def test_a_write_that_takes_only_a_part_is_continued(path, monkeypatch):
    write_all = module.os.write
    monkeypatch.setattr(module.os, "write", lambda file, data: write_all(file, data[:10]))
    write(path, [record(0), record(1)])
    assert read(path) == [record(0), record(1)]


@pytest.mark.parametrize("broken", ["write", "fsync"])
def test_a_failed_write_is_not_tried_again(path, monkeypatch, broken):
    calls = []

    def fail(*_):
        calls.append(broken)
        raise OSError(28, "No space left on device")

    journal = Journal(path, KEY)
    with monkeypatch.context() as patch:
        patch.setattr(module.os, broken, fail)
        with pytest.raises(OSError, match="No space left"):
            journal.append([record(0)])
    journal.close()
    assert calls == [broken]
    assert journal.entries == {}


def test_a_missing_or_empty_file_holds_nothing(path):
    assert read(path) == []
    assert path.read_bytes() == b""
    assert read(path) == []
    assert not (path.parent / "journal.torn").exists()


def test_others_may_read_the_journal_but_not_write_it(path):
    write(path, [record(0)])
    assert stat.S_IMODE(path.stat().st_mode) & 0o022 == 0


def test_a_torn_end_is_cut_away_and_kept(path, fifty):
    records, lines = fifty
    whole = b"".join(lines)
    for cut in range(1, 401):
        path.write_bytes(whole[:-cut])
        left, sound = len(whole) - cut, 0
        while sound < COUNT and sum(map(len, lines[: sound + 1])) <= left:
            sound += 1
        torn = whole[sum(map(len, lines[:sound])) : left]
        aside = path.parent / "journal.torn"
        aside.unlink(missing_ok=True)
        assert read(path) == records[:sound]
        assert path.read_bytes() == b"".join(lines[:sound])
        if torn:
            assert aside.read_bytes() == torn + b"\n"
        else:
            assert not aside.exists()


def test_torn_ends_of_several_crashes_are_all_kept(path):
    for size in (3, 9, 12):
        with path.open("ab") as file:
            file.write(b'{"crc32": "0123'[:size])
        assert read(path) == []
    torn = (path.parent / "journal.torn").read_bytes()
    assert torn == b'{"c\n{"crc32":\n{"crc32": "0\n'


def test_a_cut_journal_can_be_written_on(path, fifty):
    records, lines = fifty
    path.write_bytes(b"".join(lines[:3])[:-5])
    write(path, records[2:4])
    assert read(path) == records[:4]
    assert path.read_bytes() == b"".join(lines[:4])


def test_no_flipped_byte_is_accepted_in_silence(path, fifty):
    records, lines = fifty
    whole = b"".join(lines)
    dice = random.Random(1)
    outcomes = {"refused": 0, "cut": 0}
    for _ in range(200):
        position = dice.randrange(len(whole))
        damaged = bytearray(whole)
        damaged[position] ^= dice.randrange(1, 256)
        path.write_bytes(damaged)
        number = whole[:position].count(b"\n") + 1
        result = read_or_refusal(path)
        if isinstance(result, str):
            assert f"{path}: line {number} is damaged" in result
            assert path.read_bytes() == damaged
            outcomes["refused"] += 1
        else:
            assert result == records[: len(result)]
            assert len(result) < COUNT
            outcomes["cut"] += 1
    assert outcomes["refused"] > 150
    assert sum(outcomes.values()) == 200


def test_a_line_with_any_byte_changed_is_no_record(fifty):
    line = fifty[1][1].rstrip(b"\n")
    for position, byte in enumerate(line):
        for changed in (byte ^ 0x01, byte ^ 0x20, byte ^ 0x80, 0x20):
            if changed != byte:
                assert decode(line[:position] + bytes([changed]) + line[position + 1 :]) is None


@pytest.mark.parametrize(
    "damage", [b"", b"{}", b"null", b"[1]", b"\xff\xfe", b'{"record": {}}', b"[" * 100_000]
)
def test_a_damaged_line_in_the_middle_stops_everything_and_is_named(path, fifty, damage):
    _, lines = fifty
    content = b"".join(lines[:2]) + damage + b"\n" + b"".join(lines[2:4])
    path.write_bytes(content)
    with pytest.raises(
        DatasetError, match=r"line 3 is damaged, and sound lines follow it; .*--fresh"
    ):
        Journal(path, KEY)
    assert path.read_bytes() == content


def test_a_line_of_another_checksum_is_refused_whatever_it_says(path, fifty):
    _, lines = fifty
    forged = lines[1].replace(b'"answer": "line', b'"answer": "best')
    assert forged != lines[1]
    path.write_bytes(lines[0] + forged + lines[2])
    with pytest.raises(DatasetError, match="line 2 is damaged"):
        Journal(path, KEY)


def test_white_space_is_not_as_it_was_written_either(fifty):
    _, lines = fifty
    assert decode(lines[0][:-1]) is not None
    assert decode(b" " + lines[0][:-1]) is None
    assert decode(lines[0][:-1] + b"\r") is None


def test_a_question_that_stands_there_twice_is_refused(path, fifty):
    _, lines = fifty
    path.write_bytes(lines[0] + lines[1] + encode(record(0, answer="another")))
    with pytest.raises(DatasetError, match="line 3 is a duplicate of question 0"):
        Journal(path, KEY)


# Records that are replaced


def test_the_file_is_closed_while_it_is_replaced(path, monkeypatch):
    replace, open_files = os.replace, []

    def look_first(*arguments):
        descriptors = Path("/proc/self/fd").iterdir()
        open_files.extend(link.readlink() for link in descriptors if link.is_symlink())
        replace(*arguments)

    journal = Journal(path, KEY)
    journal.append([record(0)])
    monkeypatch.setattr(os, "replace", look_first)
    journal.replace([record(0)])
    journal.close()
    journal.close()
    assert open_files
    # Other tests may have left journals of their own open.
    assert path.resolve() not in open_files


def test_a_replaced_record_stands_where_the_old_one_stood(path):
    journal = Journal(path, KEY)
    journal.append([record(0), failed(1), record(2)])
    journal.replace([record(1)])
    assert path.read_bytes() == b"".join(encode(record(index)) for index in range(3))
    assert [entry["error"] for entry in journal.entries.values()] == [None, None, None]
    journal.append([record(3)])
    journal.close()
    assert read(path) == [record(index) for index in range(4)]
    assert [other.name for other in path.parent.iterdir()] == [path.name]


def test_a_replacement_that_fails_leaves_the_old_file(path, monkeypatch):
    journal = Journal(path, KEY)
    journal.append([failed(0)])
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(OSError, match="No space"):
            journal.replace([record(0)])
    assert path.read_bytes() == before
    assert journal.entries == {0: failed(0)}
    journal.append([record(1)])
    journal.close()
    assert read(path) == [failed(0), record(1)]


# The file is removed, moved or replaced while it is open


def remove_file(path):
    path.unlink()


def remove_folder(path):
    shutil.rmtree(path.parent)


def remove_and_write_anew(path):
    path.unlink()
    path.write_bytes(b"")


def move_file(path):
    path.rename(path.with_name("elsewhere"))


def move_folder(path):
    path.parent.rename(path.parent.with_name("elsewhere"))


def put_another_in_its_place(path):
    copy = path.with_name("copy")
    shutil.copy(path, copy)
    path.rename(path.with_name("elsewhere"))
    copy.rename(path)


def put_a_file_for_the_folder(path):
    shutil.rmtree(path.parent)
    path.parent.write_bytes(b"")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            remove_file,
            "was removed during the run: its 2 entries are lost; the same command starts ",
        ),
        (remove_folder, "was removed during the run: its 2 entries are lost; the same command sta"),
        (remove_and_write_anew, "was removed during the run: its 2 entries are lost; the same com"),
        (put_a_file_for_the_folder, "was removed during the run: its 2 entries are lost; the same"),
        (move_file, "was moved or replaced during the run: its 2 entries are in the moved file; p"),
        (move_folder, "was moved or replaced during the run: its 2 entries are in the moved file;"),
        (put_another_in_its_place, "was moved or replaced during the run: its 2 entries are in th"),
    ],
)
def test_a_file_that_is_no_longer_in_place_is_an_error_and_nothing_is_written(
    tmp_path, change, message
):
    path = tmp_path / "run" / "journal.jsonl"
    path.parent.mkdir()
    journal = Journal(path, KEY)
    journal.append([record(0), failed(1)])
    journal.check_in_place()
    change(path)
    files = {other: other.read_bytes() for other in tmp_path.rglob("*") if other.is_file()}
    for write_more in (
        journal.check_in_place,
        lambda: journal.append([record(2)]),
        lambda: journal.replace([record(1)]),
    ):
        with pytest.raises(FileLostError) as caught:
            write_more()
        assert str(caught.value).startswith(f"{path} {message}")
        assert caught.value.exit_code == 1
    journal.close()
    assert {o: o.read_bytes() for o in tmp_path.rglob("*") if o.is_file()} == files
