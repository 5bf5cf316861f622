"""Flipped bits in each store: refused, repaired, asked again or harmless, and never a wrong result."""

import json
import shutil
import sys
from functools import cache

from graph.models.batch_cache import BatchCache
from graph.models.budget import FittedPrompt
from graph.models.reply_cache import ReplyCache
from graph.schema import ModelSpec
from nodes.model import Reply, Verdict
from tests.fakes.fake_models import reply, verdict
from tests.fakes.processes import in_child
from tests.fakes.weightless_models import weightless_model
from tests.faults import commands
from tests.faults.harness import Case, Kind, Outcome, detail_of, faults_of
from tests.faults.runs import (
    CONFIGS,
    QUESTIONS,
    copy_of_run,
    data,
    differences,
    evaluate,
    flip_bit,
    undisturbed,
)

_RETRIEVES = CONFIGS[1]


def _check_journal(case: Case) -> Outcome:
    """Flip a bit of the journal of a finished or an interrupted run, and run the command again."""
    config = CONFIGS[case.number % len(CONFIGS)]
    records = QUESTIONS if case.random.randrange(2) else case.random.randrange(1, QUESTIONS)
    run = copy_of_run(case, config, records=records)
    place = flip_bit(run / "journal.jsonl", case.random)
    return _continued(case, config, place)


def _check_manifest(case: Case) -> Outcome:
    """Flip a bit of the manifest of a run that goes on, or of the index that it searches."""
    run = copy_of_run(case, _RETRIEVES, records=case.random.randrange(1, QUESTIONS))
    (index,) = (case.folder / "cache" / "indexes").iterdir()
    folder = (run, index)[case.number % 2]
    place = flip_bit(folder / "manifest.json", case.random)
    return _continued(case, _RETRIEVES, place)


def _check_index(case: Case) -> Outcome:
    """Flip a bit of a file of an index, and go on with a run that searches it."""
    copy_of_run(case, _RETRIEVES, records=2)
    (index,) = (case.folder / "cache" / "indexes").iterdir()
    files = [
        path
        for path in sorted(index.iterdir())
        if path.name != "manifest.json" and path.stat().st_size
    ]
    place = flip_bit(case.random.choice(files), case.random)
    return _continued(case, _RETRIEVES, place)


def _continued(case: Case, config: str, place: str) -> Outcome:
    ended = evaluate(case, config)
    if faults := faults_of(ended, [0, 2]):
        return Outcome("", faults, f"{place}; {detail_of(ended)}")
    if ended.code == 2:
        return Outcome("refused")
    faults, detail = differences(case, config, ended)
    finished = "this run is finished" in ended.err
    return Outcome("unchanged" if finished else "resumed", faults, f"{place}; {detail}")


PROMPTS = [f"question {number}: why does step {number} fail?" for number in range(24)]


def _ask(cache_of_replies: ReplyCache, ran: list[int]) -> list[object]:
    """Ask for all replies and verdicts in batches of four; note the batches that had to run."""
    loaded = weightless_model(ModelSpec(model="some/model", revision="c0ffee"))
    outcomes: list[object] = []
    for start in range(0, len(PROMPTS), 4):
        texts = PROMPTS[start : start + 4]
        rows = [FittedPrompt(text, tokens=len(text), cut_tokens=0) for text in texts]

        def write(texts=texts, start=start):
            ran.append(start)
            return [reply(f"because of {text}", prompt=text, seconds=0.0) for text in texts]

        def choose(texts=texts, start=start):
            ran.append(start)
            shares = {"A": 1 / (start + 2), "B": 1 - 1 / (start + 2)}
            return [verdict(shares) for _ in texts]

        batches = BatchCache(cache_of_replies)
        outcomes += batches.read_or_run(loaded, {"max_new_tokens": 9}, rows, write, Reply)
        outcomes += batches.read_or_run(loaded, {"options": ["A", "B"]}, rows, choose, Verdict)
    return [_without_cost(outcome) for outcome in outcomes]


def _without_cost(outcome: object) -> object:
    costs = ("prompt", "prompt_tokens", "cut_tokens", "seconds", "cached")
    return {name: value for name, value in outcome.items() if name not in costs}


@cache
def _filled_cache() -> list[object]:
    """Fill the cache that cases copy; return what it holds."""
    return _ask(ReplyCache(data() / "replies.sqlite"), [])


def _check_cache(case: Case) -> Outcome:
    """Flip a bit of the cache of replies, and ask for all of them."""
    path = case.folder / "replies.sqlite"
    shutil.copyfile(data() / "replies.sqlite", path)
    place = flip_bit(path, case.random)
    ran: list[int] = []

    def ask() -> None:
        commands.arm_limit(case)
        replies = _ask(ReplyCache(path), ran)
        sys.stdout.write(json.dumps([replies, len(ran)]))

    ended = in_child(ask)
    if ended.code or "Traceback" in ended.err:
        return Outcome("", faults_of(ended, [0]) or ("traceback",), f"{place}; {detail_of(ended)}")
    replies, count = json.loads(ended.out)
    if replies != _filled_cache():
        return Outcome("", ("wrong",), f"{place}: a wrong reply was served")
    return Outcome("resumed" if count else "unchanged")


def _prepare() -> None:
    for config in CONFIGS:
        undisturbed(config)


KINDS = [
    Kind("bits of a journal", 1_000, 40, _check_journal, _prepare),
    Kind("bits of an index", 1_000, 40, _check_index, _prepare),
    Kind("bits of a manifest", 1_000, 40, _check_manifest, _prepare),
    Kind("bits of a cache of replies", 1_000, 100, _check_cache, _filled_cache),
]
