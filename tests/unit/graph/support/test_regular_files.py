"""Only regular files are opened: a pipe or a device would be read for ever."""

import os
import socket
from pathlib import Path

import pytest

from graph.support.errors import DatasetError
from graph.support.regular_files import check_regular_file
from graph.support.table_files import read_rows


def refusal(path, hint=""):
    with pytest.raises(DatasetError) as caught:
        check_regular_file(path, hint)
    return str(caught.value).removeprefix(f"{path}: ")


def test_a_file_and_a_link_to_one_pass(tmp_path):
    (tmp_path / "t.csv").touch()
    (tmp_path / "link.csv").symlink_to(tmp_path / "t.csv")
    check_regular_file(tmp_path / "t.csv")
    check_regular_file(tmp_path / "link.csv")


def test_each_other_kind_is_named(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "link.csv").symlink_to(tmp_path / "pipe.csv")
    assert refusal(tmp_path) == "is a folder; give a regular file"
    assert refusal(tmp_path, "give Posts.xml") == "is a folder; give Posts.xml"
    assert refusal(tmp_path / "pipe.csv") == "is a named pipe; give a regular file"
    assert refusal(tmp_path / "link.csv") == "is a named pipe; give a regular file"
    assert refusal(Path("/dev/zero")) == "is a device; give a regular file"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        assert refusal(tmp_path / "s") == "is a socket; give a regular file"


def test_a_path_that_leads_nowhere_is_refused_in_one_line(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert refusal(tmp_path / "none") == "there is no such file"
    assert refusal(tmp_path / "none", "name one") == "there is no such file; name one"
    assert refusal(tmp_path / "loop").startswith("cannot be read: ")
    assert refusal(Path("a\0b")).startswith("cannot be read: ")


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.jsonl", "t.parquet"])
def test_a_named_pipe_as_a_table_is_refused_and_not_waited_for(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(DatasetError, match="is a named pipe"):
        list(read_rows(tmp_path / name))
