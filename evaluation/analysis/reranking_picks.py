"""Which draft each way of choosing would take, from the journal alone."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from evaluation.analysis.stage_gains import Scores
from evaluation.store.journal import Record
from nodes.consensus import agreement, most_agreed
from nodes.rerank import probability, strongest
from nodes.state import Preference, Step

FIRST, CONSENSUS, LIKELIHOOD = "first draft", "consensus", "likelihood"
ONE_ORDER, OTHER_ORDER, BOTH_ORDERS = "model, one order", "model, other order", "model, both orders"


class Choice(NamedTuple):
    """One question's drafts at one reranking step."""

    scores: list[Scores]
    """Metrics of each candidate."""
    picks: dict[str, int]
    """The candidate that each way of choosing takes; ways that the run holds nothing of are left out."""
    disagreeing: list[bool]
    """For each pair that was asked and read in both orders, whether the two disagree."""


def choices(records: Sequence[Record]) -> dict[str, list[Choice]]:
    """Return every choice among two candidates or more, by the name of its step."""
    found: dict[str, list[Choice]] = defaultdict(list)
    for record in records:
        scores: dict[int, list[Scores]] = defaultdict(list)
        for each in record["candidates"]:
            scores[each["step"]].append(each["metrics"])
        for number, step in enumerate(record["steps"]):
            if step["node"].startswith("rerank") and len(scores[number]) > 1:
                found[step["node"]].append(_choice(step, scores[number]))
    return found


def _choice(step: Step, scores: list[Scores]) -> Choice:
    candidates = step["candidates"]
    agreements = agreement([draft["text"] for draft in candidates])
    picks = {FIRST: 0, CONSENSUS: most_agreed(agreements)}
    if step.get("likelihoods"):
        picks[LIKELIHOOD] = step["chosen"]
    preferences = step.get("preferences", [])
    if preferences:
        for order, name in enumerate((ONE_ORDER, OTHER_ORDER)):
            picks[name] = strongest(len(candidates), _in_one_order(step, order))
        picks[BOTH_ORDERS] = step["chosen"]
    disagreeing = [
        not each["orders_agree"] for each in preferences if each["orders_agree"] is not None
    ]
    return Choice(scores, picks, disagreeing)


def _in_one_order(step: Step, order: int) -> list[Preference]:
    """Return the preferences as they would be had each pair been asked in one order only."""
    found: list[Preference] = []
    for place, preference in enumerate(step["preferences"]):
        verdict = step["verdicts"][2 * place + order]
        # In the straight order the first of the pair was shown as A, in the other as B.
        wins = probability(verdict, "AB"[order])
        found.append({**preference, "first_wins": wins})
    return found
