"""A part of the registry is built, stored, verified and searched, whatever it computes."""

import json

import numpy as np
import pytest

from graph.retrieval import parts
from graph.retrieval.index import build_or_verify, identity
from graph.retrieval.parts.part import Part, QueryBatch
from graph.retrieval.query import Query
from graph.retrieval.searching import OpenIndex
from graph.schema import Retrieval
from graph.support.errors import IndexMismatchError
from tests.fakes.corpora import EMBEDDER, SUBJECTS, small_corpus

LENGTH = Retrieval().model_copy(update={"kind": "length"})
"""A config of a kind that is named after its part."""


class LengthPart(Part):
    """Scores a post by how little the length of its title differs from that of the query."""

    section = "length"
    encodes = False
    only_matches = False
    vectors = None

    def __init__(self, lengths):
        self.lengths = lengths

    @classmethod
    def parameters(cls, names):
        return {"unit": "character"}

    @classmethod
    def files(cls, name):
        return frozenset({"lengths.json"})

    @classmethod
    def build(cls, name, posts, encode):
        return cls([len(post.title) for post in posts])

    @classmethod
    def open(cls, folder, name):
        return cls(json.loads((folder / "lengths.json").read_text(encoding="utf-8")))

    def save(self, folder):
        (folder / "lengths.json").write_text(json.dumps(self.lengths), encoding="utf-8")

    def nominate(self, batch, pool):
        rows = np.arange(len(self.lengths))
        scores = [self.score(batch, position, rows) for position in range(len(batch.queries))]
        return [np.argsort(-row_scores, kind="stable")[:pool] for row_scores in scores]

    def score(self, batch, position, rows):
        length = len(batch.queries[position].title)
        return -np.abs(np.array(self.lengths)[rows] - length) / 100


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    monkeypatch.setitem(parts.PARTS, "length", LengthPart)
    return small_corpus(tmp_path / "small.csv")


def test_a_part_needs_no_more_than_its_line_in_the_registry(corpus):
    folder = build_or_verify(LENGTH, corpus, EMBEDDER)
    index = OpenIndex.open(LENGTH, folder, EMBEDDER)
    (candidates,) = index.search([Query.of("x" * 20)], 8)
    lengths = [len(f"How to {subject}?") for subject in SUBJECTS]
    assert candidates.rows.tolist() == sorted(range(8), key=lambda row: abs(lengths[row] - 20))
    assert candidates.scores[0] == -abs(lengths[candidates.rows[0]] - 20) / 100


def test_its_parameters_and_its_files_are_verified(corpus, monkeypatch):
    folder = build_or_verify(LENGTH, corpus, EMBEDDER)
    assert identity(LENGTH, corpus, EMBEDDER)["length"] == {"unit": "character"}
    assert build_or_verify(LENGTH, corpus, EMBEDDER) == folder
    (folder / "lengths.json").write_text("[]", encoding="utf-8")
    with pytest.raises(IndexMismatchError, match=r"its file lengths\.json is missing or damaged"):
        build_or_verify(LENGTH, corpus, EMBEDDER)
    monkeypatch.setattr(LengthPart, "parameters", lambda names: {"unit": "word"})
    with pytest.raises(IndexMismatchError, match=r"its length is .*character.* instead of .*word"):
        build_or_verify(LENGTH, corpus, EMBEDDER, folder)


def test_the_queries_of_a_batch_are_encoded_at_the_first_use_and_once():
    calls = []

    class Encoder:
        def encode_queries(self, texts):
            calls.append(texts)
            return np.zeros((len(texts), 2), dtype=np.float32)

    batch = QueryBatch([Query.of("a"), Query.of("b")], Encoder(), is_fused=True)
    assert calls == []
    assert batch.vectors is batch.vectors
    assert calls == [["a", "b"]]


def test_the_server_replaces_the_vector_parts_alone():
    hybrid = Retrieval(kind="hybrid", vectors=("title", "answer"), store="postgres")
    names = {name: part.__name__ for name, part in parts.part_classes(hybrid).items()}
    assert names == {"keyword": "KeywordPart", "title": "PostgresPart", "answer": "PostgresPart"}


@pytest.mark.parametrize("kind", ["none", "oracle", "shuffled"])
def test_kinds_that_search_no_index_have_no_parts(kind):
    assert parts.part_classes(Retrieval(kind=kind)) == {}
