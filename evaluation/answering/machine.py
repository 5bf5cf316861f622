"""What answers and scores questions: models, index and graph, put together for a run."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from langchain_core.retrievers import BaseRetriever

from evaluation.answering.questions import Item
from evaluation.metrics.calibrated_judge import CalibratedJudge
from graph.build import JudgedGraph, answering_graph, judged_graph
from graph.models import Models
from graph.models.lockstep import Lockstep
from graph.retrieval import open_retriever
from graph.retrieval.control_retrievers import (
    OracleRetriever,
    ShuffledRetriever,
    other_questions,
    searched,
)
from graph.retrieval.documents import default_corpus
from graph.retrieval.encoder import Encoder, open_encoder
from graph.schema import Settings
from graph.support.terminal import log
from nodes.state import State


class Machine(NamedTuple):
    """What answers and scores questions."""

    graph: JudgedGraph
    lockstep: Lockstep
    encoder: Encoder
    calibrated: CalibratedJudge | None = None
    """The judge of cheap signals, where it is asked for."""


def open_machine(
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
) -> Machine:
    """Put a machine together; the index is built or opened here, weights load when first asked.

    `excluded` are ids of corpus questions that are never retrieved; `items` are the questions that
    will be asked, of which the control configs have to know.
    """
    config, embedder = settings.config, settings.profile.embedder
    retriever: BaseRetriever | None = None
    if config.retrieval.kind == "oracle":
        retriever = _oracle(settings, items, corpus or default_corpus())
    elif config.retrieval.kind != "none":
        found = open_retriever(
            searched(config.retrieval), embedder, corpus=corpus, folder=index, excluded=excluded
        )
        found.open()
        retriever = found
    if retriever is not None and config.retrieval.kind == "shuffled":
        others = other_questions([item.question for item in items], seed)
        retriever = ShuffledRetriever(inner=retriever, others=others)
    answering = answering_graph(
        config,
        model=models.generator,
        chooser=models.generator,
        retriever=retriever,
        output=State,
    )
    graph = judged_graph(answering, models.judge if judged else None)
    return Machine(graph, models.lockstep, open_encoder(embedder), calibrated)


def _oracle(settings: Settings, items: Sequence[Item], corpus: Path) -> OracleRetriever:
    relevant = {item.question: item.relevant_question_ids for item in items}
    made = OracleRetriever.of(relevant, corpus, settings.config.retrieval)
    if made.without:
        log.warning(
            "oracle: %d of %d questions have no relevant post in the corpus and get no passages",
            made.without,
            len(relevant),
        )
    return made
