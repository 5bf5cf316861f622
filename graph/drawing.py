"""Pictures of the graph: Mermaid text, and SVG or PNG drawn on this machine."""

from collections.abc import Sequence
from typing import Literal

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables.graph import Graph, NodeStyles

from graph.build import AnsweringGraph, answering_graph, judged_graph
from graph.config import load_config
from graph.schema import Config
from graph.support.errors import MissingExtraError
from nodes.model import Continuation, Likelihood, Prompt, Reply, Verdict
from nodes.state import CandidateScore, Draft, Passage

_STYLES = NodeStyles(
    default="fill:#e8eefc,stroke:#3b5bdb,color:#14213d",
    first="fill:#ffffff,stroke:#868e96,color:#14213d",
    last="fill:#ffffff,stroke:#868e96,color:#14213d",
)
_FRONTMATTER = {
    "config": {
        "theme": "neutral",
        # Without a seed, mermaid 11 draws the same boxes with random points on their edges.
        "handDrawnSeed": 1,
        "themeVariables": {"clusterBkg": "#fbfbfd", "clusterBorder": "#adb5bd"},
        "flowchart": {"curve": "linear", "subGraphTitleMargin": {"top": 4, "bottom": 22}},
    }
}
_LABELS = (
    # The end of the answering subgraph is the answer. Only its box has no square brackets, and it
    # must be replaced first, since the last pattern matches it too.
    ("(<p>__end__</p>)\n", "([answer]):::last\n"),
    ("<p>__start__</p>", "question"),
    ("<p>__end__</p>", "end"),
)


class _Placeholder(BaseRetriever):
    """A retriever and model for drawings, which call neither."""

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        raise NotImplementedError

    def write(
        self, prompts: Sequence[Prompt], *, max_new_tokens: int, temperature: float = 0.0
    ) -> list[Reply]:
        raise NotImplementedError

    def choose(self, prompts: Sequence[Prompt], options: Sequence[str]) -> list[Verdict]:
        raise NotImplementedError

    def score(
        self, question: str, candidates: Sequence[Draft], passages: Sequence[Passage]
    ) -> list[CandidateScore]:
        raise NotImplementedError

    def likelihoods(self, continuations: Sequence[Continuation]) -> list[Likelihood]:
        raise NotImplementedError


def draw(
    config: str | Config = "semantic_cot",
    *,
    judged: bool = True,
    direction: Literal["LR", "TD"] = "LR",
) -> str:
    """Return a config's graph as Mermaid text; loads no weights and opens no index.

    Args:
        config: A name or a `Config`.
        judged: Draw the judge behind the answering graph, as the evaluation runs it.
        direction: Left to right, or top down.

    Raises:
        ConfigError: there is no such config.
    """
    loaded = load_config(config)
    answering = _drawn(loaded)
    graph = judged_graph(answering, _Placeholder()) if judged else answering
    mermaid = graph.get_graph(xray=True).draw_mermaid(
        node_colors=_STYLES, frontmatter_config=_FRONTMATTER
    )
    for name, label in (*_LABELS, *_node_labels(loaded)):
        mermaid = mermaid.replace(name, label)
    return mermaid.replace("graph TD;", f"graph {direction};", 1)


def structure(config: Config) -> Graph:
    """Return the nodes of a config, in the order of the flow, and the edges between them.

    The names of the first and the last node are `__start__` and `__end__`.
    """
    return _drawn(config).get_graph()


def _drawn(config: Config) -> AnsweringGraph:
    placeholder = _Placeholder()
    return answering_graph(
        config,
        model=placeholder,
        chooser=placeholder,
        retriever=placeholder,
        scorer=placeholder,
    )


def _node_labels(config: Config) -> list[tuple[str, str]]:
    """Return the labels with details by the plain labels that they replace.

    A node without details needs no entry: its label is its name.
    """
    drafts = f"{config.rerank.drafts} drafts"
    method = config.rerank.method
    by_method = [] if method == "pairwise" else [f"by {method}"]
    details: dict[str, list[str]] = {
        "generate": [
            *(["chain of thought"] if config.generation.cot else []),
            *([drafts] if config.rerank.initial else []),
        ],
        "adapt": [drafts] if config.rerank.initial else [],
        "refine": [drafts] if config.rerank.refined else [],
        "retrieve": [f"{config.retrieval.kind}, top {config.retrieval.top_k}"],
        "extract": ["the first passage's answer"],
        "accept": ["if preferred in both orders"],
        "extra_candidates": [*config.rerank.candidates],
        "rerank_passages": by_method,
        "rerank_drafts": by_method,
        "rerank_refined": by_method,
    }
    return [
        (f"({node})", f"({'<br/>'.join([node, *lines])})")
        for node, lines in details.items()
        if lines
    ]


def to_svg(mermaid: str) -> str:
    """Draw Mermaid text as SVG; the layout takes seconds.

    Raises:
        MissingExtraError: the drawing package is not installed.
    """
    try:
        import mermaidx
    except ImportError:
        raise MissingExtraError("pictures need mermaidx: pip install 'opencoder[draw]'") from None
    return str(mermaidx.render(mermaid).svg())


def to_png(svg: str, *, width: int = 640) -> bytes:
    """Draw what `to_svg` returns as PNG, `width` pixels wide."""
    import mermaidx

    return bytes(mermaidx.svg_to_png(svg, width=width, background="white"))
