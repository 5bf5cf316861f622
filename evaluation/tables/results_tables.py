"""The results of a run for people: metrics.json, summary.md and the tables on the terminal."""

import json
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from rich.table import Table

from evaluation.analysis.passage_quality import RetrievalQuality
from evaluation.analysis.run_results import Results
from evaluation.analysis.stage_gains import StageGain
from evaluation.calibration.known_judges import note_of
from evaluation.metrics.registry import short_name
from evaluation.statistics.summaries import Summary, lacks_interval
from evaluation.tables.layout import FittingTable, add_number_columns, new_table
from evaluation.tables.numbers import (
    decimal,
    estimate_mark,
    reasons_text,
    signed,
    signed_decimal,
)
from evaluation.tables.summary_columns import SUMMARY_COLUMNS, narrow_cell, summary_cells
from graph.support.storage import write_atomically
from graph.support.text import plural

_LEAST_MASS = 0.5
"""Mean probability of all grades together below which a judge did not follow its instruction."""


def write_results(folder: Path, results: Results) -> None:
    """Write metrics.json and summary.md."""
    text = json.dumps(results, indent=1, allow_nan=False) + "\n"
    write_atomically(folder / "metrics.json", text)
    write_atomically(folder / "summary.md", _summary_markdown(results))


def headline(results: Results) -> str:
    """Return the line above the table of results."""
    return f"{results['config']}, profile {results['profile']}: {_counts_text(results)}"


def _counts_text(results: Results) -> str:
    count, empty = results["n"], results["empty_answers"]
    return (
        f"{count} {plural(count, 'question')}, {results['failed']} failed, "
        f"{empty} empty {plural(empty, 'answer')}"
    )


def results_table(results: Results) -> Table:
    """Return a row for each metric of the answers and of retrieval."""
    table = FittingTable()
    table.add_column("metric", no_wrap=True)
    add_number_columns(table, *SUMMARY_COLUMNS)
    for name, summary in results["metrics"].items():
        table.add_row(name, *summary_cells(summary))
    if retrieval := results["retrieval"]:
        table.add_section()
        for name, summary in retrieval_rows(retrieval):
            table.add_row(name, *summary_cells(summary))
    return table


def stages_table(gains: dict[str, StageGain]) -> Table:
    """Return a row for each stage: its mean gain in each metric, where it ran."""
    table = new_table()
    table.add_column("stage\nran, changed", no_wrap=True)
    names = next((list(gain["metrics"]) for gain in gains.values()), [])
    add_number_columns(table, *(f"{short_name(name)}\n95 %" for name in names))
    for stage, gain in gains.items():
        cells = [narrow_cell(gain["metrics"][name], signed) for name in names]
        table.add_row(f"{stage}\n{gain['ran']}, {gain['changed']}", *cells)
    return table


def retrieval_rows(retrieval: RetrievalQuality) -> list[tuple[str, Summary]]:
    """Return the name and the summary of each measure of retrieval.

    Questions that name no relevant post, or one that the corpus lacks, are unscored in each.
    """
    measures = {
        "hit rate": retrieval["hit_rate"],
        "recall of the passages": retrieval["recall"],
        "MRR": retrieval["MRR"],
    }
    return [
        (name, {**summary, "unscored": retrieval["unscored"]}) for name, summary in measures.items()
    ]


def outcomes_line(retrieval: RetrievalQuality) -> str:
    """Return a sentence with the number of questions, and the ROUGE-1, of each outcome."""
    count = retrieval["n"]
    if not count:
        return "No question names relevant posts that are all in the corpus."
    parts = []
    for name, group in retrieval["outcomes"].items():
        mean = group["metrics"]["ROUGE-1"]["mean"]
        score = "" if mean is None else f" (ROUGE-1 {decimal(mean)})"
        parts.append(f"{name} {group['n']}{score}")
    return (
        f"Of {count} {plural(count, 'question')} whose relevant posts are all in the corpus: "
        + "; ".join(parts)
        + "."
    )


def notes(results: Results) -> list[str]:
    """Return the facts that a reader of the table needs to know."""
    return [
        *_failure_notes(results),
        *_closed_book_notes(results),
        *_withheld_notes(results),
        *_interval_notes(results),
        *_retrieval_notes(results),
        *_unscored_notes(results),
        *_length_notes(results),
        *_judge_notes(results),
        *_criteria_notes(results),
        *_refinement_notes(results),
        *_memory_notes(results),
        *_token_notes(results),
    ]


def _token_notes(results: Results) -> list[str]:
    estimated = results["tokens"]["estimated"]
    if not estimated:
        return []
    return [
        f"Numbers of tokens marked ~ are estimates: the model reported no counts for {estimated} of "
        f"its calls, so that {plural(estimated, 'its', 'their')} tokens were estimated from the length of the texts."
    ]


def _failure_notes(results: Results) -> list[str]:
    failed = results["failed"]
    if not failed:
        return []
    words = plural(
        failed, "question failed: no metric counts it", "questions failed: no metric counts them"
    )
    return [f"{failed} {words}."]


def _closed_book_notes(results: Results) -> list[str]:
    if "closed_book" not in results:
        return []
    answered = results["n"] - results["failed"]
    return [
        f"At {results['closed_book']} of {answered} {plural(answered, 'question')} the passages were too weak "
        "(generation.closed_book_below): their prompts showed none."
    ]


def _withheld_notes(results: Results) -> list[str]:
    count, answered = results.get("withheld"), results["n"] - results["failed"]
    if not count:
        return []
    words = plural(count, "answer was", "answers were")
    return [
        f"{count} of {answered} {words} withheld (answer.abstain), and unscored in every metric: the means "
        "are those of the other questions, so compare runs on shared questions only."
    ]


def _interval_notes(results: Results) -> list[str]:
    """Return a note on the means whose values are all the same, so that they have no interval."""
    retrieval = results["retrieval"]
    measures = [*results["metrics"].items(), *(retrieval_rows(retrieval) if retrieval else ())]
    names = [name for name, summary in measures if lacks_interval(summary)]
    names += [
        f"gain of {stage} in {name}"
        for stage, gain in results["added"].items()
        for name, summary in gain["metrics"].items()
        if lacks_interval(summary)
    ]
    if not names:
        return []
    return [f"No interval, since all values are the same: {', '.join(names)}."]


def _retrieval_notes(results: Results) -> list[str]:
    if results["retrieval"] is None or not results["retrieval"]["not_in_corpus"]:
        return []
    count = results["retrieval"]["not_in_corpus"]
    return [
        f"{count} {plural(count, 'question names', 'questions name')} a relevant post that retrieval "
        "cannot return, since the corpus lacks it or it is left out as a leak: "
        f"{plural(count, 'its', 'their')} hit rate, recall and MRR are unscored."
    ]


def _unscored_notes(results: Results) -> list[str]:
    """Return a note on the references of signs alone, of which ROUGE finds no word."""
    metrics = results["metrics"]
    if not {"BLEU", "ROUGE-1"} <= metrics.keys():
        return []
    wordless = metrics["ROUGE-1"]["unscored"] - metrics["BLEU"]["unscored"]
    if wordless <= 0:
        return []
    words = plural(wordless, "reference has", "references have")
    return [f"ROUGE: {wordless} {words} no letters or digits: unscored."]


def _length_notes(results: Results) -> list[str]:
    """Return the notes on texts that the encoder or the judge could not read at once."""
    texts, answered = results["long_texts"], results["n"] - results["failed"]
    lines = []
    if texts["answers"] or texts["references"]:
        lines.append(
            f"semantic_similarity: {texts['answers']} of {answered} {plural(answered, 'answer')} and "
            f"{texts['references']} {plural(texts['references'], 'reference')} are longer than the "
            "encoder reads at once: they were read in parts."
        )
    return [*lines, *cut_notes("LLM_judge", texts["cut_for_judge"], answered, texts["cut_tokens"])]


def cut_notes(metric: str, cut: int, judged: int, tokens: int) -> list[str]:
    """Return a note if texts were cut to fit a judge's window.

    Args:
        metric: The judge's metric.
        cut: The answers that were judged without a part of them or of their references.
        judged: All answers that were judged.
        tokens: The tokens that were cut.
    """
    if not cut:
        return []
    return [
        f"{metric}: {cut} of {judged} {plural(judged, 'answer')} {plural(cut, 'was', 'were')} judged "
        f"without {tokens} {plural(tokens, 'token')} of "
        f"{plural(cut, 'it or of its reference', 'them or of their references')}, cut to fit the "
        "judge's window."
    ]


def _judge_notes(results: Results) -> list[str]:
    lines = [
        note_of(calibration)
        for calibration in results["calibration"]
        if calibration["metric"] in results["metrics"]
        and results["metrics"][calibration["metric"]]["n"]
    ]
    if errors := results["judge_errors"]:
        count = sum(errors.values())
        lines.append(
            f"LLM_judge: {count} {plural(count, 'answer is', 'answers are')} unscored, since the judge "
            f"failed ({reasons_text(errors)}); --retry-failed asks it again."
        )
    mass = results["judge_mass"]["mean"]
    if mass is not None and mass < _LEAST_MASS:
        lines.append(
            f"The judge put only {mass:.0%} of its probability on the grades 0 to 4: it did not "
            "follow its instruction well, so do not rank systems by its score."
        )
    return lines


def _criteria_notes(results: Results) -> list[str]:
    reasons = results.get("criteria_unscored")
    if not reasons:
        return []
    count = sum(reasons.values())
    return [
        f"criteria: {count} {plural(count, 'answer is', 'answers are')} unscored "
        f"({reasons_text(reasons)})."
    ]


def _refinement_notes(results: Results) -> list[str]:
    lines = []
    if flaws := results["critique_flaws"]:
        total = sum(results["critique_formats"].values())
        counts = ", ".join(f"{count} {flaw}" for flaw, count in flaws.items())
        lines.append(
            f"Of {total} {plural(total, 'critique')}: {counts} (one can have several of these flaws)."
        )
    if refinements := results["refinements"]:
        total, accepted = sum(refinements.values()), refinements["accepted"]
        unreadable = refinements["unreadable"]
        lines.append(
            f"{accepted} of {total} {plural(total, 'refinement')} {plural(accepted, 'was', 'were')} "
            f"preferred in both orders and kept; {unreadable} {plural(unreadable, 'verdict')} could "
            "not be read: the answer before it stayed."
        )
    return lines


def _memory_notes(results: Results) -> list[str]:
    count = results["halved_replies"]
    if not count:
        return []
    words = plural(count, "reply came from a batch that was", "replies came from batches that were")
    return [
        f"{count} {words} halved for lack of memory; in 16-bit arithmetic this can change texts."
    ]


def _summary_markdown(results: Results) -> str:
    tokens = results["tokens"]
    mark = estimate_mark(tokens["estimated"])
    read_before = f" ({tokens['cached']} of them read before)" if tokens["cached"] else ""
    lines = [
        f"# {results['config']} with profile {results['profile']}",
        "",
        f"{_counts_text(results)}.",
        "",
        *_markdown_table(
            ("metric", *SUMMARY_COLUMNS),
            ((name, *summary_cells(summary)) for name, summary in results["metrics"].items()),
        ),
        *_retrieval_markdown(results["retrieval"]),
        *_stages_markdown(results["added"]),
        "",
        f"Tokens: {mark}{tokens['prompt']} in prompts{read_before}, {mark}{tokens['new']} generated, "
        f"{mark}{tokens['cut']} of "
        "passages and drafts cut to fit the window.",
        "",
        # An error of a judge in a note is text from outside.
        *(f"- {escape(note, quote=False)}" for note in notes(results)),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _retrieval_markdown(retrieval: RetrievalQuality | None) -> list[str]:
    if retrieval is None:
        return []
    rows = ((name, *summary_cells(summary)) for name, summary in retrieval_rows(retrieval))
    table = _markdown_table(("retrieval", *SUMMARY_COLUMNS), rows)
    return ["", *table, "", outcomes_line(retrieval)]


def _stages_markdown(gains: dict[str, StageGain]) -> list[str]:
    if not gains:
        return []
    rows = (
        (stage, f"{gain['ran']}, {gain['changed']}", name, *summary_cells(summary, signed_decimal))
        for stage, gain in gains.items()
        for name, summary in gain["metrics"].items()
    )
    headings = ("what each stage added", "ran, changed", "metric", *SUMMARY_COLUMNS)
    return ["", *_markdown_table(headings, rows)]


def _markdown_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(cells)} |" for cells in (headings, *rows)]
    lines.insert(1, f"|{'---|' * len(headings)}")
    return lines
