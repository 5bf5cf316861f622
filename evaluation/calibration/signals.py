"""What scores an answer, each in [0, 1]: the metrics of a run, two more, and a judge in both orders."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from evaluation.calibration.grades import Graded
from evaluation.metrics.calibrated_judge import JUDGE as JUDGE_SCORE
from evaluation.metrics.calibrated_judge import SIGNALS
from evaluation.metrics.extra_signals import extra_signals
from evaluation.metrics.registry import lexical, semantic_similarity
from graph.models.batching import Engine
from graph.support.progress import progress
from nodes.judge import expected_score
from nodes.model import Prompt, Verdict
from prompts.context import quoted
from prompts.judge import GRADES, JUDGE, JUDGE_DESCENDING

if TYPE_CHECKING:
    from graph.retrieval.encoder import Encoder

CHEAP = SIGNALS[:-1]
ASCENDING, DESCENDING, BOTH = JUDGE_SCORE, "LLM_judge_descending", "LLM_judge_both_orders"
"""Grades named from 0 to 4, as in a run; from 4 to 0; the mean of the two."""
CHUNK = 256
"""Rows scored at once: large enough for batched encoding, small enough to show progress."""
BATCHES = 4
"""Batches asked of a judge at once."""

SignalScores = dict[str, list[float | None]]
"""By signal, one score a row; None is unscored."""


def cheap_signals(encoder: "Encoder", rows: Sequence[Graded]) -> SignalScores:
    """Return the scores that need no judge."""
    found: SignalScores = {name: [] for name in CHEAP}
    with progress("scoring answers", len(rows), unit="answers") as bar:
        for start in range(0, len(rows), CHUNK):
            part = rows[start : start + CHUNK]
            answers, references = [r.candidate for r in part], [r.reference for r in part]
            near = semantic_similarity(encoder, answers, references)
            more = extra_signals(encoder, [r.question for r in part], answers, references)
            for row, value, others in zip(part, near, more, strict=True):
                scores = {
                    **lexical(row.candidate, row.reference),
                    **others,
                    "semantic_similarity": value,
                }
                for name in CHEAP:
                    found[name].append(scores[name])
            bar.advance(len(part))
    return found


class JudgeVerdicts(NamedTuple):
    """What a judge said about each row; None where it failed, and where there is no reference."""

    ascending: list[Verdict | None]
    descending: list[Verdict | None]
    errors: list[str]

    def scores(self) -> SignalScores:
        """Return the expected grade / 4, in each order and their mean."""
        first, second = _expected(self.ascending), _expected(self.descending)
        both = [
            None if a is None or b is None else (a + b) / 2
            for a, b in zip(first, second, strict=True)
        ]
        return {ASCENDING: first, DESCENDING: second, BOTH: both}


def _expected(verdicts: Sequence[Verdict | None]) -> list[float | None]:
    return [None if verdict is None else expected_score(verdict) for verdict in verdicts]


def judge_rows(engine: Engine, rows: Sequence[Graded], batch_size: int) -> JudgeVerdicts:
    """Ask a judge about every row in both orders; equal answers to a question are asked once.

    An answer without a reference is not asked about, as in a run.
    """
    keys = [(row.question, row.reference, row.candidate) for row in rows]
    asked = list(dict.fromkeys(key for key in keys if key[1]))
    found: list[dict[tuple[str, str, str], Verdict]] = [{}, {}]
    errors: list[str] = []
    label = f"asking the judge {engine.name}"
    with progress(label, 2 * len(asked), unit="verdicts") as bar:
        for part in _chunks(asked, batch_size * BATCHES):
            for order, template in enumerate((JUDGE, JUDGE_DESCENDING)):
                prompts = [
                    Prompt(
                        template=template,
                        whole={"question": quoted(question)},
                        cuttable={"reference": quoted(reference), "answer": quoted(answer)},
                    )
                    for question, reference, answer in part
                ]
                for key, outcome in zip(part, engine.choose_all(prompts, GRADES), strict=True):
                    if isinstance(outcome, Exception):
                        errors.append(f"{type(outcome).__name__}: {outcome}")
                    else:
                        found[order][key] = outcome
                bar.advance(len(part))
    ascending, descending = ([verdicts.get(key) for key in keys] for verdicts in found)
    return JudgeVerdicts(ascending, descending, errors)


def _chunks(
    items: Sequence[tuple[str, str, str]], size: int
) -> Iterator[Sequence[tuple[str, str, str]]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
