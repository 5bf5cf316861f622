"""rerank: choose the best of several drafts by comparing them in pairs, each pair in both orders."""

from itertools import combinations

from nodes.controls import pool
from nodes.model import Chooser, Prompt, Verdict
from nodes.prompting import ask
from nodes.state import Draft, Preference, Reranked, State
from prompts import rerank as texts


def rerank(state: State, *, chooser: Chooser, step: str) -> Reranked:
    """Put the preferred candidate in `answer`.

    A candidate's strength is its mean probability of winning over all its pairs; each pair is asked
    in both orders, since judges favour a position (Zheng et al. 2023, arXiv:2306.05685). A tie
    goes to the earlier draft.
    """
    candidates = pool(state)
    verdicts, preferences = compare(state, candidates, chooser)
    chosen = strongest(len(candidates), preferences)
    return {
        "answer": candidates[chosen]["text"],
        "reasoning": candidates[chosen]["reasoning"],
        "steps": [
            {
                "node": step,
                "seconds": sum(verdict["seconds"] for verdict in verdicts),
                "verdicts": verdicts,
                "preferences": preferences,
                "candidates": candidates,
                "chosen": chosen,
                "answer": candidates[chosen]["text"],
            }
        ],
    }


def compare(
    state: State, candidates: list[Draft], chooser: Chooser
) -> tuple[list[Verdict], list[Preference]]:
    """Ask for every pair of candidates in both orders: two verdicts and a preference a pair."""
    pairs = list(combinations(range(len(candidates)), 2))
    prompts = [
        prompt
        for first, second in pairs
        for prompt in _both_orders(state, candidates[first], candidates[second])
    ]
    verdicts = chooser.choose(prompts, texts.OPTIONS)
    preferences = [
        parse_preference(pair, verdicts[2 * index], verdicts[2 * index + 1])
        for index, pair in enumerate(pairs)
    ]
    return verdicts, preferences


def _both_orders(state: State, first: Draft, second: Draft) -> list[Prompt]:
    return [
        ask(state, texts.COMPARE, draft_a=one["text"], draft_b=other["text"])
        for one, other in ((first, second), (second, first))
    ]


def parse_preference(pair: tuple[int, int], straight: Verdict, swapped: Verdict) -> Preference:
    """Average the two orders of one pair; unreadable if either verdict is."""
    forward, backward = probability(straight, "A"), probability(swapped, "B")
    if forward is None or backward is None:
        return {
            "first": pair[0],
            "second": pair[1],
            "first_wins": None,
            "orders_agree": None,
        }
    return {
        "first": pair[0],
        "second": pair[1],
        "first_wins": (forward + backward) / 2,
        "orders_agree": (forward > 0.5) == (backward > 0.5),
    }


def probability(verdict: Verdict, option: str) -> float | None:
    """Return how probable an option is by a verdict; None if that could not be read."""
    if verdict["choice"] is None:
        return None
    if verdict["probabilities"] is None:
        return 1.0 if verdict["choice"] == option else 0.0
    return verdict["probabilities"][option]


def strongest(count: int, preferences: list[Preference]) -> int:
    """Return the index of the candidate that wins most; the first of equals."""
    wins = [0.0] * count
    for preference in preferences:
        probability = preference["first_wins"]
        if probability is not None:
            wins[preference["first"]] += probability
            wins[preference["second"]] += 1 - probability
    return max(range(count), key=lambda index: (round(wins[index], 9), -index))
