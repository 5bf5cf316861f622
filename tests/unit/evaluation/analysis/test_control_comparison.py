"""The table of several configs: what each costs, and what beats the control."""

import io

import pytest
from rich.console import Console

from evaluation.analysis.control_comparison import compare_with_control, verdict_lines
from evaluation.analysis.run_results import results_of
from evaluation.metrics.registry import METRIC_NAMES
from evaluation.statistics.paired_tests import holm
from evaluation.tables.grid_table import calls_line, grid_table
from graph.config import load_settings
from tests.fakes.fake_models import reply, verdict
from tests.fakes.records import failed
from tests.fakes.run_folders import make_run, scored

LOW = [0.1 + number / 1000 for number in range(20)]
HIGH = [value + 0.3 for value in LOW]


def spending(values, prompt_tokens):
    """Records that write one text each and are judged at a cost that is not theirs."""
    steps = [
        {"node": "generate", "replies": [reply("x", prompt_tokens=prompt_tokens, new_tokens=10)]},
        {"node": "rerank_drafts", "verdicts": [{**verdict({"A": 1.0}), "prompt_tokens": 100}]},
        {"node": "judge", "verdicts": [{**verdict({"4": 1.0}), "prompt_tokens": 9999}]},
    ]
    return scored(values, steps=steps)


@pytest.fixture
def folders(tmp_path):
    return {
        name: make_run(tmp_path / name, records, config=name)
        for name, records in {
            "baseline": spending(LOW, 50),
            "extract": spending(LOW, 0),
            "semantic": spending(HIGH, 500),
        }.items()
    }


def lines_of(folders):
    comparison = compare_with_control(folders)
    return verdict_lines(comparison.control, comparison.differences)


def test_everything_is_compared_with_extract(folders):
    comparison = compare_with_control(folders)
    assert comparison.control == "extract"
    assert {(row["a"], row["b"]) for row in comparison.differences} == {
        ("baseline", "extract"),
        ("semantic", "extract"),
    }
    expected = holm([row["p"] for row in comparison.differences])
    assert [row["p_holm"] for row in comparison.differences] == expected


@pytest.mark.parametrize(
    ("names", "control"),
    [(["semantic", "baseline"], "baseline"), (["semantic", "keyword"], "semantic")],
)
def test_without_extract_the_control_is_baseline_and_else_the_first(tmp_path, names, control):
    folders = {name: make_run(tmp_path / name, scored(LOW), config=name) for name in names}
    assert compare_with_control(folders).control == control


def test_what_does_not_beat_extract_is_said_not_to_be_worth_its_tokens(folders):
    better = ", ".join(METRIC_NAMES)
    assert lines_of(folders) == [
        "baseline against extract: not distinguishable; not shown to be worth its tokens.",
        f"semantic against extract: better in {better}.",
    ]


def test_what_is_worse_is_said_too(tmp_path):
    folders = {
        "extract": make_run(tmp_path / "a", scored(HIGH), config="extract"),
        "semantic": make_run(tmp_path / "b", scored(LOW), config="semantic"),
    }
    (line,) = lines_of(folders)
    assert line == (
        f"semantic against extract: worse in {', '.join(METRIC_NAMES)}; not shown to be worth its "
        "tokens."
    )


def test_tokens_are_those_of_the_answers_not_of_the_judge(folders):
    tokens = compare_with_control(folders).tokens
    assert tokens == {"baseline": 20 * 160, "extract": 20 * 110, "semantic": 20 * 610}


def test_the_table_has_means_intervals_failures_and_tokens_a_question():
    settings = load_settings("semantic", "embedded", [])
    results = results_of(settings, [*scored([0.2, 0.4, None]), failed(3)])
    # A terminal of 100 columns has room for six metrics.
    width = 16 + 14 * len(METRIC_NAMES)
    console = Console(width=width, file=io.StringIO())
    console.print(grid_table([results], {"semantic": 4000}))
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    assert "4, 1" in text
    assert ".300" in text
    assert "1 unscored" in text
    assert ".200-.400" in text
    assert "1,000" in text


def test_a_config_that_failed_altogether_has_an_empty_cell_for_a_judge_of_another():
    judged = [
        {**entry, "metrics": {**entry["metrics"], "calibrated_judge": 0.5}} for entry in scored(LOW)
    ]
    semantic, keyword = (load_settings(name, "embedded", []) for name in ("semantic", "keyword"))
    results = [results_of(semantic, judged), results_of(keyword, [failed(0)])]
    table = grid_table(results, {"semantic": 0, "keyword": 0})
    column = table.columns[1 + len(METRIC_NAMES)]
    assert [cell.split("\n")[0] for cell in column.cells] == [".500", "none"]


def test_calls_of_the_cache_are_counted_apart(tmp_path):
    steps = [{"node": "generate", "replies": [reply("x"), reply("y", cached=True)]}]
    folders = {
        "extract": make_run(tmp_path / "extract", scored(LOW), config="extract"),
        "semantic": make_run(tmp_path / "semantic", scored(LOW, steps=steps), config="semantic"),
    }
    line = calls_line(compare_with_control(folders))
    assert "semantic 20 fresh, 20 from the cache" in line


def test_a_long_name_is_broken_behind_an_underscore():
    settings = load_settings("semantic_cot_rerank_refined", "embedded", [])
    table = grid_table([results_of(settings, scored(LOW))], {"semantic_cot_rerank_refined": 0})
    [cell] = table.columns[0].cells
    assert cell == "semantic_cot_\nrerank_refined\n20, 0"
