"""Files are either whole or absent, whatever fails while they are written."""

import os
from pathlib import Path

import pytest

from graph.support import storage
from graph.support.storage import (
    cache_folder,
    file_sha256,
    folder_atomically,
    write_atomically,
    write_bytes_atomically,
)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({"OPENCODER_CACHE": "/own", "XDG_CACHE_HOME": "/xdg", "HOME": "/me"}, "/own"),
        ({"XDG_CACHE_HOME": "/xdg", "HOME": "/me"}, "/xdg/opencoder"),
        ({"OPENCODER_CACHE": "", "XDG_CACHE_HOME": "", "HOME": "/me"}, "/me/.cache/opencoder"),
        ({"HOME": "/me"}, "/me/.cache/opencoder"),
    ],
)
def test_the_cache_folder_follows_the_environment(monkeypatch, variables, folder):
    for name in ("OPENCODER_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cache_folder() == Path(folder)


def test_the_digest_is_sha256_of_the_bytes(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    assert file_sha256(path) == ("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")


def test_a_written_file_has_exactly_the_text_and_is_readable_by_all(tmp_path):
    path = tmp_path / "file.json"
    write_atomically(path, "old")
    write_atomically(path, "né\r\n\u2028x")
    assert path.read_bytes() == "né\r\n\u2028x".encode()
    assert path.stat().st_mode & 0o777 == 0o644
    assert names(tmp_path) == ["file.json"]


def test_bytes_reach_the_disk_before_the_name_does(tmp_path, monkeypatch):
    done = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(
            storage.os, name, lambda *args, n=name, f=real: done.append(n) or f(*args)
        )
    write_bytes_atomically(tmp_path / "file", b"x")
    # The file, its new name, and then the folder that holds the name.
    assert done == ["fsync", "replace", "fsync"]


@pytest.mark.parametrize("broken", ["fsync", "chmod", "replace"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, broken, error):
    path = tmp_path / "file"
    write_atomically(path, "old")

    def fail(*_):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(storage.os, broken, fail)
        with pytest.raises(type(error)):
            write_atomically(path, "new")
    assert path.read_text(encoding="utf-8") == "old"
    assert names(tmp_path) == ["file"]


def test_text_that_is_no_utf8_is_refused_before_anything_is_touched(tmp_path):
    write_atomically(tmp_path / "file", "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(tmp_path / "file", "\ud800")
    assert (tmp_path / "file").read_text(encoding="utf-8") == "old"


def test_a_folder_appears_when_its_block_ends(tmp_path):
    final = tmp_path / "deep" / "final"
    with folder_atomically(final) as work:
        (work / "a").write_text("x", encoding="utf-8")
        assert work.parent == final.parent
        assert not final.exists()
    assert names(final) == ["a"]
    assert names(final.parent) == ["final"]
    assert final.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt()])
def test_a_folder_vanishes_when_its_block_fails(tmp_path, error):
    def half():
        with folder_atomically(tmp_path / "final") as work:
            (work / "a").write_text("x", encoding="utf-8")
            raise error

    with pytest.raises(type(error)):
        half()
    assert names(tmp_path) == []


def test_the_first_of_two_finished_folders_stays(tmp_path):
    with folder_atomically(tmp_path / "final") as ours:
        (ours / "a").write_text("ours", encoding="utf-8")
        with folder_atomically(tmp_path / "final") as theirs:
            (theirs / "a").write_text("theirs", encoding="utf-8")
    assert (tmp_path / "final" / "a").read_text(encoding="utf-8") == "theirs"
    assert names(tmp_path) == ["final"]


def test_a_file_in_the_way_is_an_error_and_stays(tmp_path):
    (tmp_path / "final").write_text("mine", encoding="utf-8")

    def build():
        with folder_atomically(tmp_path / "final") as work:
            (work / "a").write_text("x", encoding="utf-8")

    with pytest.raises(OSError, match="final"):
        build()
    assert (tmp_path / "final").read_text(encoding="utf-8") == "mine"
    assert names(tmp_path) == ["final"]


def test_every_file_of_a_folder_is_synced_before_it_gets_its_name(tmp_path, monkeypatch):
    done = []
    monkeypatch.setattr(storage, "sync_file", lambda path: done.append(path.name))
    rename = os.rename
    monkeypatch.setattr(storage.os, "rename", lambda *args: done.append("rename") or rename(*args))
    with folder_atomically(tmp_path / "final") as work:
        (work / "a").touch()
        (work / "inner").mkdir()
        (work / "inner" / "b").touch()
    assert sorted(done[:-1]) == ["a", "b"]
    assert done[-1] == "rename"
