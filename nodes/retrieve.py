"""retrieve: find the passages that may help."""

from time import perf_counter

from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever

from nodes.state import Passage, Retrieved, State


def retrieve(state: State, *, retriever: BaseRetriever, top_k: int) -> Retrieved:
    """Return the `top_k` best passages, numbered from 1 in the retriever's order."""
    start = perf_counter()
    documents = retriever.invoke(state["question"])[:top_k]
    passages = [as_passage(number, document) for number, document in enumerate(documents, 1)]
    return {
        "passages": passages,
        "steps": [
            {"node": "retrieve", "seconds": perf_counter() - start, "passages": passages},
        ],
    }


def as_passage(number: int, document: Document) -> Passage:
    """Read a passage from a LangChain document; a foreign retriever may lack the metadata."""
    meta = document.metadata
    text = document.page_content
    return {
        "number": number,
        "question_id": str(meta.get("question_id", meta.get("id", ""))),
        "title": str(meta.get("title", meta.get("source", ""))),
        "text": text,
        "answer_chars": int(meta.get("answer_chars", len(text))),
        "score": float(meta.get("score", 0.0)),
        "url": str(meta.get("url", meta.get("source", ""))),
        "licence": str(meta.get("licence", "")),
    }
