"""Results follow from the records alone, say what they rest on, and are strict JSON."""

import io
import json
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from evaluation.analysis.costs import cost_of
from evaluation.analysis.run_results import results_of
from evaluation.answering.loop import Session
from evaluation.answering.model_calls import Calls, count_calls, tokens_of
from evaluation.answering.run_job import write_timings
from evaluation.metrics.registry import METRIC_NAMES
from evaluation.statistics.summaries import summarise
from evaluation.tables.grid_table import grid_table
from evaluation.tables.results_tables import headline, notes, results_table, write_results
from graph.config import load_settings
from tests.fakes.fake_models import reply, verdict
from tests.fakes.json_files import strict_json
from tests.fakes.properties import examples
from tests.fakes.records import failed, record

SETTINGS = load_settings("baseline", "embedded", [])


def of(*records):
    return results_of(SETTINGS, records)


def test_the_mean_of_each_metric_is_over_what_was_scored():
    results = of(record(1), record(2), record(6))
    assert results["n"] == 3
    assert list(results["metrics"]) == list(METRIC_NAMES)
    for summary in results["metrics"].values():
        assert summary["mean"] == pytest.approx(0.3)
        assert (summary["n"], summary["unscored"]) == (3, 0)
        assert summary == summarise([0.1, 0.2, 0.6])


def test_the_questions_with_weak_passages_are_counted_in_a_note():
    settings = load_settings("semantic", "embedded", ["generation.closed_book_below=0.4"])
    rows = [record(1), record(2), failed(3)]
    for row, is_weak in zip(rows, (True, False), strict=False):
        row["steps"] = [{"node": "assess_passages", "closed_book": is_weak}, *row["steps"]]
    results = results_of(settings, rows)
    assert results["closed_book"] == 1
    [note] = [line for line in notes(results) if "closed_book_below" in line]
    assert note.startswith("At 1 of 2 questions the passages were too weak")
    assert "closed_book" not in of(record(1))


def test_a_failed_question_is_counted_and_in_no_mean():
    results = of(record(1), failed(2), record(3))
    assert (results["n"], results["failed"]) == (3, 1)
    assert results["metrics"]["BLEU"] == summarise([0.1, 0.3])
    assert notes(results) == ["1 question failed: no metric counts it."]


def summary_row(markdown, metric):
    """Return the cells right of a metric's name in summary.md."""
    [line] = [line for line in markdown.split("\n") if line.startswith(f"| {metric} |")]
    return [cell.strip() for cell in line.strip("| ").split("|")][1:]


def test_an_unscored_metric_is_counted_and_is_not_zero():
    results = of(
        record(1), record(2, metrics={**dict.fromkeys(METRIC_NAMES, 0.2), "LLM_judge": None})
    )
    judge = results["metrics"]["LLM_judge"]
    assert (judge["mean"], judge["n"], judge["unscored"]) == (0.1, 1, 1)
    assert results["metrics"]["BLEU"]["unscored"] == 0


def test_an_empty_answer_is_an_answer_and_is_counted():
    zero = dict.fromkeys(METRIC_NAMES, 0.0)
    results = of(record(1), record(2, answer="", metrics=zero), failed(3))
    assert (results["empty_answers"], results["failed"]) == (1, 1)
    assert results["metrics"]["BLEU"]["mean"] == pytest.approx(0.05)


def test_tokens_of_all_steps_add_up():
    step = {
        "node": "generate",
        "replies": [reply("a", prompt_tokens=10, new_tokens=4, cut_tokens=2), reply("b")],
        "verdicts": [{**verdict({"A": 1.0}), "cached_tokens": 4}, verdict(None, None)],
    }
    assert tokens_of([record(0, steps=[step]), failed(1)]) == {
        "prompt": 10 + 7 + 5 + 5,
        "cached": 4,
        "new": 4 + 3,
        "cut": 2,
        "estimated": 0,
    }


def test_the_summary_tells_how_many_prompt_tokens_were_read_before(tmp_path):
    for cached, text in (
        (None, "14 in prompts, 6"),
        (5, "14 in prompts (5 of them read before), 6"),
    ):
        fields = {} if cached is None else {"cached_tokens": cached}
        step = {"node": "generate", "replies": [reply("a", **fields), reply("b")]}
        write_results(tmp_path, of(record(0, steps=[step])))
        assert f"Tokens: {text} generated" in (tmp_path / "summary.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("estimated", [0, 1, 2])
def test_numbers_of_tokens_that_were_estimated_are_marked(estimated, tmp_path):
    calls = [reply("a", tokens_estimated=number < estimated) for number in range(2)]
    records = [record(0, steps=[{"node": "generate", "replies": calls}])]
    results = of(*records)
    assert results["tokens"]["estimated"] == estimated
    assert count_calls(records).estimated == cost_of(records).estimated == estimated
    write_results(tmp_path, results)
    summary = (tmp_path / "summary.md").read_text(encoding="utf-8")
    mark = "~" if estimated else ""
    assert f"Tokens: {mark}14 in prompts, {mark}6 generated, {mark}0 of" in summary
    assert (f"no counts for {estimated} of its calls" in summary) == bool(estimated)
    console = Console(width=200, file=io.StringIO())
    console.print(grid_table([results], {results["config"]: 20}))
    assert ("~20" in console.file.getvalue()) == bool(estimated)


def test_the_mass_is_that_of_the_judge_alone():
    steps = [
        {"node": "rerank_drafts", "verdicts": [verdict({"A": 1.0}, mass=0.01)]},
        {"node": "judge", "verdicts": [verdict({"0": 1.0}, mass=0.4)]},
    ]
    error = {"node": "judge", "score": None, "error": "ValueError: no"}
    results = of(record(0, steps=steps), record(1, steps=[error]))
    mass = results["judge_mass"]
    assert (mass["mean"], mass["n"], mass["unscored"]) == (0.4, 1, 0)


def test_answers_that_the_judge_failed_at_are_counted_by_its_error(tmp_path):
    def failing(index, error):
        judged = {"node": "judge", "score": None, "error": error}
        return record(index, steps=[judged], metrics={**record(0)["metrics"], "LLM_judge": None})

    records = [
        *(record(0), failing(1, "BadRequestError: no\n credit"), failed(4)),
        *(failing(2, "BadRequestError: no\n credit"), failing(3, "PromptTooLongError: 9 tokens")),
    ]
    results = of(*records)
    assert results["judge_errors"] == {
        "BadRequestError: no credit": 2,
        "the question does not fit the window": 1,
    }
    assert results["metrics"]["LLM_judge"]["unscored"] == 3
    write_results(tmp_path, results)
    assert (
        "- LLM_judge: 3 answers are unscored, since the judge failed (BadRequestError: no credit: 2; "
        "the question does not fit the window: 1); --retry-failed asks it again."
    ) in (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert of(record(0))["judge_errors"] == {}
    write_results(tmp_path, of(failing(0, "ValueError: <script>\x1b[31m\ud800")))
    summary = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert "\x1b" not in summary
    assert "<script>" not in summary


def test_critique_formats_and_halved_replies_are_counted():
    def critique(form, **changes):
        flaws = ["unnumbered", "too many"] if form == "free" else []
        replies = [reply("x", **changes)]
        return {
            "node": "critique",
            "critique_format": form,
            "critique_flaws": flaws,
            "replies": replies,
        }

    results = of(
        record(0, steps=[critique("numbered"), critique("free", halvings=2)]),
        record(1, steps=[critique("free")]),
    )
    assert results["critique_formats"] == {"free": 2, "numbered": 1}
    assert results["halved_replies"] == 1
    assert results["critique_flaws"] == {"too many": 2, "unnumbered": 2}
    assert any(
        note.startswith("Of 3 critiques: 2 too many, 2 unnumbered") for note in notes(results)
    )
    assert any(
        note.startswith("1 reply came from a batch that was halved") for note in notes(results)
    )


@pytest.mark.parametrize(("mass", "noted"), [(0.49, True), (0.5, False), (0.99, False)])
def test_a_judge_that_did_not_understand_is_noted(mass, noted):
    step = {"node": "judge", "verdicts": [verdict({"0": 1.0}, mass=mass)]}
    lines = notes(of(record(0, steps=[step])))
    assert lines == (
        [
            "The judge put only 49% of its probability on the grades 0 to 4: it did not follow its "
            "instruction well, so do not rank systems by its score."
        ]
        if noted
        else []
    )


def test_a_sound_run_needs_no_note():
    assert notes(of(record(1), record(2))) == []


RECORDS = [record(n) for n in range(7)] + [failed(7), record(8, answer="")]


@cache
def golden():
    return json.dumps(of(*RECORDS))


@examples(30)
@given(order=st.permutations(RECORDS))
def test_the_order_of_the_journal_changes_nothing(order):
    assert json.dumps(of(*order)) == golden()


def test_the_written_file_is_strict_json(tmp_path):
    results = of(record(1), failed(2))
    write_results(tmp_path, results)
    text = (tmp_path / "metrics.json").read_text(encoding="utf-8")
    assert strict_json(text) == results
    assert text.endswith("}\n")
    keys = ["config", "profile", "n", "failed", "empty_answers", "metrics"]
    assert list(strict_json(text))[:6] == keys
    assert strict_json(text)["config"] == "baseline"
    assert strict_json(text)["profile"] == "embedded"


def test_a_number_that_json_has_not_is_never_written(tmp_path):
    results = of(record(1))
    results["metrics"]["BLEU"]["mean"] = float("nan")
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_results(tmp_path, results)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("records", [[], [failed(0)], [failed(0), failed(1)]])
def test_nothing_scored_is_none_and_no_zero(tmp_path, records):
    results = of(*records)
    write_results(tmp_path, results)
    assert (results["n"], results["failed"]) == (len(records), len(records))
    assert all(summary["mean"] is None for summary in results["metrics"].values())
    cells = summary_row((tmp_path / "summary.md").read_text("utf-8"), "BLEU")
    assert cells[:4] == ["none", "no interval", "0", "0"]


def test_the_summary_is_a_table_with_counts(tmp_path):
    write_results(tmp_path, of(record(2), record(2), failed(3)))
    lines = (tmp_path / "summary.md").read_text(encoding="utf-8").split("\n")
    assert lines[0] == "# baseline with profile embedded"
    assert lines[2] == "3 questions, 1 failed, 0 empty answers."
    assert lines[4].startswith("| metric | mean | 95 % interval | n | unscored |")
    assert summary_row("\n".join(lines), "BLEU")[:4] == ["0.200", "no interval", "2", "0"]
    assert "Tokens: 24 in prompts, 6 generated, 0 of passages" in lines[7 + len(METRIC_NAMES)]
    assert lines[-3:-1] == [
        "- 1 question failed: no metric counts it.",
        f"- No interval, since all values are the same: {', '.join(METRIC_NAMES)}.",
    ]


def test_the_headline_says_what_the_table_rests_on():
    zero = dict.fromkeys(METRIC_NAMES, 0.0)
    assert headline(of(record(2), record(3, answer="", metrics=zero), failed(4))) == (
        "baseline, profile embedded: 3 questions, 1 failed, 1 empty answer"
    )


def test_the_table_shows_mean_interval_and_counts():
    console = Console(file=io.StringIO(), width=100)
    console.print(results_table(of(record(2), record(3), failed(3))))
    row = next(line for line in console.file.getvalue().split("\n") if "ROUGE-L" in line)
    assert [cell.strip() for cell in row.strip("│ ").split("│")][:5] == [
        "ROUGE-L",
        "0.250",
        "0.200 to 0.300",
        "2",
        "0",
    ]


def test_timings_are_kept_apart_session_by_session(tmp_path):
    session = Session(4, 1, 0, seconds=2.0, calls=Calls(7, 3, 60))
    commits = {"generator": "c0ffee", "judge": None}
    write_timings(tmp_path, session, [record(0)], commits)
    write_timings(tmp_path, session._replace(questions=2), [record(0), record(1)], commits)
    timings = strict_json((tmp_path / "timings.json").read_text(encoding="utf-8"))
    assert timings["sessions"][0] == {
        "questions": 4,
        "recomputed": 1,
        "not_reproduced": 0,
        "seconds": 2.0,
        "calls": {"fresh": 7, "cached": 3, "new_tokens": 60, "estimated": 0},
        "commits": commits,
        "questions_per_second": 2.0,
        "new_tokens_per_second": 30.0,
    }
    assert [entry["questions"] for entry in timings["sessions"]] == [4, 2]
    assert timings["nodes"] == {
        "generate": {"mean_seconds": 0.5, "n": 2},
        "judge": {"mean_seconds": 0.25, "n": 2},
    }


def test_a_step_that_came_from_the_cache_is_in_no_mean_of_seconds(tmp_path):
    session = Session(2, 0, 0, 2.0, Calls(1, 1, 3))
    cached = {"node": "generate", "seconds": 0.0, "replies": [reply("x", cached=True)]}
    write_timings(tmp_path, session, [record(0), record(1, steps=[cached])], {})
    timings = strict_json((tmp_path / "timings.json").read_text(encoding="utf-8"))
    assert timings["nodes"]["generate"] == {"mean_seconds": 0.5, "n": 1}


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"sessions": 3}', "\x00"])
def test_damaged_timings_are_no_reason_to_stop(tmp_path, text):
    (tmp_path / "timings.json").write_text(text, encoding="utf-8")
    session = Session(1, 0, 0, 1.0, Calls(1, 0, 3))
    write_timings(tmp_path, session, [], {})
    timings = strict_json((tmp_path / "timings.json").read_text(encoding="utf-8"))
    assert len(timings["sessions"]) == 1
    assert timings["nodes"] == {}


def test_texts_that_were_not_read_at_once_are_counted_beside_their_metrics():
    cut = {"node": "judge", "verdicts": [{**verdict({"0": 1.0}, "0"), "cut_tokens": 70}]}
    results = of(
        record(1, encoder_parts={"answer": 2, "reference": 1}),
        record(2, encoder_parts={"answer": 3, "reference": 5}, steps=[cut]),
        record(3, encoder_parts=None),
        record(4, steps=[cut, cut]),
        failed(5),
    )
    assert results["long_texts"] == {
        "answers": 2,
        "references": 1,
        "cut_for_judge": 2,
        "cut_tokens": 210,
    }
    lines = notes(results)
    assert (
        "semantic_similarity: 2 of 4 answers and 1 reference are longer than the encoder reads at "
        "once: they were read in parts."
    ) in lines
    assert (
        "LLM_judge: 2 of 4 answers were judged without 210 tokens of them or of their references, cut "
        "to fit the judge's window."
    ) in lines


def test_texts_that_were_read_at_once_have_no_note():
    results = of(record(1), record(2), record(3))
    assert set(results["long_texts"].values()) == {0}
    assert notes(results) == []


def test_references_without_a_word_are_named():
    unscored = {**dict.fromkeys(METRIC_NAMES, 0.2), "ROUGE-1": None, "ROUGE-L": None}
    results = of(record(1), record(2), record(3, metrics=unscored))
    assert notes(results) == ["ROUGE: 1 reference has no letters or digits: unscored."]


def test_a_gain_that_is_the_same_everywhere_has_a_note():
    results = of(record(1), record(3))
    gain = {"ran": 2, "changed": 0, "metrics": {"BLEU": summarise([0.0, 0.0], bounded=False)}}
    results["added"] = {"refine": gain}
    assert notes(results) == ["No interval, since all values are the same: gain of refine in BLEU."]
