"""The index and the encoder as LangChain's own classes, with real weights."""

import csv
from pathlib import Path
from types import MappingProxyType

import pytest

import graph
from graph.config import load_config, load_profile
from graph.retrieval import open_retriever
from graph.retrieval.embeddings import EncoderEmbeddings
from tests.fakes.corpora import EMBEDDER
from tests.fakes.project_files import ROOT

pytest.importorskip("langchain_tests", reason="pip install --no-deps langchain-tests")

from langchain_tests.integration_tests import EmbeddingsIntegrationTests

pytestmark = [pytest.mark.usefixtures("embedded_models"), pytest.mark.anyio]
CORPUS = ROOT / "dataset" / "sample" / "question_answer.csv"


@pytest.fixture
def anyio_backend():
    return "asyncio"


class TestEncoder(EmbeddingsIntegrationTests):
    embeddings_class = EncoderEmbeddings
    embedding_model_params = MappingProxyType({"embedder": EMBEDDER})


@pytest.fixture(scope="module")
def queries():
    """10 questions of the sample dataset, which are long, and 90 titles of its corpus."""

    def column(file: Path, name: str) -> list[str]:
        with file.open(encoding="utf-8", newline="") as rows:
            return [row[name] for row in csv.DictReader(rows)]

    questions = column(CORPUS.with_name("coderepoqa_python.csv"), "question")[:10]
    return [*questions, *column(CORPUS, "question_title")[::4][:90]]


def answer_ids(documents):
    return [document.metadata["answer_id"] for document in documents]


def opened(kind):
    """Open the retriever of a config; the sample corpus has no repeats that it would drop."""
    embedder = load_profile("embedded").embedder
    return open_retriever(load_config(kind).retrieval, embedder, corpus=CORPUS)


def test_the_vector_store_has_the_passages_of_semantic_for_100_queries(queries):
    store, retriever = graph.open_vector_store(CORPUS, profile="embedded"), opened("semantic")
    for query in queries:
        documents, scores = zip(*store.similarity_search_with_score(query, k=5), strict=True)
        expected = retriever.invoke(query)
        assert answer_ids(documents) == answer_ids(expected)
        assert scores == pytest.approx([d.metadata["score"] for d in expected], abs=1e-6)
    assert len(queries) == 100


def test_bm25_has_the_passages_of_keyword_for_100_queries(queries):
    bm25, retriever = graph.open_bm25(CORPUS), opened("keyword")
    for query in queries:
        assert answer_ids(bm25.invoke(query)) == answer_ids(retriever.invoke(query))
    assert len(queries) == 100
