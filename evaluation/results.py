"""From a journal to metrics.json, summary.md and the table on the terminal."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict

from rich.table import Table

from evaluation.journal import Record
from evaluation.metrics import METRICS
from evaluation.retrieval_quality import RetrievalQuality, retrieval_quality
from evaluation.statistics import Summary, summarise
from graph.schema import Settings
from graph.storage import write_atomically
from nodes.state import Step


class Tokens(TypedDict):
    """Tokens of the whole run."""

    prompt: int
    new: int
    cut: int
    """Tokens of passages and drafts left out so that prompts fit the window."""


class Results(TypedDict):
    """The content of metrics.json: the same for an uninterrupted and a resumed run."""

    config: str
    profile: str
    n: int
    failed: int
    empty_answers: int
    metrics: dict[str, Summary]
    retrieval: RetrievalQuality | None
    """None where nothing is retrieved, or no question names relevant posts."""
    judge_mass: Summary
    """What the judge's grades got together before normalising: low means it did not understand."""
    critique_formats: dict[str, int]
    refinements: dict[str, int]
    """Where `refine.accept` is `preferred`: how many were kept, not kept, and not readable."""
    halved_replies: int
    tokens: Tokens
    seconds: dict[str, str]
    """Times differ from run to run: they stand in timings.json."""


def results_of(settings: Settings, records: Sequence[Record]) -> Results:
    """Compute a run's results from its records alone."""
    ordered = sorted(records, key=lambda record: record["index"])
    sound = [record for record in ordered if record["error"] is None]
    steps = [step for record in ordered for step in record["steps"]]
    return {
        "config": settings.config_name,
        "profile": settings.profile_name,
        "n": len(ordered),
        "failed": len(ordered) - len(sound),
        "empty_answers": sum(not record["answer"] for record in sound),
        "metrics": {
            name: summarise([record["metrics"][name] for record in sound]) for name in METRICS
        },
        "retrieval": (
            None if settings.config.retrieval.kind == "none" else retrieval_quality(sound)
        ),
        "judge_mass": summarise(
            [
                v["mass"]
                for step in steps
                if step["node"] == "judge"
                for v in step.get("verdicts", [])
            ]
        ),
        "critique_formats": _count(steps),
        "refinements": _refinements(steps),
        "halved_replies": sum(r["halvings"] > 0 for step in steps for r in step.get("replies", [])),
        "tokens": tokens_of(ordered),
        "seconds": {"file": "timings.json"},
    }


def _count(steps: Sequence[Step]) -> dict[str, int]:
    forms = [step["critique_format"] for step in steps if "critique_format" in step]
    return {form: forms.count(form) for form in sorted(set(forms))}


def _refinements(steps: Sequence[Step]) -> dict[str, int]:
    found = {"accepted": 0, "not preferred": 0, "unreadable": 0}
    accepting = [step for step in steps if step["node"] == "accept"]
    for step in accepting:
        unread = any(each["first_wins"] is None for each in step["preferences"])
        kept = "accepted" if step["chosen"] else "not preferred"
        found["unreadable" if unread else kept] += 1
    return found if accepting else {}


def tokens_of(records: Sequence[Record]) -> Tokens:
    """Add up the tokens of records: prompts of verdicts included."""
    steps = [step for record in records for step in record["steps"]]
    replies = [reply for step in steps for reply in step.get("replies", [])]
    verdicts = [verdict for step in steps for verdict in step.get("verdicts", [])]
    asked: list[Any] = [*replies, *verdicts]
    return {
        "prompt": sum(item["prompt_tokens"] for item in asked),
        "new": sum(reply["new_tokens"] for reply in replies),
        "cut": sum(item["cut_tokens"] for item in asked),
    }


def write_results(folder: Path, results: Results) -> None:
    """Write metrics.json and summary.md."""
    text = json.dumps(results, indent=1, allow_nan=False) + "\n"
    write_atomically(folder / "metrics.json", text)
    write_atomically(folder / "summary.md", _summary(results))


def _summary(results: Results) -> str:
    lines = [
        f"# {results['config']} with profile {results['profile']}",
        "",
        f"{results['n']} questions, {results['failed']} failed, "
        f"{results['empty_answers']} empty answers.",
        "",
        "| metric | mean | 95 % interval | n | unscored |",
        "|---|---|---|---|---|",
    ]
    for name, summary in results["metrics"].items():
        mean, interval = shown(summary)
        lines.append(f"| {name} | {mean} | {interval} | {summary['n']} | {summary['unscored']} |")
    tokens = results["tokens"]
    lines += [
        *_retrieval_lines(results["retrieval"]),
        "",
        f"Tokens: {tokens['prompt']} in prompts, {tokens['new']} generated, {tokens['cut']} of "
        "passages and drafts cut to fit the window.",
        "",
        *(f"- {note}" for note in notes(results)),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _retrieval_lines(found: RetrievalQuality | None) -> list[str]:
    if found is None:
        return []
    lines = ["", "| retrieval | mean | 95 % interval | n | unscored |", "|---|---|---|---|---|"]
    for name, summary in retrieval_rows(found):
        mean, interval = shown(summary)
        lines.append(f"| {name} | {mean} | {interval} | {summary['n']} | {found['unscored']} |")
    return [*lines, "", outcomes_line(found)]


def retrieval_rows(found: RetrievalQuality) -> list[tuple[str, Summary]]:
    """Return the rows of the retrieval table."""
    return [
        ("hit rate", found["hit_rate"]),
        ("recall of the passages", found["recall"]),
        ("MRR", found["MRR"]),
    ]


def outcomes_line(found: RetrievalQuality) -> str:
    """Return what became of relevant passages, and how well the answers then did."""
    parts = []
    for name, group in found["outcomes"].items():
        mean = group["metrics"]["ROUGE-1"]["mean"]
        scored = "" if mean is None else f" (ROUGE-1 {mean:.3f})"
        parts.append(f"{name} {group['n']}{scored}")
    return f"Of {found['n']} questions with known relevant posts: " + "; ".join(parts) + "."


def shown(summary: Summary) -> tuple[str, str]:
    """Return a mean and its interval as text."""
    mean = "none" if summary["mean"] is None else f"{summary['mean']:.3f}"
    ends = summary["ci95"]
    return mean, "none" if ends is None else f"{ends[0]:.3f} to {ends[1]:.3f}"


def notes(results: Results) -> list[str]:
    """Return what a reader should know before believing the table."""
    found = []
    if results["failed"]:
        found.append(f"{results['failed']} questions failed: no metric counts them.")
    mass = results["judge_mass"]["mean"]
    if mass is not None and mass < 0.5:
        found.append(
            f"The judge put only {mass:.0%} of its probability on the grades 0 to 4: it did not "
            "follow its instruction well, so do not rank systems by its score."
        )
    free = results["critique_formats"].get("free", 0)
    if free:
        total = sum(results["critique_formats"].values())
        found.append(f"{free} of {total} critiques were not numbered: read as free text.")
    if refinements := results["refinements"]:
        total = sum(refinements.values())
        found.append(
            f"{refinements['accepted']} of {total} refinements were preferred in both orders and "
            f"kept; {refinements['unreadable']} verdicts could not be read: the draft stayed."
        )
    if results["halved_replies"]:
        found.append(
            f"{results['halved_replies']} replies came from batches that were halved for lack of "
            "memory; in 16-bit arithmetic this can change texts."
        )
    return found


def headline(results: Results) -> str:
    """Return what the table is about."""
    return (
        f"{results['config']}, profile {results['profile']}: {results['n']} questions, "
        f"{results['failed']} failed, {results['empty_answers']} empty answers"
    )


def table_of(results: Results) -> Table:
    """Return the table for the terminal."""
    table = Table()
    table.add_column("metric")
    for name in ("mean", "95 % interval", "n", "unscored"):
        table.add_column(name, justify="right")
    for name, summary in results["metrics"].items():
        table.add_row(name, *shown(summary), str(summary["n"]), str(summary["unscored"]))
    if found := results["retrieval"]:
        table.add_section()
        for name, summary in retrieval_rows(found):
            table.add_row(name, *shown(summary), str(summary["n"]), str(found["unscored"]))
    return table
