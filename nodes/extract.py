"""extract: answer with what stands there, and ask no model."""

from time import perf_counter

from nodes.state import Draft, Drafted, State


def extract(state: State) -> Drafted:
    """Return the answer of the first passage, word for word; empty where nothing was found.

    What a pipeline has to beat: it costs no token.
    """
    start = perf_counter()
    passages = state["passages"]
    text = passages[0]["text"][: passages[0]["answer_chars"]] if passages else ""
    draft: Draft = {"text": text.strip(), "reasoning": ""}
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
