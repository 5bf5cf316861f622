"""Posts: their texts and documents; those of an index stay on disk and come back one by one."""

from threading import Thread

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.retrieval.posts import Post, StoredPosts
from tests.fakes.corpora import post
from tests.fakes.properties import any_text, examples

STORED = [
    post(1, title="one"),
    post(2, title="", question="", answer="", tags=()),
    post(3, title="日本語 \u2028 \x00", answer="a\nb\r\n\x85c", tags=("c++", "a|b")),
    post(4, question="\ud800", answer="x" * 100_000, accepted=True, answer_score="-7"),
    post(3, title="the same question again"),
]


@pytest.fixture
def posts(tmp_path):
    StoredPosts.save(tmp_path, STORED)
    return StoredPosts.open(tmp_path)


def test_posts_come_back_by_their_row_in_any_order(posts):
    assert len(posts) == 5
    for row in (4, 0, 3, 1, 2, 2, 4):
        assert posts.read(row) == STORED[row]


def test_ids_are_there_without_reading_a_post(posts, monkeypatch):
    monkeypatch.setattr("graph.retrieval.posts.Post.from_json", None)
    assert posts.question_ids == ["1", "2", "3", "4", "3"]


def test_the_lines_stay_on_disk(posts, tmp_path):
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(StoredPosts.FILES)
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
    posts_of_threads = []

    def read_all():
        posts_of_threads.append([posts.read(row) for row in range(5)] * 20)

    threads = [Thread(target=read_all) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert posts_of_threads == [STORED * 20] * 8


def test_each_field_has_its_text_and_question_is_title_and_body():
    whole = post(title="t", question="q", answer="a")
    assert whole.field_text("question") == "t\nq"
    assert whole.field_text("title") == "t"
    assert whole.field_text("answer") == "a"
    with pytest.raises(ValueError, match="a post has no field 'tags'"):
        whole.field_text("tags")
    assert whole.full_text == "t\nq\n\na"


def test_a_document_has_its_answer_first_and_its_attribution():
    document = post(question="why?", answer="because").to_document(0.25)
    assert document.page_content == "because\n\nIt was asked:\nwhy?"
    assert document.metadata == {
        "question_id": "1",
        "answer_id": "1001",
        "title": "a title",
        "tags": ["python", "list"],
        "answer_score": "3",
        "accepted": False,
        "answer_chars": 7,
        "url": "https://example.org/1",
        "licence": "CC BY-SA 4.0",
        "score": 0.25,
    }
    assert post(question="").to_document(0.0).page_content == "because"


@examples(100)
@given(text=any_text, tags=st.lists(any_text))
def test_a_post_comes_back_from_its_line(text, tags):
    stored = post(title=text, tags=tuple(tags), question=text, answer=text)
    line = stored.to_json()
    assert "\n" not in line
    assert line.isascii()
    # JSON itself joins two halves of a pair that stand side by side.
    assert Post.from_json(line.encode()).to_json() == line
    if text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") == text:
        assert Post.from_json(line).answer == text
