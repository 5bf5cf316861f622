"""Retrievers of control configs: passages that are certainly relevant, and certainly irrelevant."""

import random
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableConfig

from graph.retrieval.corpus import read_corpus
from graph.retrieval.limited import LimitedRetriever
from graph.schema import Retrieval
from graph.support.errors import ConfigError, DatasetError

RelevantIds = Mapping[str, Sequence[str]]
"""From a question's text to the ids of the corpus questions that are relevant to it."""


class OracleRetriever(LimitedRetriever):
    """Returns the posts that the dataset names as relevant: the result of perfect retrieval."""

    documents: Mapping[str, Sequence[Document]]
    """From a question's text to its relevant posts."""

    @classmethod
    def of(cls, relevant: RelevantIds, corpus: Path, retrieval: Retrieval) -> "OracleRetriever":
        """Read the relevant posts; of one corpus question, at most `answers_per_question`.

        Raises:
            DatasetError: no question has a relevant post in the corpus.
        """
        relevant_ids = {question_id for ids in relevant.values() for question_id in ids}
        posts: dict[str, list[Document]] = {}
        for post in read_corpus(corpus) if relevant_ids else ():
            if post.question_id not in relevant_ids:
                continue
            documents = posts.setdefault(post.question_id, [])
            if len(documents) < retrieval.answers_per_question:
                documents.append(post.to_document(1.0))
        if not posts:
            raise DatasetError(
                "retrieval.kind oracle: none of the dataset's relevant_question_ids is in "
                f"{corpus}; name the corpus of the dataset"
            )
        return cls(
            documents={
                text: [document for name in ids for document in posts.get(name, [])]
                for text, ids in relevant.items()
            }
        )

    @property
    def unanswerable(self) -> int:
        """The number of questions without a relevant post: they get no passages."""
        return sum(not documents for documents in self.documents.values())

    def returnable(self, question_ids: Collection[str]) -> set[str]:
        """Return those of the ids that the corpus holds."""
        documents = (document for posts in self.documents.values() for document in posts)
        return {document.metadata["question_id"] for document in documents} & set(question_ids)

    def _documents(
        self, query: str, k: int | None, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        return list(self.documents[query][:k])


class ShuffledRetriever(LimitedRetriever):
    """Returns the passages for another question: passages of the usual form, but of no help."""

    inner: BaseRetriever
    other_question: Mapping[str, str]
    """From each question's text to that of another question."""

    def _documents(
        self, query: str, k: int | None, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        limit = {} if k is None else {"k": k}
        config: RunnableConfig = {"callbacks": run_manager.get_child()}
        documents = self.inner.invoke(self.other_question[query], config, **limit)[:k]
        return [_without_part_scores(document) for document in documents]


def _without_part_scores(document: Document) -> Document:
    """Return a document without the scores by part: they are those of the other question."""
    metadata = {name: value for name, value in document.metadata.items() if name != "part_scores"}
    return document.model_copy(update={"metadata": metadata})


def searched(retrieval: Retrieval) -> Retrieval:
    """Return the config of the retriever that searches: that of `shuffled` is `semantic`."""
    if retrieval.kind != "shuffled":
        return retrieval
    return retrieval.model_copy(update={"kind": "semantic"})


def other_questions(texts: Sequence[str], seed: int) -> dict[str, str]:
    """Map each question's text to the next one in a shuffled circle.

    Raises:
        ConfigError: there are not two different questions.
    """
    order = list(dict.fromkeys(texts))
    if len(order) < 2:
        raise ConfigError("retrieval.kind shuffled needs two different questions or more")
    random.Random(seed).shuffle(order)
    return dict(zip(order, [*order[1:], order[0]], strict=True))
