"""Score finished runs with another judge, without generating answers again; both scores are kept.

The scores go to RUN/scores. The same command scores what is still unscored, or only shows the
scores. The table goes to stdout; with --json, one JSON document goes there instead.
"""

import argparse

from evaluation.commands.run_arguments import add_runs
from evaluation.rescoring.judge_pass import JudgedRun, judge_run
from evaluation.rescoring.model_judge import METRIC, judge_profile
from evaluation.tables.rescoring_table import agreement_line, reason_lines, scores_table
from evaluation.tables.results_tables import cut_notes
from graph.commands.settings_arguments import add_models
from graph.support import terminal
from graph.support.arguments import add_json, name_or_path
from graph.support.text import plural


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_runs(parser)
    parser.add_argument(
        "--judge",
        type=name_or_path,
        default="model",
        metavar="NAME",
        help="model: the profile's judge (default); calibrated: a formula of metrics, fitted on "
        "people's grades, that asks no model; FILE.json: another such formula; or the name or "
        "folder of a model",
    )
    parser.add_argument(
        "--rubric",
        action="store_true",
        help="score by the rubrics of the dataset (column satisfaction_conditions): the judge says yes or "
        "no to each condition, and the score is the mean probability of yes",
    )
    add_models(parser, whose="which models", example="judge.window=2048")
    parser.add_argument(
        "--retry-failed",
        action="store_true",
        help="ask the judge again about answers that it failed at before",
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Score the runs, and print both judges' means and how they agree."""
    profile = judge_profile(arguments.judge, arguments.profile, arguments.set)
    results = [
        judge_run(
            folder,
            arguments.judge,
            profile,
            rubric=arguments.rubric,
            retry_failed=arguments.retry_failed,
        )
        for folder in arguments.runs
    ]
    if arguments.json:
        terminal.print_json(results)
    else:
        for result in results:
            show(result)
    return 0


def show(result: JudgedRun) -> None:
    """Print the means of both judges over a run, and how they agree."""
    console = terminal.console()
    this, count = result["this"], result["questions"]
    headline = (
        f"{result['run']}: {this['n']} of {count} {plural(count, 'question')} scored by "
        f"{result['judge']}, {this['failed']} failed"
    )
    rows = [
        (result["metric"], f"{result['judge']} (this judge)", this),
        (METRIC, "the run's own judge, on the same questions", result["own"]),
    ]
    terminal.print_text(console, headline, wrap=False)
    console.print(scores_table(rows))
    judged = this["n"] + this["unscored"]
    cut = cut_notes(result["metric"], result["cut"], judged, result["cut_tokens"])
    for line in [*reason_lines(rows), *cut, agreement_line(result["agreement"])]:
        terminal.print_text(console, line)
    terminal.print_text(console, f"scores: {result['run']}/{result['scores']}", wrap=False)
