"""The choice among candidates: all of them, their comparison in pairs, and the one that is taken."""

from collections.abc import Sequence
from itertools import combinations
from typing import Protocol

from nodes.model import Verdict
from nodes.state import CandidateScore, Draft, Passage, Preference, RerankUpdate, State, Step


class CandidateScorer(Protocol):
    """A formula that scores candidates from what is known without a reference."""

    def score(
        self, question: str, candidates: Sequence[Draft], passages: Sequence[Passage]
    ) -> list[CandidateScore]:
        """Return the score of each candidate, in order."""
        ...


def all_candidates(state: State) -> list[Draft]:
    """Return the newest drafts, then the extra candidates if there are any."""
    return [*state["candidates"], *state.get("extra_candidates", [])]


def first_answer(passages: Sequence[Passage]) -> str:
    """Return the answer in the first passage; empty without passages."""
    return answer_of(passages[0]) if passages else ""


def answer_of(passage: Passage) -> str:
    """Return the answer in a passage."""
    return passage["text"][: passage["answer_chars"]].strip()


def passage_candidates(passages: Sequence[Passage]) -> list[Draft]:
    """Return the answers of passages as candidates, without empty ones."""
    return [
        {"text": text, "reasoning": "", "source": "passage", "passage": passage["number"]}
        for passage in passages
        if (text := answer_of(passage))
    ]


def read_preferences(count: int, verdicts: Sequence[Verdict]) -> list[Preference]:
    """Read the verdicts on the `comparison_prompts` of `count` candidates: one preference a pair."""
    pairs = list(combinations(range(count), 2))
    return [
        parse_preference(pair, straight, swapped)
        for pair, straight, swapped in zip(pairs, verdicts[::2], verdicts[1::2], strict=True)
    ]


def parse_preference(pair: tuple[int, int], straight: Verdict, swapped: Verdict) -> Preference:
    """Average the two orders of one pair; unreadable if either verdict is."""
    forward, backward = probability(straight, "A"), probability(swapped, "B")
    if forward is None or backward is None:
        wins, agree = None, None
    else:
        wins, agree = (forward + backward) / 2, (forward > 0.5) == (backward > 0.5)
    return {"first": pair[0], "second": pair[1], "first_wins": wins, "orders_agree": agree}


def probability(verdict: Verdict, option: str) -> float | None:
    """Return the probability of an option by a verdict; None if the verdict could not be read."""
    if verdict["choice"] is None:
        return None
    if verdict["probabilities"] is None:
        return 1.0 if verdict["choice"] == option else 0.0
    return verdict["probabilities"][option]


def strongest(count: int, preferences: Sequence[Preference]) -> int:
    """Return the index of the candidate with the most expected wins; the first of equals."""
    wins = [0.0] * count
    for preference in preferences:
        share = preference["first_wins"]
        if share is not None:
            wins[preference["first"]] += share
            wins[preference["second"]] += 1 - share
    return index_of_highest(wins)


def index_of_highest(values: Sequence[float]) -> int:
    """Return the index of the highest value; the first of equals."""
    # Sums of the same shares differ in the last bits by their order, so equal means equal to 1e-9.
    return max(range(len(values)), key=lambda index: (round(values[index], 9), -index))


def choice_update(step: Step, candidates: list[Draft], chosen: int) -> RerankUpdate:
    """Return the update that makes a candidate the answer, with its step completed."""
    draft = candidates[chosen]
    return {
        "answer": draft["text"],
        "reasoning": draft["reasoning"],
        "steps": [{**step, "candidates": candidates, "chosen": chosen, "answer": draft["text"]}],
    }
