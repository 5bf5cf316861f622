"""A language model as judge of the answers of a finished run; no answer is generated again."""

import json
import re
from collections.abc import Callable, Sequence
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from evaluation.answering.model_calls import judge_reason
from evaluation.answering.run_identity import model_identity
from evaluation.metrics.llm_judge import LLM_JUDGE
from evaluation.rescoring.score_files import PassScore, PassSpec, fingerprint
from evaluation.store.journal import Record
from graph.config import load_settings
from graph.models import Models, open_models, packaged
from graph.models.lockstep import TaskOutcome
from graph.schema import IN_PROCESS, ModelSpec, Profile
from graph.support.errors import ConfigError
from graph.support.storage import file_sha256
from nodes import judge as node
from nodes.judge import judge
from nodes.state import JudgedState, JudgeUpdate
from prompts.judge_prompts import GRADES, JUDGE

METRIC = LLM_JUDGE.name
_CHAT_MODEL = re.compile(r"[a-z0-9_]+:[^/\\].*")
"""Provider and model, as `ollama:qwen2.5-coder:7b`."""


class ModelJudge(NamedTuple):
    """A scorer that asks a language model exactly as a run asks its judge."""

    models: Models

    def __call__(self, batch: Sequence[Record], on_served: Callable[[], None]) -> list[PassScore]:
        """Return the verdicts on a batch of answers, whose model calls are made together."""
        states: list[JudgedState] = [
            {"question": r["question"], "reference": r["reference"], "answer": r["answer"]}
            for r in batch
        ]
        tasks = [partial(judge, state, chooser=self.models.judge) for state in states]
        outcomes = self.models.lockstep.run(tasks, on_served)
        return [_score(record, outcome) for record, outcome in zip(batch, outcomes, strict=True)]


def _score(record: Record, outcome: TaskOutcome[JudgeUpdate]) -> PassScore:
    if outcome.value is None:
        raise outcome.error or RuntimeError("the judge ended without a verdict")
    [step] = outcome.value["steps"]
    value = outcome.value["score"]
    reasons = {} if value is not None else {METRIC: judge_reason(step.get("error"))}
    return {
        "index": record["index"],
        "of": fingerprint(record),
        "scores": {METRIC: value},
        "reasons": reasons,
        "evidence": [step],
    }


def model_pass_spec(spec: ModelSpec, batch_size: int) -> PassSpec:
    """Return the description of a pass by a model, without loading its weights."""
    prompt_parts = [JUDGE.template, *GRADES, file_sha256(Path(node.__file__))]
    judge_identity = model_identity(spec)
    identity: dict[str, object] = {
        "kind": "judge",
        "judge": judge_identity,
        "prompt": sha256(json.dumps(prompt_parts).encode()).hexdigest(),
        "batch_size": batch_size,
    }
    return PassSpec("judge", str(judge_identity["model"]), (METRIC,), identity)


def judge_profile(name: str, profile: str, overrides: Sequence[str]) -> Profile:
    """Return the profile for a judge, with overrides of its fields.

    A chat model, `PROVIDER:MODEL`, takes the place of a judge in this process as the engine
    `langchain` does: the other fields are its defaults, or those of the overrides.

    Args:
        name: The judge, see `judge_spec`.
        profile: The name or the file of the profile.
        overrides: Fields and their values, as `judge.window=2048`.

    Raises:
        ConfigError: See `load_settings`.
    """
    engines = [text for text in overrides if text.startswith("judge.engine=")]
    own = load_settings("baseline", profile, engines).profile.judge
    named: list[str] = []
    is_chat_model = _CHAT_MODEL.fullmatch(name) and not Path(name).exists()
    if own.engine in IN_PROCESS and not engines and is_chat_model:
        named = ["judge.engine=langchain", f"judge.model={json.dumps(name)}"]
    return load_settings("baseline", profile, [*named, *overrides]).profile


def judge_spec(name: str, profile: Profile) -> ModelSpec:
    """Return the spec of the judge that a name means.

    Its other settings, as its window and chat format, are those of the profile's judge.

    Args:
        name: `model` or `profile` for the profile's judge; a packaged model, a folder or a
            repository; or, if the profile's judge is no model in this process, the name of another
            model there.
        profile: The profile whose judge gives the other settings.

    Raises:
        ConfigError: the name is empty or holds characters that no name has.
    """
    if name in ("model", "profile"):
        return profile.judge
    if not name.strip() or name != name.strip() or not name.isprintable():
        raise ConfigError(
            f"--judge {name!r} names no judge: give `model` for the profile's judge, or the name or "
            "folder of a model"
        )
    if profile.judge.engine not in IN_PROCESS:
        return profile.judge.model_copy(update={"model": name})
    weights = "package" if name in packaged.NAMES else "hub"
    return profile.judge.model_copy(update={"model": name, "revision": None, "weights": weights})


@cache
def open_judge(profile: Profile, spec: ModelSpec, batch_size: int) -> ModelJudge:
    """Load a judge, once for all runs of the process.

    Raises:
        ConfigError: the model cannot be loaded.
    """
    models = open_models(
        profile.model_copy(update={"judge": spec, "generator": spec}), batch_size=batch_size
    )
    # Reading `loaded` loads the weights: a model that cannot be loaded is one error here, and not
    # the reason of every question.
    getattr(models.judge.engine, "loaded", None)
    return ModelJudge(models)
