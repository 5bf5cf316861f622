"""Compare metrics and judges with people's grades, and fit a calibrated judge.

The tables go to stdout; with --json, one JSON document is all that goes there.
"""

import argparse
from collections.abc import Sequence

from evaluation.answering.run_identity import model_identity
from evaluation.calibration.calibration_document import (
    CalibrationDocument,
    calibration_document,
    fit_provenance,
    measured_judges,
)
from evaluation.calibration.fitting import blind_scores, check_fit, fit_judge
from evaluation.calibration.grades import GradedAnswer, load_grades
from evaluation.calibration.known_judges import own_figures, read_known_judges, record_judge
from evaluation.calibration.signals import (
    JudgeVerdicts,
    cheap_signals,
    judge_answers,
    signals_by_answer,
)
from evaluation.metrics.calibrated_judge import CALIBRATED_OPTION, SHIPPED, load_judge, save_judge
from evaluation.tables import calibration_tables as tables
from graph.commands.settings_arguments import add_models
from graph.config import load_settings
from graph.models import open_models
from graph.models.reply_cache import default_cache
from graph.retrieval.encoder import open_encoder
from graph.schema import Profile
from graph.support import terminal
from graph.support.arguments import add_json, output_file, path, positive
from graph.support.errors import ConfigError
from graph.support.logger import log
from graph.support.terminal import Interrupted
from graph.support.text import one_line

_MAX_ERRORS = 3
"""Different errors of the judge that are logged."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--grades",
        type=path,
        required=True,
        metavar="PATH",
        help="graded answers: columns item_id, question, reference, candidate, human_mean, grades "
        "(a JSON object of grader and grade, 0 to 4)",
    )
    add_models(
        parser,
        whose="whose judge and encoder",
        example="judge.model=Qwen/Qwen1.5-7B-Chat",
    )
    _add_judge(parser)
    _add_calibrated(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Measure, fit a judge if asked to, and print the result."""
    settings = load_settings("baseline", arguments.profile, arguments.set)
    profile = settings.profile
    if arguments.profile == "auto":
        log.info("profile auto: %s", settings.profile_name)
    answers = load_grades(arguments.grades, arguments.limit_questions)
    # What can be refused is refused here: scoring takes minutes.
    _check(arguments, answers)
    calibrated = None if arguments.fit else load_judge(arguments.calibrated).calibrated
    scores = cheap_signals(open_encoder(profile.embedder), answers)
    verdicts = None if arguments.no_judge else _ask_judge(answers, profile, arguments)
    if verdicts:
        scores |= verdicts.scores()
    signals = signals_by_answer(scores, len(answers))
    calibrated = calibrated or fit_judge(answers, signals)
    scores[CALIBRATED_OPTION] = blind_scores(calibrated, answers, signals)
    document = calibration_document(
        arguments.grades,
        settings.profile_name,
        answers,
        scores,
        verdicts,
        model_identity(profile.judge) if verdicts else {},
        calibrated.formula,
    )
    if arguments.fit:
        save_judge(arguments.fit, calibrated, fit_provenance(document, profile.embedder))
        log.info("wrote the calibrated judge to %s", arguments.fit)
    if arguments.record:
        for judge in measured_judges(document, fitted=arguments.fit is not None):
            log.info("recorded for reports in %s", record_judge(judge))
    if arguments.json:
        terminal.print_json(document)
    else:
        _show(document)
    return 0


def _add_judge(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--no-judge", action="store_true", help="ask no model: metrics alone")
    parser.add_argument(
        "--no-cache", action="store_true", help="ask the judge again for every verdict"
    )
    parser.add_argument(
        "--batch_size",
        "--batch-size",
        type=positive,
        default=8,
        metavar="N",
        help="answers that the judge reads side by side (default 8)",
    )
    parser.add_argument(
        "--limit-questions",
        type=positive,
        metavar="N",
        help="use only the answers to the first N questions",
    )


def _add_calibrated(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--calibrated",
        type=path,
        default=SHIPPED,
        metavar="FILE",
        help="the calibrated judge to measure (default: the one that comes with the project)",
    )
    parser.add_argument(
        "--fit",
        type=output_file,
        metavar="FILE",
        help="fit a calibrated judge on these grades, measure that one and write it",
    )
    parser.add_argument(
        "--record",
        action="store_true",
        help="record the judge's figures (with --fit also the calibrated judge's) for reports, in "
        "known_judges.json of the cache folder",
    )


def _check(arguments: argparse.Namespace, answers: Sequence[GradedAnswer]) -> None:
    if arguments.record:
        # A damaged file is an error before the measurement, not after it.
        read_known_judges(own_figures())
    if arguments.fit:
        check_fit(answers)
        if arguments.fit.suffix != ".json" or not arguments.fit.parent.is_dir():
            raise ConfigError(f"--fit {arguments.fit}: give a .json file in a folder that exists")
    elif arguments.record and arguments.no_judge:
        raise ConfigError("--record records the figures of a judge: drop --no-judge, or add --fit")


def _ask_judge(
    answers: Sequence[GradedAnswer], profile: Profile, arguments: argparse.Namespace
) -> JudgeVerdicts:
    cache = None if arguments.no_cache else default_cache()
    judge = open_models(profile, batch_size=arguments.batch_size, cache=cache).judge
    try:
        verdicts = judge_answers(judge.engine, answers, arguments.batch_size)
    except Interrupted:
        log.warning("interrupted: the verdicts so far are cached; the same command goes on")
        raise
    if cache:
        cache.log_damaged()
    for error in sorted(set(verdicts.errors))[:_MAX_ERRORS]:
        log.warning("the judge failed: %s", one_line(error))
    return verdicts


def _show(document: CalibrationDocument) -> None:
    console = terminal.console()
    signals, judge = document["signals"], document["judge"]
    terminal.print_text(console, tables.headline(document))
    console.print(tables.agreement_table(signals, document["human_ceiling"]))
    console.print(tables.further_table(signals, document["human_ceiling_without_copies"]))
    for line in (
        *(tables.judge_lines(judge) if judge else ()),
        tables.formula_line(document["calibrated"]),
        tables.EXPLANATION,
        *(f"note: {note}" for note in document["notes"]),
    ):
        terminal.print_text(console, line)
