"""rerank by likelihood: choose the draft that the model itself finds most probable."""

from nodes.controls import pool
from nodes.model import Continued, Scorer
from nodes.prompting import ask
from nodes.state import Reranked, State
from prompts import generate as texts


def likelihood(state: State, *, scorer: Scorer, step: str) -> Reranked:
    """Put the candidate with the highest mean log-probability of a token in `answer`.

    Scored as an answer to the question with its passages, whatever prompt it was written for; the
    mean, since a sum favours short answers (length-normalised likelihood, as in Holtzman et al.
    2021, arXiv:2104.08315). A tie goes to the earlier draft, and an empty one is taken last.
    """
    candidates = pool(state)
    prompt = ask(state, texts.ANSWER)
    scores = scorer.likelihoods([Continued(prompt, draft["text"]) for draft in candidates])
    means = [score["mean_logprob"] for score in scores]
    chosen = max(range(len(candidates)), key=lambda index: (_rank(means[index]), -index))
    answer = candidates[chosen]
    return {
        "answer": answer["text"],
        "reasoning": answer["reasoning"],
        "steps": [
            {
                "node": step,
                "seconds": sum(score["seconds"] for score in scores),
                "likelihoods": scores,
                "candidates": candidates,
                "chosen": chosen,
                "answer": answer["text"],
            }
        ],
    }


def _rank(mean: float | None) -> float:
    return float("-inf") if mean is None else mean
