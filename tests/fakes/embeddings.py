"""LangChain embeddings without weights."""

from langchain_core.embeddings import Embeddings

from tests.fakes.corpora import EMBEDDER, FakeEncoder


class WordEmbeddings(Embeddings):
    """Gives the vectors of the fake encoder, seven times as long; counts the texts."""

    def __init__(self) -> None:
        self.documents: list[str] = []
        self.queries: list[str] = []
        self.sizes: list[int] = []

    def embed_documents(self, texts):
        self.documents += texts
        self.sizes.append(len(texts))
        return (FakeEncoder(EMBEDDER).encode(texts) * 7).tolist()

    def embed_query(self, text):
        self.queries.append(text)
        return (FakeEncoder(EMBEDDER).encode([text])[0] * 7).tolist()
