"""A pass of a judge over a finished run: which judge a name means, and how it agrees with the run's."""

from functools import partial
from pathlib import Path
from typing import TypedDict

from evaluation.answering.model_calls import cut_by_judge
from evaluation.metrics.calibrated_judge import CALIBRATED_OPTION, SHIPPED
from evaluation.rescoring.calibrated_pass import calibrated_pass_spec, open_calibrated
from evaluation.rescoring.model_judge import METRIC, judge_spec, model_pass_spec, open_judge
from evaluation.rescoring.pass_summary import PassSummary, summarise_own, summarise_pass
from evaluation.rescoring.rubric_judge import RubricJudge, rubric_pass_spec
from evaluation.rescoring.score_pass import (
    CompletedPass,
    PreparedPass,
    complete_pass,
    judge_steps,
)
from evaluation.statistics.agreement import Correlation, rank_correlation
from evaluation.store.recorded_run import RecordedRun
from graph.schema import Profile
from graph.support.errors import ConfigError


class JudgedRun(TypedDict):
    """The scores of one judge over one run, beside those of the run's own judge."""

    run: str
    questions: int
    judge: str
    scores: str
    """The file of the scores, relative to the run folder."""
    metric: str
    this: PassSummary
    own: PassSummary
    """Of the run's own judge, on the questions that this judge scored."""
    agreement: Correlation
    cut: int
    """Answers that this judge scored without a part of them or of their reference."""
    cut_tokens: int
    """Tokens of those parts."""


def judge_run(
    folder: Path, name: str, profile: Profile, *, rubric: bool = False, retry_failed: bool = False
) -> JudgedRun:
    """Score a run with a judge; answers that it has scored already are not scored again.

    Args:
        folder: The run folder.
        name: `calibrated`, the path of a calibrated judge's .json file, or see `judge_spec`.
        profile: The profile whose judge is used, or whose settings another model takes.
        rubric: Whether the judge is asked about the conditions of each question's rubric.
        retry_failed: Whether answers that this judge failed at are asked again.

    Raises:
        ConfigError: the judge is unknown or cannot be loaded, or a formula is to read rubrics.
        DatasetError: the folder is no run, is damaged, or holds no answer, or none with a rubric.
        RunLockedError: another process holds the folder.
    """
    prepare = partial(_prepare_rubric if rubric else _prepare, name, profile)
    return _document(complete_pass(folder, prepare, "judging", retry_failed=retry_failed))


def _is_formula(name: str) -> bool:
    return name == CALIBRATED_OPTION or name.endswith(".json")


def _prepare_rubric(name: str, profile: Profile, run: RecordedRun) -> PreparedPass:
    if _is_formula(name):
        raise ConfigError(
            f"--rubric asks a model, and --judge {name} is a formula: name a model, or leave --judge out"
        )
    spec, size = judge_spec(name, profile), run.batch_size
    return PreparedPass(
        rubric_pass_spec(run, spec), lambda: RubricJudge(open_judge(profile, spec, size).models)
    )


def _prepare(name: str, profile: Profile, run: RecordedRun) -> PreparedPass:
    if _is_formula(name):
        scorer = open_calibrated(run, SHIPPED if name == CALIBRATED_OPTION else Path(name))
        return PreparedPass(calibrated_pass_spec(run, scorer), lambda: scorer)
    spec, size = judge_spec(name, profile), run.batch_size
    return PreparedPass(model_pass_spec(spec, size), lambda: open_judge(profile, spec, size))


def _document(completed: CompletedPass) -> JudgedRun:
    run, spec, scores = completed
    [metric] = spec.metrics
    scored = [record for record in run.answered if record["index"] in scores]
    values = [scores[record["index"]]["scores"].get(metric) for record in scored]
    cuts = [cut_by_judge(judge_steps(scores[record["index"]])) for record in scored]
    own_values = [record["metrics"].get(METRIC) for record in scored]
    return {
        "run": str(run.folder),
        "questions": run.questions,
        "judge": spec.label,
        "scores": completed.scores_path,
        "metric": metric,
        "this": summarise_pass(run, scores, metric),
        "own": summarise_own(run, scores, METRIC),
        "agreement": rank_correlation(values, own_values),
        "cut": sum(tokens > 0 for tokens in cuts),
        "cut_tokens": sum(cuts),
    }
