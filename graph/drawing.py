"""Pictures of the graph: Mermaid text, and SVG or PNG drawn on this machine."""

from typing import TYPE_CHECKING, Literal

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables.graph import NodeStyles

from graph.build import answering_graph, judged_graph
from graph.config import load_config
from graph.schema import Config
from graph.support.errors import MissingExtraError
from nodes.model import Continued, Likelihood, Prompt, Reply, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

_STYLES = NodeStyles(
    default="fill:#e8eefc,stroke:#3b5bdb,color:#14213d",
    first="fill:#ffffff,stroke:#868e96,color:#14213d",
    last="fill:#ffffff,stroke:#868e96,color:#14213d",
)


_FRONTMATTER = {
    "config": {
        "theme": "neutral",
        "themeVariables": {"clusterBkg": "#fbfbfd", "clusterBorder": "#adb5bd"},
        "flowchart": {"curve": "linear", "subGraphTitleMargin": {"top": 4, "bottom": 22}},
    }
}
# The subgraph's own end is where the answer comes out.
_LABELS = (
    ("(<p>__end__</p>)\n", "([answer]):::last\n"),
    ("<p>__start__</p>", "question"),
    ("<p>__end__</p>", "end"),
)


class _Never(BaseRetriever):
    """Stands in for models and retriever: a drawing asks neither."""

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        raise NotImplementedError

    def write(
        self, prompts: "Sequence[Prompt]", *, max_new_tokens: int, temperature: float = 0.0
    ) -> list[Reply]:
        raise NotImplementedError

    def choose(self, prompts: "Sequence[Prompt]", options: "Sequence[str]") -> list[Verdict]:
        raise NotImplementedError

    def likelihoods(self, asked: "Sequence[Continued]") -> list[Likelihood]:
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
        judged: Show the judge behind the answering graph, as the evaluation runs it.
        direction: Left to right, or top down.

    Raises:
        ConfigError: there is no such config.
    """
    never, stages = _Never(), load_config(config)
    answering = answering_graph(stages, model=never, chooser=never, retriever=never)
    shown = judged_graph(answering, never) if judged else answering
    text = shown.get_graph(xray=True).draw_mermaid(
        node_colors=_STYLES, frontmatter_config=_FRONTMATTER
    )
    for name, label in (*_LABELS, *_details(stages)):
        text = text.replace(name, label)
    return text.replace("graph TD;", f"graph {direction};", 1)


def _details(config: Config) -> list[tuple[str, str]]:
    """Say in a node's label what its name alone does not."""
    drafts = f"{config.rerank.drafts} drafts"
    thought = ["chain of thought"] if config.generation.cot else []
    several = [drafts] if config.rerank.initial else []
    method = config.rerank.method
    how = [] if method == "pairwise" else [f"by {method}"]
    said: dict[str, list[str]] = {
        "generate": [*thought, *several],
        "refine": [drafts] if config.rerank.refined else [],
        "retrieve": [f"{config.retrieval.kind}, top {config.retrieval.top_k}"],
        "extract": ["the first passage's answer"],
        "accept": ["if preferred in both orders"],
        "controls": [*config.rerank.candidates],
        "rerank_drafts": how,
        "rerank_refined": how,
    }
    return [
        (f"({node})", f"({'<br/>'.join([node, *details])})")
        for node, details in said.items()
        if details
    ]


def to_svg(mermaid: str) -> str:
    """Draw Mermaid text as SVG, on this machine.

    Raises:
        MissingExtraError: the drawing package is not installed.
    """
    try:
        import mermaidx
    except ImportError:
        raise MissingExtraError("pictures need mermaidx: pip install 'opencoder[draw]'") from None
    return str(mermaidx.render(mermaid).svg())


def to_png(mermaid: str, *, width: int = 640) -> bytes:
    """Draw Mermaid text as PNG, `width` pixels wide, on this machine."""
    svg = to_svg(mermaid)
    import mermaidx

    return bytes(mermaidx.svg_to_png(svg, width=width, background="white"))
