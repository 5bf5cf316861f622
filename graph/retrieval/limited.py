"""The base of all retrievers: `k`, the number of documents, of the constructor or of a call."""

from abc import abstractmethod
from typing import SupportsIndex

from langchain_core.callbacks import (
    AsyncCallbackManagerForRetrieverRun,
    CallbackManagerForRetrieverRun,
)
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import run_in_executor
from pydantic import field_validator

from graph.support.errors import ConfigError


class LimitedRetriever(BaseRetriever):
    """A retriever that takes `k`, as LangChain's standard tests ask of every retriever."""

    k: int | None = None
    """The number of documents, at least 1; None leaves it to the retriever."""

    @field_validator("k", mode="before")
    @classmethod
    def _k_is_positive(cls, k: object) -> int | None:
        return None if k is None else positive(k)

    @abstractmethod
    def _documents(
        self, query: str, k: int | None, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        """Return at most `k` documents, best first; None leaves the number to the retriever."""

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, k: int | None = None
    ) -> list[Document]:
        return self._documents(query, self.k if k is None else positive(k), run_manager)

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun, k: int | None = None
    ) -> list[Document]:
        # LangChain's own version does not pass `k` on.
        return await run_in_executor(
            None, self._get_relevant_documents, query, run_manager=run_manager.get_sync(), k=k
        )


def positive(k: object) -> int:
    """Return a number of documents as an int.

    Raises:
        ConfigError: it is no whole number, or below 1.
    """
    # An integer of numpy is a number too.
    if not isinstance(k, SupportsIndex) or isinstance(k, bool) or k.__index__() < 1:
        raise ConfigError(f"k is the number of documents, at least 1, not {k!r}")
    return k.__index__()
