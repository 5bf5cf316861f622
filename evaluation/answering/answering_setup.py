"""The setup that answers and scores questions: models, index and graph of a run."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from langchain_core.retrievers import BaseRetriever

from evaluation.answering.questions import Item
from evaluation.metrics.calibrated_judge import CalibratedJudge
from graph.build import JudgedGraph, answering_graph, judged_graph
from graph.models import Models
from graph.models.lockstep import Lockstep
from graph.reranking.scorer import open_scorer
from graph.retrieval import open_retriever
from graph.retrieval.control_retrievers import (
    OracleRetriever,
    ShuffledRetriever,
    other_questions,
    searched,
)
from graph.retrieval.corpus import default_corpus
from graph.retrieval.encoder import Encoder, open_encoder
from graph.schema import Settings
from graph.support.logger import log
from graph.support.text import plural
from nodes.state import State


class AnsweringSetup(NamedTuple):
    """Everything that answers and scores questions, open and ready."""

    graph: JudgedGraph
    lockstep: Lockstep
    encoder: Encoder
    calibrated: CalibratedJudge | None = None
    """The calibrated judge of a run that asks for it."""
    not_in_corpus: frozenset[str] = frozenset()
    """Relevant ids of the questions that retrieval cannot return; empty if nothing is retrieved."""


class _OpenRetriever(NamedTuple):
    retriever: BaseRetriever | None
    not_in_corpus: frozenset[str]


def open_setup(
    settings: Settings,
    models: Models,
    *,
    corpus: Path | None,
    index: Path | None = None,
    excluded: frozenset[str] = frozenset(),
    judged: bool = True,
    items: Sequence[Item] = (),
    seed: int = 0,
    calibrated: CalibratedJudge | None = None,
) -> AnsweringSetup:
    """Open or build the index and put the graph together; weights load at the first model call.

    Args:
        settings: The config and the profile.
        models: The profile's models.
        corpus: The file of posts; None for a config without retrieval.
        index: The folder of the index; None for the cache folder.
        excluded: Ids of corpus questions that are never retrieved.
        judged: Whether the profile's judge grades the answers.
        items: The questions of the run; the retrievers of control configs need them in advance.
        seed: The seed by which the shuffled control pairs questions.
        calibrated: The calibrated judge, if the run asks for it.

    Raises:
        DatasetError: The corpus cannot be read.
        IndexMismatchError: The index folder holds another index.
        MissingExtraError: A package that the config needs is not installed.
    """
    embedder = settings.profile.embedder
    opened = _open_retriever(settings, items, corpus, index, excluded, seed)
    answering = answering_graph(
        settings.config,
        model=models.generator,
        chooser=models.generator,
        retriever=opened.retriever,
        scorer=open_scorer(settings.config, partial(open_encoder, embedder), opened.retriever),
        output=State,
    )
    graph = judged_graph(answering, models.judge if judged else None)
    return AnsweringSetup(
        graph, models.lockstep, open_encoder(embedder), calibrated, opened.not_in_corpus
    )


def _open_retriever(
    settings: Settings,
    items: Sequence[Item],
    corpus: Path | None,
    index: Path | None,
    excluded: frozenset[str],
    seed: int,
) -> _OpenRetriever:
    retrieval = settings.config.retrieval
    relevant = {name for item in items for name in item.relevant_question_ids}
    if retrieval.kind == "none":
        return _OpenRetriever(None, frozenset())
    if retrieval.kind == "oracle":
        oracle = _oracle(settings, items, corpus or default_corpus())
        return _OpenRetriever(oracle, frozenset(relevant - oracle.returnable(relevant)))
    retriever = open_retriever(
        searched(retrieval),
        settings.profile.embedder,
        corpus=corpus,
        folder=index,
        excluded=excluded,
    )
    retriever.open()
    not_in_corpus = frozenset(relevant - retriever.returnable(relevant))
    if retrieval.kind != "shuffled":
        return _OpenRetriever(retriever, not_in_corpus)
    others = other_questions([item.question for item in items], seed)
    shuffled = ShuffledRetriever(inner=retriever, other_question=others)
    return _OpenRetriever(shuffled, not_in_corpus)


def _oracle(settings: Settings, items: Sequence[Item], corpus: Path) -> OracleRetriever:
    relevant = {item.question: item.relevant_question_ids for item in items}
    retriever = OracleRetriever.of(relevant, corpus, settings.config.retrieval)
    if retriever.unanswerable:
        count = retriever.unanswerable
        log.warning(
            "oracle: %d of %d %s %s no relevant post in the corpus and %s no passages",
            *(count, len(relevant), plural(len(relevant), "question")),
            *(plural(count, "has", "have"), plural(count, "gets", "get")),
        )
    return retriever
