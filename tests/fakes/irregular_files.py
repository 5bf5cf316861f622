"""Functions that put something other than a regular file of its own at a path.

Each takes the path and another file, the victim, which must keep its bytes whatever is done with the
path.
"""

import os
import socket
from pathlib import Path


def make_link(path: Path, victim: Path) -> None:
    path.symlink_to(victim)


def make_dangling_link(path: Path, victim: Path) -> None:
    path.symlink_to(victim.with_name("none"))


def make_link_to_device(path: Path, victim: Path) -> None:
    path.symlink_to("/dev/zero")


def make_hard_link(path: Path, victim: Path) -> None:
    os.link(victim, path)


def make_pipe(path: Path, victim: Path) -> None:
    os.mkfifo(path)


def make_folder(path: Path, victim: Path) -> None:
    path.mkdir()


def make_socket(path: Path, victim: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
