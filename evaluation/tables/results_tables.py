"""A run's results as people read them: metrics.json, summary.md, the tables on the terminal."""

import json
from pathlib import Path

from rich.table import Table

from evaluation.analysis.passage_quality import RetrievalQuality
from evaluation.analysis.run_results import Results
from evaluation.analysis.stage_gains import STAGE_METRICS, StageGain
from evaluation.calibration.known_judges import note_of
from evaluation.statistics.summaries import Summary
from evaluation.tables.layout import new_table
from evaluation.tables.numbers import mean_and_interval, number
from graph.support.storage import write_atomically

SHORT = {
    "edit_similarity": "edit",
    "semantic_similarity": "semantic",
    "LLM_judge": "judge",
    "calibrated_judge": "calibrated",
}
"""Names of metrics where a table has no room."""


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
        mean, interval = mean_and_interval(summary)
        lines.append(f"| {name} | {mean} | {interval} | {summary['n']} | {summary['unscored']} |")
    tokens = results["tokens"]
    lines += [
        *_retrieval_lines(results["retrieval"]),
        *_stage_lines(results["added"]),
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
        mean, interval = mean_and_interval(summary)
        lines.append(f"| {name} | {mean} | {interval} | {summary['n']} | {found['unscored']} |")
    return [*lines, "", outcomes_line(found)]


def _stage_lines(found: dict[str, StageGain]) -> list[str]:
    if not found:
        return []
    lines = [
        "",
        "| what each stage added | ran, changed | metric | mean | 95 % interval | n | unscored |",
    ]
    lines.append("|---|---|---|---|---|---|---|")
    for stage, each in found.items():
        for name, summary in each["metrics"].items():
            mean, interval = mean_and_interval(summary, "+")
            lines.append(
                f"| {stage} | {each['ran']}, {each['changed']} | {name} | {mean} | {interval} "
                f"| {summary['n']} | {summary['unscored']} |"
            )
    return lines


def stages_table(found: dict[str, StageGain]) -> Table:
    """Return what each stage added where it ran, for the terminal."""
    table = new_table()
    table.add_column("stage\nran, changed")
    for name in STAGE_METRICS:
        table.add_column(f"{SHORT.get(name, name)}\n95 %", justify="right", no_wrap=True)
    for stage, each in found.items():
        cells = [_gain(each["metrics"][name]) for name in STAGE_METRICS]
        table.add_row(f"{stage}\n{each['ran']}, {each['changed']}", *cells)
    return table


def _gain(summary: Summary) -> str:
    if summary["mean"] is None:
        return f"none\n{summary['unscored']} unscored"
    ends = summary["ci95"]
    interval = "none" if ends is None else " to ".join(number(end, "+") for end in ends)
    unscored = f"\n{summary['unscored']} unscored" if summary["unscored"] else ""
    return f"{number(summary['mean'], '+')}\n{interval}{unscored}"


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


def notes(results: Results) -> list[str]:
    """Return what a reader should know before believing the table."""
    found = []
    if results["failed"]:
        found.append(f"{results['failed']} questions failed: no metric counts them.")
    found += [
        note_of(each)
        for each in results["calibration"]
        if each["metric"] in results["metrics"] and results["metrics"][each["metric"]]["n"]
    ]
    mass = results["judge_mass"]["mean"]
    if mass is not None and mass < 0.5:
        found.append(
            f"The judge put only {mass:.0%} of its probability on the grades 0 to 4: it did not "
            "follow its instruction well, so do not rank systems by its score."
        )
    if flaws := results["critique_flaws"]:
        total = sum(results["critique_formats"].values())
        said = ", ".join(f"{count} {flaw}" for flaw, count in flaws.items())
        found.append(f"Of {total} critiques: {said} (one can have several of these flaws).")
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


def results_table(results: Results) -> Table:
    """Return the table for the terminal."""
    table = Table()
    table.add_column("metric")
    for name in ("mean", "95 % interval", "n", "unscored"):
        table.add_column(name, justify="right")
    for name, summary in results["metrics"].items():
        table.add_row(
            name, *mean_and_interval(summary), str(summary["n"]), str(summary["unscored"])
        )
    if found := results["retrieval"]:
        table.add_section()
        for name, summary in retrieval_rows(found):
            table.add_row(
                name, *mean_and_interval(summary), str(summary["n"]), str(found["unscored"])
            )
    return table
