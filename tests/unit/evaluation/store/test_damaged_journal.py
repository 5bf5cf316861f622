"""The end of a journal: a torn one is cut off, and every other damage is an error that changes nothing."""

import json
import random

import pytest

from evaluation.rescoring.score_files import ScoreFile
from evaluation.store.checked_lines import encode, read_checked_lines
from evaluation.store.journal import Journal, record_lines
from evaluation.store.recorded_run import read_run
from evaluation.store.run_folder import locked
from graph.support.errors import DatasetError
from tests.fakes.irregular_files import make_hard_link, make_link, make_pipe
from tests.fakes.records import key_of, record
from tests.fakes.run_folders import key_of_run, make_run
from tests.unit.evaluation.rescoring.test_score_files import SPEC, score

COUNT = 40
KEY = key_of([record(index) for index in range(COUNT)])._replace(batch_size=4)
LINES = [encode(record(index), KEY.digest) for index in range(COUNT)]
LENGTH = len(LINES[0])


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.jsonl"


def pretty(line):
    return (json.dumps(json.loads(line), indent=2) + "\n").encode()


THROUGHOUT = {
    "CRLF": lambda lines: b"".join(lines).replace(b"\n", b"\r\n"),
    "CR": lambda lines: b"".join(lines).replace(b"\n", b"\r"),
    "zeroed": lambda lines: bytes(len(b"".join(lines))),
    "zeroed, line ends left": lambda lines: b"".join(bytes(len(x) - 1) + b"\n" for x in lines),
    "0xff": lambda lines: b"\xff" * len(b"".join(lines)),
    "pretty-printed": lambda lines: b"".join(map(pretty, lines)),
    "UTF-16": lambda lines: b"".join(lines).decode().encode("utf-16"),
    "UTF-16 without mark": lambda lines: b"".join(lines).decode().encode("utf-16-be"),
    "empty lines": lambda lines: b"\n" * len(lines),
    "blanks before": lambda lines: b"".join(b" " + line for line in lines),
    "sorted keys": lambda lines: b"".join(
        json.dumps(json.loads(line), sort_keys=True).encode() + b" \n" for line in lines
    ),
    "base64": lambda lines: b"eyJjcmMzMiI6\n" * len(lines),
    "another file": lambda lines: b"question,answer\nwhy?,because\n",
}


@pytest.mark.parametrize("count", [1, 3, 4, 5, COUNT])
@pytest.mark.parametrize("name", THROUGHOUT)
def test_a_journal_that_is_damaged_throughout_is_an_error(path, name, count):
    content = THROUGHOUT[name](LINES[:count])
    path.write_bytes(content)
    for read in (Journal, lambda path, key: read_checked_lines(path, record_lines(key))):
        with pytest.raises(DatasetError) as caught:
            read(path, KEY)
        message = str(caught.value)
        assert message.startswith(f"{path}: line 1 ")
        assert "start over with --fresh (the old run is kept)" in message
        assert len(message.splitlines()) == 1
        assert ("CRLF" in message) == (name == "CRLF")
    assert path.read_bytes() == content
    assert not path.with_suffix(".torn").exists()


@pytest.mark.parametrize("name", THROUGHOUT)
def test_a_second_half_that_is_damaged_is_an_error_with_its_line(path, name):
    content = b"".join(LINES[:20]) + THROUGHOUT[name](LINES[20:])
    path.write_bytes(content)
    if name == "another file":
        # No more than one batch is lost.
        assert len(Journal(path, KEY).entries) == 20
        return
    with pytest.raises(DatasetError, match=r"line 21 is damaged, and so are all lines after it"):
        Journal(path, KEY)
    assert path.read_bytes() == content


TORN = {
    "a byte": b"{",
    "the start": LINES[20][:11],
    "half a line": LINES[20][: LENGTH // 2],
    "all but the line break": LINES[20][:-1],
    "a line and a half": LINES[20] + LINES[21][:200],
    "zeros": bytes(2_000),
    "a zeroed block in the last line": LINES[20][:100] + bytes(LENGTH - 101) + b"\n",
    "zeroed blocks in a batch": (LINES[20][:50] + bytes(LENGTH - 51) + b"\n") * 4,
}


@pytest.mark.parametrize("name", TORN)
def test_what_an_interrupted_append_leaves_is_cut_off(path, name):
    path.write_bytes(b"".join(LINES[:20]) + TORN[name])
    journal = Journal(path, KEY)
    sound = 21 if name == "a line and a half" else 20
    assert list(journal.entries) == list(range(sound))
    journal.append([record(sound)])
    journal.close()
    assert path.read_bytes() == b"".join(LINES[: sound + 1])
    assert path.with_suffix(".torn").exists()


@pytest.mark.parametrize("batch", [1, 2, 4, 8])
def test_damage_of_more_lines_than_a_batch_has_is_an_error(path, batch):
    key = KEY._replace(batch_size=batch)
    damaged = LINES[20].replace(b"answer", b"Answer")
    path.write_bytes(b"".join(LINES[:20]) + damaged * batch)
    Journal(path, key).close()
    content = b"".join(LINES[:20]) + damaged * (batch + 1)
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=f"line 21 is damaged.*{batch + 1} lines"):
        Journal(path, key)
    assert path.read_bytes() == content


def test_every_cut_of_the_last_batch_is_a_torn_end(path):
    whole = b"".join(LINES[:8])
    dice = random.Random(3)
    for end in [*range(len(whole) - 5, len(whole)), *dice.sample(range(len(whole)), 40)]:
        path.write_bytes(whole[:end])
        journal = Journal(path, KEY)
        journal.close()
        assert len(journal.entries) == whole[:end].count(b"\n")
        assert path.read_bytes() == b"".join(LINES[: len(journal.entries)])


# Links in a run folder


@pytest.mark.parametrize("change", [make_link, make_hard_link, make_pipe])
@pytest.mark.parametrize(
    "name", ["lock", "journal.jsonl", "journal.torn", "manifest.json", "scores"]
)
def test_no_file_of_a_run_leads_elsewhere(tmp_path, name, change):
    folder = make_run(tmp_path / "run", [record(0), record(1)])
    key = key_of_run(folder)
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    journal = folder / "journal.jsonl"
    if name == "journal.torn":
        journal.write_bytes(journal.read_bytes()[:-5])
    if name == "scores":
        (folder / "scores").mkdir()
        name = f"scores/{SPEC.name}.jsonl"
    (folder / name).unlink(missing_ok=True)
    change(folder / name, victim)

    def write():
        with locked(folder):
            run = read_run(folder)
            Journal(journal, key).close()
            ScoreFile(run, SPEC).append([score(record(0), 0.5)])

    with pytest.raises(DatasetError):
        write()
    assert victim.read_bytes() == b"precious"
    assert {*tmp_path.iterdir()} == {folder, victim}


def test_a_folder_of_scores_that_is_a_link_is_refused(tmp_path):
    folder = make_run(tmp_path / "run", [record(0)])
    (tmp_path / "elsewhere").mkdir()
    (folder / "scores").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DatasetError, match="scores is a symbolic link"):
        ScoreFile(read_run(folder), SPEC)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_run_folder_that_is_a_link_is_used(tmp_path):
    make_run(tmp_path / "run", [record(0)])
    (tmp_path / "link").symlink_to(tmp_path / "run")
    with locked(tmp_path / "link"):
        file = ScoreFile(read_run(tmp_path / "link"), SPEC)
        file.append([score(record(0), 0.5)])
        file.close()
    assert (tmp_path / "run" / "scores" / f"{SPEC.name}.jsonl").exists()
