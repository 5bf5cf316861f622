"""Hold metrics and judges against people's grades, and fit a calibrated judge.

The tables go to stdout; with --json one JSON document and nothing else does.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from evaluation.answering.flags import add_models, positive
from evaluation.answering.run_identity import model_identity
from evaluation.calibration.calibration_document import (
    Document,
    ceilings_of,
    entries,
    grades_of,
    judge_of,
    notes_of,
    provenance,
    signals_of,
)
from evaluation.calibration.fitting import check_fit, fit_judge
from evaluation.calibration.grades import Graded, load_grades
from evaluation.calibration.known_judges import KNOWN, remember
from evaluation.calibration.score_agreement import GradedRows
from evaluation.calibration.signals import JudgeVerdicts, SignalScores, cheap_signals, judge_rows
from evaluation.metrics.calibrated_judge import (
    CALIBRATED_OPTION,
    SHIPPED,
    CalibratedJudge,
    formula_scores,
    load_judge,
    save_judge,
)
from evaluation.tables import calibration_tables as table
from graph.config import load_settings
from graph.models import open_models
from graph.models.reply_cache import default_cache
from graph.retrieval.encoder import open_encoder
from graph.schema import Profile, Settings
from graph.support import terminal
from graph.support.errors import ConfigError
from graph.support.terminal import Interrupted, log

_ERRORS_SHOWN = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--grades",
        type=Path,
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
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def _add_judge(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--no-judge", action="store_true", help="ask no model: metrics alone")
    parser.add_argument("--no-cache", action="store_true", help="ask the judge again all it said")
    parser.add_argument(
        "--batch_size",
        "--batch-size",
        type=positive,
        default=8,
        metavar="N",
        help="answers that the judge reads side by side (default 8)",
    )
    parser.add_argument(
        "--limit-questions", type=positive, metavar="N", help="the first N questions alone"
    )


def _add_calibrated(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--calibrated",
        type=Path,
        default=SHIPPED,
        metavar="FILE",
        help="the calibrated judge to measure (default: the one that comes with the project)",
    )
    parser.add_argument(
        "--fit",
        type=Path,
        metavar="FILE",
        help="fit a calibrated judge on these grades, measure that one and write it",
    )
    parser.add_argument(
        "--record",
        action="store_true",
        help="keep the figures of the judge (with --fit of the calibrated one) for reports",
    )


def run(arguments: argparse.Namespace) -> int:
    """Measure, fit where it is asked for, and print what was found."""
    settings = load_settings("baseline", arguments.profile, arguments.set)
    if arguments.profile == "auto":
        log.info("profile auto: %s", settings.profile_name)
    rows = _limited(load_grades(arguments.grades), arguments.limit_questions)
    _check(arguments, rows)
    given = None if arguments.fit else load_judge(arguments.calibrated).calibrated
    seen = _score(rows, settings.profile, arguments, given)
    found = _document(rows, seen, settings, arguments)
    if arguments.fit:
        save_judge(arguments.fit, seen.calibrated, provenance(found, settings.profile))
        log.info("the calibrated judge is in %s", arguments.fit)
    if arguments.record:
        for entry in entries(found, fitted=arguments.fit is not None):
            remember(KNOWN, entry)
            log.info("kept for reports: %s", KNOWN)
    if arguments.json:
        terminal.print_json(found)
    else:
        _show(found)
    return 0


class _Seen(NamedTuple):
    scores: SignalScores
    judged: JudgeVerdicts | None
    calibrated: CalibratedJudge


def _limited(rows: list[Graded], limit: int | None) -> list[Graded]:
    taken = {*list(dict.fromkeys(row.question for row in rows))[:limit]}
    return [row for row in rows if row.question in taken]


def _check(arguments: argparse.Namespace, rows: Sequence[Graded]) -> None:
    """Refuse what would fail in the end, before minutes have gone into it."""
    if arguments.fit:
        check_fit(rows)
        if arguments.fit.suffix != ".json" or not arguments.fit.parent.is_dir():
            raise ConfigError(f"--fit {arguments.fit}: give a .json file in a folder that exists")
    elif arguments.record and arguments.no_judge:
        raise ConfigError("--record keeps the figures of a judge: drop --no-judge, or add --fit")


def _score(
    rows: Sequence[Graded],
    profile: Profile,
    arguments: argparse.Namespace,
    given: CalibratedJudge | None,
) -> _Seen:
    scores, judged = cheap_signals(open_encoder(profile.embedder), rows), None
    if not arguments.no_judge:
        size, kept = arguments.batch_size, None if arguments.no_cache else default_cache()
        judge = open_models(profile, batch_size=size, cache=kept).judge
        try:
            judged = judge_rows(judge.engine, rows, size)
        except Interrupted:
            log.warning("interrupted: what the judge said is kept, the same command goes on")
            raise
        for error in sorted(set(judged.errors))[:_ERRORS_SHOWN]:
            log.warning("the judge failed: %s", " ".join(error.split())[:300])
        scores |= judged.scores()
    signals = [
        {name: values[number] for name, values in scores.items()} for number in range(len(rows))
    ]
    calibrated = given or fit_judge(rows, signals)
    questions, answers = [row.question for row in rows], [row.candidate for row in rows]
    scores[CALIBRATED_OPTION] = formula_scores(calibrated, questions, answers, signals, blind=True)
    return _Seen(scores, judged, calibrated)


def _document(
    rows: Sequence[Graded], seen: _Seen, settings: Settings, arguments: argparse.Namespace
) -> Document:
    laid_out = GradedRows.of(rows)
    signals = signals_of(rows, seen.scores, laid_out)
    ceiling, without = ceilings_of(rows, laid_out)
    fields = model_identity(settings.profile.judge) if seen.judged else {}
    return {
        "grades": grades_of(arguments.grades, rows),
        "profile": settings.profile_name,
        "signals": signals,
        "human_ceiling": ceiling,
        "human_ceiling_without_copies": without,
        "judge": judge_of(fields, seen.judged, laid_out) if seen.judged else None,
        "calibrated": seen.calibrated.formula._asdict(),
        "notes": notes_of(rows, signals, ceiling, seen.scores),
    }


def _show(found: Document) -> None:
    console = terminal.console()

    def say(line: str) -> None:
        terminal.print_text(console, line)

    say(table.headline(found))
    console.print(table.agreement_table(found["signals"], found["human_ceiling"]))
    console.print(table.further_table(found["signals"], found["human_ceiling_without_copies"]))
    for line in table.judge_lines(found["judge"]) if found["judge"] else []:
        say(line)
    say(table.formula_line(found["calibrated"]))
    say(table.EXPLANATION)
    for note in found["notes"]:
        say(f"note: {note}")
