"""Files are either whole or absent, whatever fails while they are written."""

import errno
import os
import signal
from pathlib import Path

import filelock
import pytest

from graph.support import storage
from graph.support.errors import DatasetError
from graph.support.storage import (
    cache_folder,
    file_sha256,
    folder_atomically,
    open_regular,
    read_regular,
    work_folder,
    write_atomically,
    write_bytes_atomically,
)
from tests.fakes.irregular_files import (
    make_dangling_link,
    make_folder,
    make_hard_link,
    make_link,
    make_link_to_device,
    make_pipe,
    make_socket,
)
from tests.fakes.processes import in_child, kill_self


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({"OPENCODER_CACHE": "/own", "XDG_CACHE_HOME": "/xdg", "HOME": "/me"}, "/own"),
        ({"XDG_CACHE_HOME": "/xdg", "HOME": "/me"}, "/xdg/opencoder"),
        ({"OPENCODER_CACHE": "", "XDG_CACHE_HOME": "", "HOME": "/me"}, "/me/.cache/opencoder"),
        ({"HOME": "/me"}, "/me/.cache/opencoder"),
        ({"XDG_CACHE_HOME": "own", "HOME": "/me"}, "/me/.cache/opencoder"),
        ({"OPENCODER_CACHE": "~/own", "HOME": "/me"}, "/me/own"),
        ({"XDG_CACHE_HOME": "~/xdg", "HOME": "/me"}, "/me/xdg/opencoder"),
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


@pytest.mark.parametrize("name", ["n" * 255, "\u65e5" * 85])
def test_a_name_may_have_the_greatest_length(tmp_path, name):
    storage.write_atomically(tmp_path / name, "text")
    assert (tmp_path / name).read_text(encoding="utf-8") == "text"


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


# Links and pipes


OTHERS = [
    (make_link, "is a symbolic link"),
    (make_dangling_link, "is a symbolic link"),
    (make_link_to_device, "is a symbolic link"),
    (make_hard_link, "is a hard link"),
    (make_pipe, "is not a regular file"),
    (make_folder, "is not a regular file"),
    (make_socket, "is not a regular file"),
]


@pytest.mark.parametrize("flags", [os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_APPEND])
@pytest.mark.parametrize(("change", "reason"), OTHERS)
def test_only_a_regular_file_of_its_own_is_opened_for_writing(tmp_path, change, reason, flags):
    victim = tmp_path / "victim"
    victim.write_bytes(b"old")
    change(tmp_path / "file", victim)
    descriptors = len(os.listdir("/proc/self/fd"))
    with pytest.raises(DatasetError, match=reason) as caught:
        open_regular(tmp_path / "file", flags | os.O_CREAT)
    assert str(tmp_path / "file") in str(caught.value)
    assert len(os.listdir("/proc/self/fd")) == descriptors
    assert victim.read_bytes() == b"old"
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("change", [make_link, make_dangling_link, make_link_to_device])
def test_a_link_is_refused_where_no_flag_does_it(tmp_path, monkeypatch, change):
    monkeypatch.setattr(storage, "_NO_LINK", 0)
    change(tmp_path / "file", tmp_path / "victim")
    with pytest.raises(DatasetError, match="is a symbolic link"):
        open_regular(tmp_path / "file", os.O_WRONLY | os.O_CREAT)
    assert not (tmp_path / "none").exists()


def test_a_folder_is_no_regular_file_where_its_opening_is_denied(tmp_path, monkeypatch):
    monkeypatch.setattr(storage.os, "open", fail_with(errno.EACCES))
    with pytest.raises(DatasetError, match="is not a regular file"):
        open_regular(tmp_path, os.O_RDONLY)
    with pytest.raises(PermissionError):
        open_regular(tmp_path / "file", os.O_RDONLY)


@pytest.mark.parametrize(("change", "reason"), OTHERS)
def test_only_a_regular_file_is_read(tmp_path, change, reason):
    victim = tmp_path / "victim"
    victim.write_bytes(b"old")
    change(tmp_path / "file", victim)
    if change is make_hard_link:
        assert read_regular(tmp_path / "file") == b"old"
        return
    with pytest.raises(DatasetError, match=reason):
        read_regular(tmp_path / "file")


def test_a_folder_may_be_a_link_of_its_user(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    os.close(open_regular(tmp_path / "link" / "file", os.O_WRONLY | os.O_CREAT, 0o600))
    assert (tmp_path / "real" / "file").stat().st_mode & 0o777 == 0o600


def test_a_file_is_read_up_to_its_limit(tmp_path):
    (tmp_path / "file").write_bytes(b"x" * 2**20)
    assert len(read_regular(tmp_path / "file", 2**20)) == 2**20
    (tmp_path / "file").write_bytes(b"x" * (2**20 + 1))
    with pytest.raises(DatasetError, match="is larger than 1 MiB"):
        read_regular(tmp_path / "file", 2**20)


@pytest.mark.parametrize(
    "change", [make_link, make_dangling_link, make_hard_link, make_link_to_device]
)
def test_an_atomic_write_replaces_a_link_and_not_its_target(tmp_path, change):
    victim = tmp_path / "victim"
    victim.write_bytes(b"old")
    change(tmp_path / "file", victim)
    write_atomically(tmp_path / "file", "new")
    assert (tmp_path / "file").read_text(encoding="utf-8") == "new"
    assert not (tmp_path / "file").is_symlink()
    assert victim.read_bytes() == b"old"


# Leftovers of ended processes


def killed_in_a_write(path):
    def write():
        storage.os.replace = lambda *_: kill_self()
        write_atomically(path, "half")

    assert in_child(write).code == -signal.SIGKILL


def killed_in_a_folder(path):
    def build():
        with folder_atomically(path) as work:
            (work / "vectors").write_bytes(b"x" * 100)
            kill_self()

    assert in_child(build).code == -signal.SIGKILL


def killed_in_a_work_folder(path):
    def build():
        with work_folder(path) as work:
            (work / "spill").mkdir()
            (work / "spill" / "data").write_bytes(b"x" * 100)
            kill_self()

    assert in_child(build).code == -signal.SIGKILL


KILLED = [killed_in_a_write, killed_in_a_folder, killed_in_a_work_folder]


def write_another(folder):
    write_atomically(folder / "next", "x")


def build_another(folder):
    with folder_atomically(folder / "next"):
        pass


def work_on_another(folder):
    with work_folder(folder / "next"):
        pass


@pytest.mark.parametrize("start", [write_another, build_another, work_on_another])
def test_the_next_start_removes_what_killed_processes_left_and_counts_it(tmp_path, start, caplog):
    caplog.set_level("INFO", logger="opencoder")
    folder = tmp_path / "folder"
    folder.mkdir()
    for number, kill in enumerate(KILLED):
        (tmp_path / str(number)).mkdir()
        kill(tmp_path / str(number) / "file")
        work, lock = names(tmp_path / str(number))
        assert lock == work + ".lock"
        for name in (work, lock):
            (tmp_path / str(number) / name).rename(folder / name)
    start(folder)
    assert set(names(folder)) <= {"next"}
    assert caplog.messages == [f"{folder}: removed 3 temporary files or folders of ended processes"]


@pytest.mark.parametrize("held", [folder_atomically, work_folder])
def test_those_of_a_live_process_stay(tmp_path, held):
    with held(tmp_path / "one") as work:
        (work / "file").write_bytes(b"x")

        def start():
            write_another(tmp_path)
            work_on_another(tmp_path)

        assert in_child(start).code == 0
        # Another descriptor of this process holds no lock either.
        write_another(tmp_path)
        assert (work / "file").read_bytes() == b"x"
    assert set(names(tmp_path)) <= {"next", "one"}


def test_a_temporary_file_of_a_live_process_stays(tmp_path, monkeypatch):
    left = []
    replace = os.replace

    def others_start_first(*arguments):
        monkeypatch.setattr(storage.os, "replace", replace)
        assert in_child(lambda: write_another(tmp_path)).code == 0
        left.extend(names(tmp_path))
        replace(*arguments)

    monkeypatch.setattr(storage.os, "replace", others_start_first)
    write_atomically(tmp_path / "file", "text")
    assert [name for name in left if name.startswith(".file.")]
    assert (tmp_path / "file").read_text(encoding="utf-8") == "text"


@pytest.mark.parametrize("held", [True, False])
def test_a_lock_file_that_another_process_takes_for_a_leftover_is_created_again(
    tmp_path, monkeypatch, held
):
    lock_file, removed = storage.lock_file, []

    def others_were_faster(descriptor):
        if removed:
            return lock_file(descriptor)
        [name] = [name for name in names(tmp_path) if name.startswith(".")]
        (tmp_path / name).unlink()
        removed.append(name)
        return not held

    replace, locks = os.replace, []

    def look_first(*arguments):
        locks.extend(name for name in names(tmp_path) if name.endswith(".lock"))
        replace(*arguments)

    monkeypatch.setattr(storage, "lock_file", others_were_faster)
    monkeypatch.setattr(storage.os, "replace", look_first)
    write_atomically(tmp_path / "file", "text")
    assert names(tmp_path) == ["file"]
    assert len(locks) == 1
    assert locks != removed


def fail_with(number):
    def fail(*_, **__):
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP])
def test_without_locks_all_is_written_and_nothing_of_others_is_removed(
    tmp_path, monkeypatch, number
):
    killed_in_a_folder(tmp_path / "old")
    left = names(tmp_path)
    monkeypatch.setattr(filelock, "lock_descriptor", fail_with(number))
    write_another(tmp_path)
    work_on_another(tmp_path)
    assert names(tmp_path) == sorted([*left, "next"])


def test_another_error_of_a_lock_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(filelock, "lock_descriptor", fail_with(errno.EIO))
    with pytest.raises(OSError, match="Input/output error"):
        write_another(tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        ".file.swp",
        ".one.abc12345",
        "x.opencoder-work.lock",
        ".git",
        ".one.abc.opencoder-work.lock.bak",
        ".one.lock",
    ],
)
def test_files_of_others_stay(tmp_path, name):
    (tmp_path / name).write_bytes(b"x")
    write_another(tmp_path)
    assert names(tmp_path) == sorted([name, "next"])


def test_a_link_that_looks_like_a_leftover_leads_nowhere(tmp_path):
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim" / "file").write_bytes(b"x")
    (tmp_path / "runs").mkdir()
    for name in (".a.b.opencoder-work", ".c.d.opencoder-work.lock"):
        (tmp_path / "runs" / name).symlink_to(tmp_path / "victim")
    (tmp_path / "runs" / ".a.b.opencoder-work.lock").touch()
    write_another(tmp_path / "runs")
    assert (tmp_path / "victim" / "file").exists()
