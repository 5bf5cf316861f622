"""The node rerank: the model compares the candidates in pairs, and the strongest is the answer."""

from collections.abc import Sequence

from nodes.choice import all_candidates, choice_update, read_preferences, strongest
from nodes.model import Chooser, Reserve
from nodes.prompting import comparison_prompts
from nodes.state import RerankUpdate, State
from prompts.rerank_prompts import OPTIONS


def rerank(
    state: State, *, chooser: Chooser, node: str, reserves: Sequence[Reserve] = ()
) -> RerankUpdate:
    """Choose the candidate with the highest mean probability of winning over all its pairs.

    Each pair is compared in both orders. A tie goes to the earlier candidate.
    """
    candidates = all_candidates(state)
    verdicts = chooser.choose(comparison_prompts(state, candidates, reserves), OPTIONS)
    preferences = read_preferences(len(candidates), verdicts)
    return choice_update(
        {
            "node": node,
            "seconds": sum(verdict["seconds"] for verdict in verdicts),
            "verdicts": verdicts,
            "preferences": preferences,
        },
        candidates,
        strongest(len(candidates), preferences),
    )
