"""An index whose corpus changes: only new texts are encoded, and the files are those of a fresh build."""

from functools import partial
from hashlib import sha256

import numpy as np
import pytest

from graph.retrieval import encoder as encoder_module
from graph.retrieval.encoder import Encoder
from graph.retrieval.index import build_or_verify
from graph.retrieval.text_vectors import TextVectors, encode_new
from graph.schema import Retrieval
from tests.fakes.corpora import EMBEDDER, SUBJECTS, row, write_corpus

SEMANTIC = Retrieval(kind="semantic")
FLOAT32 = EMBEDDER.model_copy(update={"dtype": "float32"})


def post_row(number, change=""):
    """Return a post with a short text of its own; texts have many lengths."""
    subject = SUBJECTS[number % len(SUBJECTS)]
    body = f"<p>I want to {subject}.</p>" * (number * 7 % 5)
    return row(number, f"How to {subject} {number}{change}?", body)


def grown(size):
    """Yield the corpora after each change, as rows, and the number of new texts."""
    rows = [post_row(number) for number in range(size)]
    yield rows, size
    rows = [*rows, post_row(size)]
    yield rows, 1
    rows = [*rows[:7], *(post_row(number) for number in range(size + 1, size + 21)), *rows[7:]]
    yield rows, 20
    rows = [post for place, post in enumerate(rows) if place % 9]
    yield rows, 0
    rows = [post_row(int(post["question_id"]), "!") for post in rows[:10]] + rows[10:]
    yield rows, 10


@pytest.mark.usefixtures("embedded_models")
def test_an_index_that_grew_has_the_bytes_of_a_fresh_build(tmp_path, monkeypatch):
    encoder, texts = Encoder(FLOAT32), []
    encode = encoder.encode
    monkeypatch.setattr(encoder, "encode", lambda block: texts.extend(block) or encode(block))
    monkeypatch.setattr(encoder_module, "open_encoder", lambda _: encoder)

    def build(corpus, cache):
        monkeypatch.setenv("OPENCODER_CACHE", str(tmp_path / cache))
        texts.clear()
        return build_or_verify(SEMANTIC, corpus, FLOAT32)

    for step, (rows, new) in enumerate(grown(24)):
        corpus = write_corpus(tmp_path / f"{step}.csv", rows)
        folder = build(corpus, "growing")
        assert len(texts) == new
        fresh = build(corpus, f"fresh {step}")
        assert len(texts) == len(rows)
        names = sorted(path.name for path in fresh.iterdir())
        assert names == sorted(path.name for path in folder.iterdir())
        for name in names:
            assert (folder / name).read_bytes() == (fresh / name).read_bytes(), (step, name)


def test_of_20000_texts_only_the_changed_ones_are_encoded(tmp_path):
    def encode(block):
        counted.extend(block)
        digests = b"".join(sha256(text.encode()).digest() for text in block)
        return np.frombuffer(digests, np.uint8).reshape(len(block), -1).astype(np.float32)

    counted: list[str] = []
    texts = [f"text {number}" for number in range(20_000)]
    changes = [
        (texts, 20_000),
        (texts := [*texts, "one more"], 1),
        (texts := [*(f"new {number}" for number in range(200)), *texts], 200),
        (texts := texts[50:], 0),
        ([f"changed {text}" for text in texts[:10]] + texts[10:], 10),
    ]
    for corpus, new in changes:
        counted.clear()
        vectors, reused, computed = encode_new(
            corpus, partial(map, encode), TextVectors(tmp_path), "encoding"
        )
        assert (len(counted), reused, computed) == (new, len(corpus) - new, new)
        assert (vectors == encode(corpus)).all()
