"""extract: answer with what stands there, and ask no model."""

from collections.abc import Sequence
from time import perf_counter

from nodes.state import Draft, Drafted, Passage, State


def extract(state: State) -> Drafted:
    """Return the answer of the first passage, word for word; empty where nothing was found.

    What a pipeline has to beat: it costs no token.
    """
    start = perf_counter()
    passages = state["passages"]
    draft: Draft = {"text": first_answer(passages), "reasoning": ""}
    return {
        "passages": passages,
        "candidates": [draft],
        "answer": draft["text"],
        "reasoning": "",
        "steps": [
            {
                "node": "extract",
                "seconds": perf_counter() - start,
                "candidates": [draft],
                "answer": draft["text"],
            }
        ],
    }


def first_answer(passages: Sequence[Passage]) -> str:
    """Return the answer in the first passage; empty where there is none."""
    return passages[0]["text"][: passages[0]["answer_chars"]].strip() if passages else ""
