"""The node likelihood: the candidate that the model itself finds most probable is the answer."""

from collections.abc import Sequence

from nodes.choice import all_candidates, choice_update
from nodes.model import Continuation, LikelihoodModel, Reserve
from nodes.prompting import answer_prompt
from nodes.state import RerankUpdate, State


def likelihood(
    state: State, *, model: LikelihoodModel, node: str, reserves: Sequence[Reserve] = ()
) -> RerankUpdate:
    """Choose the candidate with the highest mean log-probability of a token.

    Every candidate is scored as an answer to the question with its passages, whatever prompt it was
    written for. The mean is taken since a sum favours short answers (length-normalised likelihood,
    as in Holtzman et al. 2021, arXiv:2104.08315). A tie goes to the earlier candidate; an empty
    candidate is chosen only if all are empty.
    """
    candidates = all_candidates(state)
    prompt = answer_prompt(state, reserves)
    likelihoods = model.likelihoods([Continuation(prompt, draft["text"]) for draft in candidates])
    means = [
        float("-inf") if row["mean_logprob"] is None else row["mean_logprob"] for row in likelihoods
    ]
    return choice_update(
        {
            "node": node,
            "seconds": sum(row["seconds"] for row in likelihoods),
            "likelihoods": likelihoods,
        },
        candidates,
        means.index(max(means)),
    )
