"""Another judge over the answers of a finished run: nothing is generated again."""

import json
from collections.abc import Callable, Sequence
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from evaluation.answering.run_identity import model_identity
from evaluation.rescoring.score_files import PassScore, PassSpec, fingerprint
from evaluation.store.journal import Record
from graph.models import Models, open_models
from graph.models import packaged as embedded
from graph.models.lockstep import TaskOutcome
from graph.schema import ModelSpec, Profile
from graph.support.errors import ConfigError
from graph.support.storage import file_sha256
from nodes import judge as node
from nodes.judge import judge
from nodes.state import Judged, JudgedState
from prompts.judge import GRADES, JUDGE

METRIC = "LLM_judge"
_REASON_CHARS = 100


class ModelJudge(NamedTuple):
    """A language model as judge, asked just as a run asks it."""

    models: Models

    def __call__(self, batch: Sequence[Record], on_served: Callable[[], None]) -> list[PassScore]:
        """Judge a batch side by side."""
        states: list[JudgedState] = [
            {"question": r["question"], "reference": r["reference"], "answer": r["answer"]}
            for r in batch
        ]
        tasks = [partial(judge, state, chooser=self.models.judge) for state in states]
        outcomes = self.models.lockstep.run(tasks, on_served)
        return [_score(record, each) for record, each in zip(batch, outcomes, strict=True)]


def _score(record: Record, outcome: TaskOutcome[Judged]) -> PassScore:
    if outcome.value is None:
        raise outcome.error or RuntimeError("the judge ended without a verdict")
    [step] = outcome.value["steps"]
    value = outcome.value["score"]
    reasons = {} if value is not None else {METRIC: _reason(step.get("error"))}
    return {
        "index": record["index"],
        "of": fingerprint(record),
        "scores": {METRIC: value},
        "reasons": reasons,
        "evidence": [json.loads(json.dumps(step))],
    }


def _reason(error: str | None) -> str:
    if error is None:
        return "the reply is no grade"
    name, _, message = error.partition(": ")
    if name == "PromptTooLongError":
        return "the question does not fit the window"
    return " ".join(f"{name}: {message}".split())[:_REASON_CHARS]


def model_plan(spec: ModelSpec, batch_size: int) -> PassSpec:
    """Return what a model's verdicts depend on; loads no weights."""
    asked = [JUDGE.template, *GRADES, file_sha256(Path(node.__file__))]
    identity: dict[str, object] = {
        "kind": "judge",
        "judge": model_identity(spec),
        "prompt": sha256(json.dumps(asked).encode()).hexdigest(),
        "batch_size": batch_size,
    }
    return PassSpec("judge", spec.model, (METRIC,), json.loads(json.dumps(identity)))


def judge_spec(name: str, profile: Profile) -> ModelSpec:
    """Return the judge that a name means: `model` or `profile`, a model of a package, a folder, a repository.

    What else a judge needs (window, chat format) is taken from the profile's.

    Raises:
        ConfigError: the name can be none of these.
    """
    if name in ("model", "profile"):
        return profile.judge
    if not name.strip() or name != name.strip() or not name.isprintable():
        raise ConfigError(f"--judge {name!r}: give a model's name or folder, or model")
    engine = "embedded" if name in embedded.NAMES else "huggingface"
    return profile.judge.model_copy(update={"model": name, "revision": None, "engine": engine})


@cache
def open_judge(profile: Profile, spec: ModelSpec, batch_size: int) -> ModelJudge:
    """Load a judge, once for all runs: what cannot be loaded is an error now, and not each question's own.

    Raises:
        ConfigError: there is no such model.
    """
    models = open_models(
        profile.model_copy(update={"judge": spec, "generator": spec}), batch_size=batch_size
    )
    getattr(models.judge.engine, "loaded", None)
    return ModelJudge(models)
