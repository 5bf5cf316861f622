"""The signals of graded answers: metrics of a run, two more, and a judge in both grade orders."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from evaluation.calibration.grades import GradedAnswer
from evaluation.metrics.calibrated_judge import JUDGE as JUDGE_SCORE
from evaluation.metrics.calibrated_judge import SIGNALS
from evaluation.metrics.extra_signals import extra_signals
from evaluation.metrics.registry import STAGE_METRICS, score_answers
from graph.models.engines import Engine
from graph.support.progress import progress
from nodes.judge import expected_score
from nodes.model import Prompt, Verdict
from prompts.context import quoted
from prompts.judge_prompts import GRADES, JUDGE, JUDGE_DESCENDING

if TYPE_CHECKING:
    from graph.retrieval.encoder import Encoder

CHEAP = (*SIGNALS[:-1], *(name for name in STAGE_METRICS if name not in SIGNALS))
"""The signals that ask no language model; a metric that no formula holds is one of them too."""
ASCENDING, DESCENDING, BOTH = JUDGE_SCORE, "LLM_judge_descending", "LLM_judge_both_orders"
"""Scores of the judge: grades listed from 0 to 4, as in a run; from 4 to 0; the mean of the two."""
CHUNK = 256
"""Answers scored at once: enough for batched encoding, few enough to show progress."""
BATCHES = 4
"""Batches that a judge gets at once."""

SignalScores = dict[str, list[float | None]]
"""One score in [0, 1] for each answer, by signal; None is unscored."""

_JudgedText = tuple[str, str, str]
"""Question, reference and answer: the texts that a verdict depends on."""


class JudgeVerdicts(NamedTuple):
    """A judge's verdicts on each answer; None where it failed or the answer has no reference."""

    ascending: list[Verdict | None]
    descending: list[Verdict | None]
    errors: list[str]

    def scores(self) -> SignalScores:
        """Return the expected grade over 4, in [0, 1]: for each order, and the mean of the two."""
        ascending, descending = _expected(self.ascending), _expected(self.descending)
        means = [
            None if first is None or second is None else (first + second) / 2
            for first, second in zip(ascending, descending, strict=True)
        ]
        return {ASCENDING: ascending, DESCENDING: descending, BOTH: means}


def cheap_signals(encoder: "Encoder", answers: Sequence[GradedAnswer]) -> SignalScores:
    """Compute the signals that ask no language model, those of `CHEAP`."""
    scores: SignalScores = {name: [] for name in CHEAP}
    with progress("scoring answers", len(answers), unit="answers") as bar:
        for start in range(0, len(answers), CHUNK):
            chunk = answers[start : start + CHUNK]
            questions = [answer.question for answer in chunk]
            candidates = [answer.candidate for answer in chunk]
            references = [answer.reference for answer in chunk]
            metrics = score_answers(candidates, references, encoder)
            extras = extra_signals(encoder, questions, candidates, references)
            for row, extra in zip(metrics, extras, strict=True):
                signals = row | extra
                for name in CHEAP:
                    scores[name].append(signals[name])
            bar.advance(len(chunk))
    return scores


def signals_by_answer(scores: SignalScores, answers: int) -> list[dict[str, float | None]]:
    """Return the scores of each answer by signal, for a number of answers."""
    return [{name: values[row] for name, values in scores.items()} for row in range(answers)]


def judge_answers(
    engine: Engine, answers: Sequence[GradedAnswer], batch_size: int
) -> JudgeVerdicts:
    """Ask a judge for a verdict on each answer in both orders of the grades.

    Equal answers to one question are judged once. An answer without a reference is not judged, as
    in a run.

    Args:
        engine: Runs the judge.
        answers: The graded answers.
        batch_size: Prompts that the engine reads side by side.
    """
    texts = [(answer.question, answer.reference, answer.candidate) for answer in answers]
    distinct = list(dict.fromkeys(text for text in texts if text[1]))
    verdicts: tuple[dict[_JudgedText, Verdict], ...] = ({}, {})
    errors: list[str] = []
    label = f"asking the judge {engine.name}"
    with progress(label, 2 * len(distinct), unit="verdicts") as bar:
        for chunk in _chunks(distinct, batch_size * BATCHES):
            for template, by_text in zip((JUDGE, JUDGE_DESCENDING), verdicts, strict=True):
                prompts = [
                    Prompt(
                        template=template,
                        whole={"question": quoted(question)},
                        cuttable={"reference": quoted(reference), "answer": quoted(answer)},
                    )
                    for question, reference, answer in chunk
                ]
                for text, outcome in zip(chunk, engine.choose_all(prompts, GRADES), strict=True):
                    if isinstance(outcome, Exception):
                        errors.append(f"{type(outcome).__name__}: {outcome}")
                    else:
                        by_text[text] = outcome
                bar.advance(len(chunk))
    ascending, descending = ([by_text.get(text) for text in texts] for by_text in verdicts)
    return JudgeVerdicts(ascending, descending, errors)


def _expected(verdicts: Sequence[Verdict | None]) -> list[float | None]:
    return [None if verdict is None else expected_score(verdict) for verdict in verdicts]


def _chunks(texts: Sequence[_JudgedText], size: int) -> Iterator[Sequence[_JudgedText]]:
    for start in range(0, len(texts), size):
        yield texts[start : start + size]
