"""Score finished runs with another judge: nothing is generated again, both scores stay.

Scores go to RUN/scores; the same command again goes on, or shows them. The table goes to stdout;
with --json one JSON document and nothing else does.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TypedDict

from rich.console import Console

from evaluation.answering.flags import add_models
from evaluation.metrics.calibrated_judge import CALIBRATED_OPTION as CALIBRATED
from evaluation.metrics.calibrated_judge import SHIPPED
from evaluation.rescoring.calibrated_pass import calibrated_plan, open_calibrated
from evaluation.rescoring.model_judge import METRIC, judge_spec, model_plan, open_judge
from evaluation.rescoring.pass_summary import Scored, own_summary, summary
from evaluation.rescoring.score_files import FOLDER, PassScore, PassSpec, ScoreFile
from evaluation.rescoring.score_pass import (
    PassScorer,
    batch_size_of,
    read_to_score,
    score_run,
    unscored,
)
from evaluation.statistics.agreement import Correlation, rank_correlation
from evaluation.store.recorded_run import RecordedRun, read_run
from evaluation.store.run_folder import locked
from evaluation.tables.rescoring_table import reason_lines, scores_table
from graph.config import load_settings
from graph.schema import Profile
from graph.support import terminal
from graph.support.terminal import log


class JudgedRun(TypedDict):
    """What came of one run."""

    run: str
    questions: int
    judge: str
    scores: str
    """Where they are."""
    metric: str
    this: Scored
    own: Scored
    """Of the run's own judge, on the questions that this one scored."""
    agreement: Correlation


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="run folders")
    parser.add_argument(
        "--judge",
        default="model",
        metavar="NAME",
        help="model: the profile's judge (default); calibrated: a formula of metrics, fitted on "
        "people's grades, that asks no model; FILE.json: such a formula of your own; or the name or "
        "folder of a model",
    )
    add_models(parser, whose="which models", example="judge.window=2048")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(arguments: argparse.Namespace) -> int:
    """Score the runs, and print both judges' means and how they agree."""
    profile = load_settings("baseline", arguments.profile, arguments.set).profile
    found = [_judged(folder, arguments.judge, profile) for folder in arguments.runs]
    if arguments.json:
        terminal.print_json(found)
        return 0
    console = terminal.console()
    for each in found:
        _show(console, each)
    return 0


def _judged(folder: Path, name: str, profile: Profile) -> JudgedRun:
    read_to_score(folder)
    with locked(folder):
        # Read again: what was there before the lock may have grown.
        found = read_run(folder)
        plan, open_scorer = _judge(name, profile, found)
        file = ScoreFile(folder, plan)
        try:
            if unscored(found, file):
                score_run(found, file, open_scorer(), batch_size_of(found), f"judging {folder}")
            else:
                log.info("%s is scored by %s already: showing it", folder, plan.label)
        finally:
            file.close()
    return _document(found, plan, file.scores)


def _document(found: RecordedRun, plan: PassSpec, scores: dict[int, PassScore]) -> JudgedRun:
    [metric] = plan.metrics
    sound = [record for record in found.answered if record["index"] in scores]
    ours = [scores[record["index"]]["scores"].get(metric) for record in sound]
    return {
        "run": str(found.folder),
        "questions": found.questions,
        "judge": plan.label,
        "scores": f"{FOLDER}/{plan.name}.jsonl",
        "metric": metric,
        "this": summary(found, scores, metric),
        "own": own_summary(found, scores, METRIC),
        "agreement": rank_correlation(ours, [record["metrics"].get(METRIC) for record in sound]),
    }


def _judge(
    name: str, profile: Profile, found: RecordedRun
) -> tuple[PassSpec, Callable[[], PassScorer]]:
    """Return what scores, and how to open it: weights load only where something is unscored."""
    if name == CALIBRATED or name.endswith(".json"):
        made = open_calibrated(found, SHIPPED if name == CALIBRATED else Path(name))
        return calibrated_plan(found, made), lambda: made
    spec, size = judge_spec(name, profile), batch_size_of(found)
    return model_plan(spec, size), lambda: open_judge(profile, spec, size)


def _show(console: Console, each: JudgedRun) -> None:
    headline = (
        f"{each['run']}: {each['this']['n']} of {each['questions']} questions scored by "
        f"{each['judge']}, {each['this']['failed']} failed"
    )
    rows = [
        (each["metric"], f"{each['judge']} (this judge)", each["this"]),
        (METRIC, "the run's own judge, on the same questions", each["own"]),
    ]
    terminal.print_text(console, headline, wrap=False)
    console.print(scores_table(rows))
    for line in [*reason_lines(rows), agreement_line(each["agreement"])]:
        terminal.print_text(console, line)
    terminal.print_text(console, f"scores: {each['run']}/{each['scores']}", wrap=False)


def agreement_line(found: Correlation) -> str:
    """Return how two judges rank the same answers, in a sentence."""
    if found["spearman"] is None:
        return f"Agreement of the two judges: none to give, {found['why_none']}."
    ends = found["ci95"]
    interval = "no interval" if ends is None else f"95 % {ends[0]:+.2f} to {ends[1]:+.2f}"
    return (
        f"Agreement of the two judges: Spearman {found['spearman']:+.2f} ({interval}) over "
        f"{found['n']} answers that both scored."
    )
