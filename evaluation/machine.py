"""What answers and scores questions: models, index and graph, put together for a run."""

from pathlib import Path
from typing import NamedTuple

from graph.build import JudgedGraph, answering_graph, judged_graph
from graph.models import Models
from graph.models.lockstep import Lockstep
from graph.retrieval import open_retriever
from graph.retrieval.encoder import Encoder, open_encoder
from graph.schema import Settings
from nodes.state import State


class Machine(NamedTuple):
    """What answers and scores questions."""

    graph: JudgedGraph
    lockstep: Lockstep
    encoder: Encoder


def open_machine(
    settings: Settings,
    models: Models,
    *,
    corpus: Path | None,
    index: Path | None = None,
    excluded: frozenset[str] = frozenset(),
    judged: bool = True,
) -> Machine:
    """Put a machine together; the index is built or opened here, weights load when first asked.

    `excluded` are ids of corpus questions that are never retrieved.
    """
    config, embedder = settings.config, settings.profile.embedder
    retriever = None
    if config.retrieval.kind != "none":
        retriever = open_retriever(
            config.retrieval, embedder, corpus=corpus, folder=index, excluded=excluded
        )
        retriever.open()
    answering = answering_graph(
        config,
        model=models.generator,
        chooser=models.generator,
        retriever=retriever,
        output=State,
    )
    graph = judged_graph(answering, models.judge if judged else None)
    return Machine(graph, models.lockstep, open_encoder(embedder))
