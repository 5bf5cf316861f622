"""Retrieval on real weights: the encoder's vectors, builds that are killed, a cross-encoder."""

import json
from pathlib import Path

import numpy as np
import pytest

from graph.models import packaged
from graph.retrieval import encoder, open_retriever
from graph.retrieval.encoder import Encoder
from graph.schema import EmbedderSpec, Retrieval
from graph.support.errors import ConfigError
from graph.support.text import without_surrogates
from tests.fakes.corpora import EMBEDDER, row, small_corpus, write_corpus
from tests.fakes.processes import run_python
from tests.fakes.waiting import FAR, at_most_cpu_seconds
from tests.integration.checkpoints import make_bert

pytestmark = pytest.mark.usefixtures("embedded_models")

CODE = "def f(x):\n    return [{y: 1} for y in x]  # KeyError: 'a'\n"
TEXTS = [
    "",
    " \n\t",
    "?",
    "How do I copy a list?",
    "日本語の文字列 naïve ÉTÉ \u200b\u202e",
    "a lone \ud800 surrogate \udfff",
    "\x00\x01",
    CODE,
    CODE * 40,
    "x" * 5_000,
    "word " * 5_000,
    *(
        " ".join(f"word{n}" for n in range(count))
        for count in (1, 2, 5, 17, 60, 130, 254, 255, 400)
    ),
]


@pytest.fixture(autouse=True)
def _own_indexes(tmp_path, monkeypatch):
    """Keep indexes of invented posts out of the user's cache."""
    monkeypatch.setenv("OPENCODER_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def expected():
    """The vectors that sentence-transformers itself gives, in 32 bits."""
    from sentence_transformers import SentenceTransformer

    folder = packaged.model_folder("all-MiniLM-L6-v2")
    model = SentenceTransformer(str(folder), local_files_only=True)
    return model.encode([without_surrogates(text) for text in TEXTS], normalize_embeddings=True)


@pytest.mark.parametrize(("dtype", "least"), [("float32", 0.999999), ("bfloat16", 0.999)])
def test_vectors_are_those_of_sentence_transformers(expected, monkeypatch, dtype, least):
    monkeypatch.setattr(encoder, "_BLOCK", 7)
    vectors = Encoder(EMBEDDER.model_copy(update={"dtype": dtype})).encode(TEXTS)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(len(TEXTS)), abs=1e-5)
    cosines = (vectors * expected).sum(axis=1)
    assert cosines.min() > least, TEXTS[cosines.argmin()][:50]
    # The cosine with the vectors of all other texts is lower: the texts are different enough.
    cosines_of_others = vectors @ expected.T - 2 * np.eye(len(TEXTS))
    assert np.median(cosines_of_others.max(axis=1)) < 0.95


def test_a_build_that_is_killed_goes_on_and_ends_with_the_same_bytes(tmp_path):
    result = run_python("-m", "tests.integration.killed_builds", tmp_path, timeout=FAR)
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    ends = {name: [run["code"] for run in runs] for name, runs in report.items()}
    assert ends == {
        "never": [0],
        "first block": [-9, 0],
        "between fields": [-9, 0],
        "files": [-9, 0],
    }, report
    encoded = {name: [run["encoded"] for run in runs] for name, runs in report.items()}
    assert encoded == {
        "never": [24],
        "first block": [3, 21],
        "between fields": [8, 16],
        "files": [24, 0],
    }
    expected = files_of(tmp_path / "never")
    assert len(expected) == 12
    for name in ("first block", "between fields", "files"):
        assert files_of(tmp_path / name) == expected, name


def files_of(cache: Path) -> dict[str, bytes]:
    """Return the files of the only finished index in a cache; the folder of a killed build is hidden."""
    (folder,) = (path for path in (cache / "indexes").iterdir() if path.name[0] != ".")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def cross_encoder(tmp_path_factory):
    """A folder with a tiny cross-encoder of random weights, saved as its big sisters are."""
    folder = tmp_path_factory.mktemp("cross_encoder")
    make_bert(folder, "BertForSequenceClassification", num_labels=1)
    return folder


def judged(folder, pairs):
    """Return the scores of the checkpoint itself for pairs of texts, one at a time."""
    import torch
    from transformers import AutoTokenizer, BertForSequenceClassification

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = BertForSequenceClassification.from_pretrained(folder).eval()
    with torch.inference_mode():
        return [
            torch.sigmoid(
                model(**tokenizer(*pair, truncation=True, return_tensors="pt")).logits[0, 0]
            ).item()
            for pair in pairs
        ]


def test_a_cross_encoder_in_a_folder_reorders(tmp_path, cross_encoder, capfd):
    corpus = small_corpus(tmp_path / "c.csv")
    query = "sort and copy and merge and join a nested list of sql and json"
    kind = {"kind": "keyword", "top_k": 8}
    plain = open_retriever(Retrieval(**kind), EMBEDDER, corpus=corpus).invoke(query)
    assert len(plain) >= 5
    retrieval = Retrieval(**kind, cross_encoder=str(cross_encoder))
    reordered = open_retriever(retrieval, EMBEDDER, corpus=corpus).invoke(query)
    texts = {}
    for document in plain:
        answer, question = document.page_content.split("\n\nIt was asked:\n")
        text = f"{document.metadata['title']}\n{question}\n\n{answer}"
        texts[document.metadata["question_id"]] = text
    scores = dict(
        zip(texts, judged(cross_encoder, [(query, text) for text in texts.values()]), strict=True)
    )
    order = sorted(scores, key=lambda name: -scores[name])
    assert order != list(texts)
    assert [document.metadata["question_id"] for document in reordered] == order
    assert [document.metadata["score"] for document in reordered] == pytest.approx(
        [scores[name] for name in order], abs=1e-5
    )
    assert "Loading" not in capfd.readouterr().err


def test_a_cross_encoder_takes_any_text(tmp_path, cross_encoder):
    rows = [
        row(1, "sort", answer_body="word " * 200_000),
        row(2, "sort lists", "x" * 100_000),
        *(row(number, f"fig {number}") for number in range(3, 9)),
    ]
    retrieval = Retrieval(kind="keyword", cross_encoder=str(cross_encoder))
    retriever = open_retriever(retrieval, EMBEDDER, corpus=write_corpus(tmp_path / "c.csv", rows))
    with at_most_cpu_seconds(120):
        for query in ("sort", "sort \ud800", "sort " * 200_000):
            assert {d.metadata["question_id"] for d in retriever.invoke(query)} == {"1", "2"}


def test_a_cross_encoder_that_is_not_there_is_one_line_before_any_question(tmp_path):
    missing = Retrieval(kind="keyword", cross_encoder=str(tmp_path / "none"))
    retriever = open_retriever(missing, EMBEDDER, corpus=small_corpus(tmp_path / "c.csv"))
    with pytest.raises(ConfigError, match=r"cannot load retrieval\.cross_encoder") as caught:
        retriever.open()
    assert "\n" not in str(caught.value)


def test_an_encoder_that_is_not_there_is_one_line(tmp_path):
    spec = EmbedderSpec(model=str(tmp_path / "none"))
    with pytest.raises(ConfigError, match="cannot load the encoder"):
        Encoder(spec).encode(["x"])
