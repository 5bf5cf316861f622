"""The node retrieve: it finds the passages for a question."""

from time import perf_counter

from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever

from nodes.state import Passage, RetrieveUpdate, State


def retrieve(state: State, *, retriever: BaseRetriever, top_k: int) -> RetrieveUpdate:
    """Find the `top_k` best passages, numbered from 1 in the retriever's order."""
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
    """Convert a LangChain document to a passage; documents of foreign retrievers may lack metadata."""
    metadata = document.metadata
    text = document.page_content
    return {
        "number": number,
        "question_id": str(metadata.get("question_id", metadata.get("id", ""))),
        "title": str(metadata.get("title", metadata.get("source", ""))),
        "text": text,
        "answer_chars": int(metadata.get("answer_chars", len(text))),
        "score": float(metadata.get("score", 0.0)),
        "url": str(metadata.get("url", metadata.get("source", ""))),
        "licence": str(metadata.get("licence", "")),
    }
