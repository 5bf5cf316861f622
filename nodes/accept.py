"""accept: keep a refinement only where it is shown to be better than what it was made of."""

from nodes.model import Chooser
from nodes.rerank import compare
from nodes.state import Accepted, Draft, Preference, State


def accept(state: State, *, chooser: Chooser) -> Accepted:
    """Keep the refined answer if it is preferred in both orders, else take the reviewed one back.

    A self-refinement is as often worse as better (Huang et al. 2023, arXiv:2310.01798). A tie, two
    orders that disagree, and a verdict that cannot be read all leave the answer as it was.
    """
    reasoning = state.get("reasoning", "")
    reviewed, refined = state["reviewed"], state["answer"]
    drafts: list[Draft] = [
        {"text": text, "reasoning": reasoning} for text in (reviewed, refined) if text
    ]
    # The same text twice needs no model, and an answer is better than none.
    asked = reviewed != refined and len(drafts) == 2
    verdicts, preferences = compare(state, drafts, chooser) if asked else ([], [])
    kept = is_preferred(preferences[0]) if asked else bool(refined)
    answer = refined if kept else reviewed
    return {
        "answer": answer,
        "steps": [
            {
                "node": "accept",
                "seconds": sum(verdict["seconds"] for verdict in verdicts),
                "verdicts": verdicts,
                "preferences": preferences,
                "chosen": int(kept),
                "answer": answer,
            }
        ],
    }


def is_preferred(preference: Preference) -> bool:
    """Whether both orders named the second candidate, the refinement."""
    wins = preference["first_wins"]
    return wins is not None and wins < 0.5 and preference["orders_agree"] is True
