"""LangChain's standard tests of retrievers, embeddings and caches."""

from types import MappingProxyType

import pytest

import graph
from graph.retrieval.control_retrievers import OracleRetriever, ShuffledRetriever
from graph.retrieval.embeddings import EncoderEmbeddings, OwnEmbeddings, PostEmbeddings
from graph.retrieval.retriever import PostRetriever
from graph.schema import Retrieval
from tests.fakes.corpora import EMBEDDER, SUBJECTS, encode_without_weights, small_corpus

pytest.importorskip("langchain_tests", reason="pip install --no-deps langchain-tests")

from langchain_tests.integration_tests import (
    AsyncCacheTestSuite,
    EmbeddingsIntegrationTests,
    RetrieversIntegrationTests,
    SyncCacheTestSuite,
)
from langchain_tests.unit_tests import EmbeddingsUnitTests

pytestmark = pytest.mark.anyio
QUERY = "How to copy, sort, read, merge, join, parse or catch a list?"


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture(autouse=True)
def _fake_encoder(monkeypatch):
    encode_without_weights(monkeypatch)


@pytest.fixture
def corpus(tmp_path):
    return small_corpus(tmp_path / "c.csv")


class Retrievers(RetrieversIntegrationTests):
    kind = "semantic"
    embedder = EMBEDDER

    @pytest.fixture(autouse=True)
    def _corpus(self, corpus):
        self.corpus = corpus

    @property
    def retriever_constructor(self):
        return PostRetriever

    @property
    def retriever_constructor_params(self):
        return {
            "retrieval": Retrieval(kind=self.kind),
            "corpus": self.corpus,
            "folder": None,
            "embedder": self.embedder,
        }

    @property
    def retriever_query_example(self):
        return QUERY


class TestSemantic(Retrievers):
    pass


class TestKeyword(Retrievers):
    kind = "keyword"


class TestHybrid(Retrievers):
    kind = "hybrid"


class TestOwnEmbeddings(Retrievers):
    embedder = OwnEmbeddings(EncoderEmbeddings(EMBEDDER), "fake")


class TestOracle(Retrievers):
    @property
    def retriever_constructor(self):
        return OracleRetriever

    @property
    def retriever_constructor_params(self):
        ids = [str(number) for number in range(1, len(SUBJECTS) + 1)]
        oracle = OracleRetriever.of({QUERY: ids}, self.corpus, Retrieval(kind="oracle"))
        return {"documents": oracle.documents}


class TestShuffled(Retrievers):
    @property
    def retriever_constructor(self):
        return ShuffledRetriever

    @property
    def retriever_constructor_params(self):
        inner = PostRetriever(**super().retriever_constructor_params)
        return {"inner": inner, "other_question": {QUERY: "sort a list, or copy it"}}


class TestEncoderUnit(EmbeddingsUnitTests):
    embeddings_class = EncoderEmbeddings
    embedding_model_params = MappingProxyType({"embedder": EMBEDDER})


class TestEncoder(EmbeddingsIntegrationTests):
    embeddings_class = EncoderEmbeddings
    embedding_model_params = MappingProxyType({"embedder": EMBEDDER})


class TestPostsUnit(EmbeddingsUnitTests):
    embeddings_class = PostEmbeddings
    embedding_model_params = MappingProxyType({"embedder": EMBEDDER})


class TestPosts(EmbeddingsIntegrationTests):
    embeddings_class = PostEmbeddings
    embedding_model_params = MappingProxyType({"embedder": EMBEDDER})


class TestCache(SyncCacheTestSuite):
    @pytest.fixture
    def cache(self):
        return graph.open_llm_cache()


class TestAsyncCache(AsyncCacheTestSuite):
    @pytest.fixture
    async def cache(self):
        return graph.open_llm_cache()
