"""The posts of an index stay on disk and come back one by one, as they were."""

from threading import Thread

import numpy as np
import pytest

from graph.retrieval.posts import Posts
from tests.fakes.corpora import post

STORED = [
    post(1, title="one"),
    post(2, title="", question="", answer="", tags=()),
    post(3, title="日本語 \u2028 \x00", answer="a\nb\r\n\x85c", tags=("c++", "a|b")),
    post(4, question="\ud800", answer="x" * 100_000, accepted=True, answer_score="-7"),
    post(3, title="the same question again"),
]


@pytest.fixture
def posts(tmp_path):
    Posts.save(tmp_path, STORED)
    return Posts.open(tmp_path)


def test_posts_come_back_by_their_row_in_any_order(posts):
    assert len(posts) == 5
    for row in (4, 0, 3, 1, 2, 2, 4):
        assert posts.read(row) == STORED[row]


def test_ids_are_there_without_reading_a_post(posts, monkeypatch):
    monkeypatch.setattr("graph.retrieval.posts.Post.from_json", None)
    assert posts.question_ids == ["1", "2", "3", "4", "3"]


def test_the_lines_stay_on_disk(posts, tmp_path):
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(Posts.FILES)
    assert isinstance(posts._lines, np.memmap)
    assert not posts._lines.flags.writeable
    lines = (tmp_path / "posts.jsonl").read_bytes()
    assert lines.isascii()
    assert lines.count(b"\n") == 5
    assert posts._offsets[-1] == len(lines)


def test_a_row_that_is_not_there_is_an_error(posts):
    with pytest.raises(IndexError):
        posts.read(5)


def test_many_threads_may_read(posts):
    found = []

    def read_all():
        found.append([posts.read(row) for row in range(5)] * 20)

    threads = [Thread(target=read_all) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [STORED * 20] * 8
