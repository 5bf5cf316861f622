"""The node extract: the answer of the first passage is the answer; no model is called."""

from time import perf_counter

from nodes.choice import first_answer
from nodes.state import Draft, DraftUpdate, State


def extract(state: State) -> DraftUpdate:
    """Answer with the first passage's answer, word for word; empty without passages.

    A control that costs no token: a pipeline has to beat it.
    """
    start = perf_counter()
    passages = state["passages"]
    draft: Draft = {"text": first_answer(passages), "reasoning": "", "source": "passage"}
    if passages:
        draft["passage"] = passages[0]["number"]
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
