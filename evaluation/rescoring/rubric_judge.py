"""The rubric of a question, asked of a judge: whether the answer meets each of its conditions.

Each condition is a question of its own, with the answers yes and no. The score is the mean
probability of yes, so that no text of the judge is parsed. CodeAssistBench (Kim et al. 2025) has such
conditions, and lets its judge write a verdict on all of them at once.
"""

import json
from collections.abc import Callable, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from evaluation.answering.model_calls import judge_reason
from evaluation.answering.run_identity import model_identity
from evaluation.rescoring.score_files import PassScore, PassSpec, fingerprint
from evaluation.store.journal import Record
from evaluation.store.recorded_run import RecordedRun
from graph.models import Models
from graph.models.lockstep import TaskOutcome
from graph.schema import ModelSpec
from graph.support.errors import DatasetError
from graph.support.storage import file_sha256
from nodes.model import Chooser, Prompt, Verdict
from nodes.state import Step
from prompts.context import quoted
from prompts.rubric_prompts import RUBRIC, VERDICTS

METRIC = "rubric"
_YES = VERDICTS[0]


class RubricJudge(NamedTuple):
    """A scorer that asks a model about each condition of a question's rubric."""

    models: Models

    def __call__(self, batch: Sequence[Record], on_served: Callable[[], None]) -> list[PassScore]:
        """Return the verdicts on a batch of answers, whose model calls are made together."""
        tasks = [partial(_judge, record, self.models.judge) for record in batch]
        outcomes = self.models.lockstep.run(tasks, on_served)
        return [_score(record, outcome) for record, outcome in zip(batch, outcomes, strict=True)]


def _judge(record: Record, chooser: Chooser) -> Step:
    rubric = record.get("rubric", [])
    if not (rubric and record["answer"].strip()):
        return {"node": "judge", "verdicts": []}
    prompts = [
        Prompt(
            template=RUBRIC,
            whole={"question": quoted(record["question"]), "condition": quoted(condition)},
            cuttable={"answer": quoted(record["answer"])},
        )
        for condition in rubric
    ]
    try:
        verdicts = chooser.choose(prompts, VERDICTS)
    except Exception as error:  # a judge that fails at an answer must not cost the others
        return {"node": "judge", "error": f"{type(error).__name__}: {error}"}
    return {
        "node": "judge",
        "seconds": sum(verdict["seconds"] for verdict in verdicts),
        "verdicts": [*verdicts],
    }


def _score(record: Record, outcome: TaskOutcome[Step]) -> PassScore:
    if outcome.value is None:
        raise outcome.error or RuntimeError("the judge ended without a verdict")
    value, reason = _value(record, outcome.value)
    return {
        "index": record["index"],
        "of": fingerprint(record),
        "scores": {METRIC: value},
        "reasons": {METRIC: reason} if reason else {},
        "evidence": [outcome.value],
    }


def _value(record: Record, step: Step) -> tuple[float | None, str]:
    """Return the score and the empty text, or None and the reason."""
    if not record.get("rubric"):
        return None, "the dataset has no rubric for the question"
    if "error" in step:
        return None, judge_reason(step["error"])
    if not record["answer"].strip():
        return 0.0, ""
    shares = [probability_of_yes(verdict) for verdict in step["verdicts"]]
    readable = [share for share in shares if share is not None]
    if len(readable) < len(shares):
        return None, "a reply is neither yes nor no"
    return sum(readable) / len(readable), ""


def probability_of_yes(verdict: Verdict) -> float | None:
    """Return the probability that a condition is met; None if the verdict could not be read."""
    if verdict["choice"] is None:
        return None
    if verdict["probabilities"] is None:
        return float(verdict["choice"] == _YES)
    return verdict["probabilities"][_YES]


def rubric_pass_spec(run: RecordedRun, spec: ModelSpec) -> PassSpec:
    """Return the description of a pass by the rubrics of a run, without loading weights.

    Raises:
        DatasetError: no question of the run has a rubric.
    """
    if not any(record.get("rubric") for record in run.answered):
        raise DatasetError(
            f"{run.folder}: no answered question has a rubric: run eval.py on a dataset with the "
            "column satisfaction_conditions"
        )
    prompt_parts = [RUBRIC.template, *VERDICTS, file_sha256(Path(__file__))]
    judge_identity = model_identity(spec)
    identity: dict[str, object] = {
        "kind": METRIC,
        "judge": judge_identity,
        "prompt": sha256(json.dumps(prompt_parts).encode()).hexdigest(),
        "batch_size": run.batch_size,
    }
    return PassSpec(METRIC, str(judge_identity["model"]), (METRIC,), identity)
