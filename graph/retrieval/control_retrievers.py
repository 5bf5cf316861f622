"""Retrievers to compare with: passages that are sure to be right, and sure to be wrong."""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever

from graph.retrieval.documents import read_corpus
from graph.schema import Retrieval
from graph.support.errors import ConfigError, DatasetError

Relevant = Mapping[str, Sequence[str]]
"""From a question's text to the ids of the corpus questions that are relevant to it."""


class OracleRetriever(BaseRetriever):
    """Returns the posts that the dataset names as relevant: what perfect retrieval would find."""

    found: Mapping[str, Sequence[Document]]
    """By the question's text."""

    @classmethod
    def of(cls, relevant: Relevant, corpus: Path, retrieval: Retrieval) -> "OracleRetriever":
        """Read the relevant posts; of one question, `answers_per_question` at most.

        Raises:
            DatasetError: no question has a relevant post in the corpus.
        """
        wanted = {name for names in relevant.values() for name in names}
        posts: dict[str, list[Document]] = {}
        for post in read_corpus(corpus) if wanted else ():
            kept = posts.setdefault(post.question_id, []) if post.question_id in wanted else None
            if kept is not None and len(kept) < retrieval.answers_per_question:
                kept.append(post.to_document(1.0))
        if not posts:
            raise DatasetError(
                f"retrieval.kind oracle: no relevant_question_ids of the dataset stand in {corpus}"
            )
        return cls(
            found={
                text: [document for name in names for document in posts.get(name, [])]
                for text, names in relevant.items()
            }
        )

    @property
    def without(self) -> int:
        """How many questions have no relevant post: they get no passages."""
        return sum(not documents for documents in self.found.values())

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        return list(self.found[query])


class ShuffledRetriever(BaseRetriever):
    """Returns what a retriever finds for another question: passages of the usual form, but no help."""

    inner: BaseRetriever
    others: Mapping[str, str]
    """From each question's text to that of another one."""

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        return self.inner.invoke(self.others[query], {"callbacks": run_manager.get_child()})


def searched(retrieval: Retrieval) -> Retrieval:
    """Return what is searched: `shuffled` searches as `semantic` does."""
    if retrieval.kind != "shuffled":
        return retrieval
    return retrieval.model_copy(update={"kind": "semantic"})


def other_questions(texts: Sequence[str], seed: int) -> dict[str, str]:
    """Give each question the text of another one: the next in a seeded order, round in a circle.

    Raises:
        ConfigError: there are not two different questions.
    """
    order = list(dict.fromkeys(texts))
    if len(order) < 2:
        raise ConfigError("retrieval.kind shuffled needs two different questions or more")
    random.Random(seed).shuffle(order)
    return dict(zip(order, [*order[1:], order[0]], strict=True))
