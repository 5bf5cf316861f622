"""The node accept: a refinement is kept only if the model prefers it to the reviewed answer."""

from collections.abc import Sequence

from nodes.choice import read_preferences
from nodes.model import Chooser, Reserve
from nodes.prompting import comparison_prompts
from nodes.state import AcceptUpdate, Draft, Preference, State
from prompts.rerank_prompts import OPTIONS


def accept(state: State, *, chooser: Chooser, reserves: Sequence[Reserve] = ()) -> AcceptUpdate:
    """Keep the refined answer if both orders prefer it, else go back to the reviewed one.

    A self-refinement is as often worse as better (Huang et al. 2023, arXiv:2310.01798). So a tie,
    two orders that disagree, and an unreadable verdict all keep the reviewed answer.
    """
    reviewed, refined = state["reviewed"], state["answer"]
    answers: list[Draft] = []
    # Equal texts need no model, and any answer is better than an empty one.
    if reviewed and refined and reviewed != refined:
        answers = [{"text": text, "reasoning": ""} for text in (reviewed, refined)]
    prompts = comparison_prompts(state, answers, reserves)
    verdicts = chooser.choose(prompts, OPTIONS) if prompts else []
    preferences = read_preferences(len(answers), verdicts)
    is_accepted = is_preferred(preferences[0]) if preferences else bool(refined)
    answer = refined if is_accepted else reviewed
    return {
        "answer": answer,
        "steps": [
            {
                "node": "accept",
                "seconds": sum(verdict["seconds"] for verdict in verdicts),
                "verdicts": verdicts,
                "preferences": preferences,
                "chosen": int(is_accepted),
                "answer": answer,
            }
        ],
    }


def is_preferred(preference: Preference) -> bool:
    """Tell whether both orders prefer the second candidate."""
    first_wins = preference["first_wins"]
    return first_wins is not None and first_wins < 0.5 and preference["orders_agree"] is True
