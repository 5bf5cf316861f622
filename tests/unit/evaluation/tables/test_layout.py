"""Tables on terminals of any width: no number and no name of a metric is shortened."""

import io

import pytest
from rich.console import Console

from evaluation.analysis.run_results import results_of
from evaluation.metrics.registry import METRIC_NAMES, STAGE_METRICS, short_name
from evaluation.statistics.summaries import summarise
from evaluation.tables.grid_table import grid_table
from evaluation.tables.layout import add_number_columns, new_table
from evaluation.tables.results_tables import results_table, stages_table
from graph.config import load_settings
from tests.fakes.records import record

RESULTS = results_of(load_settings("semantic", "embedded", []), [record(1), record(2), record(6)])
GAINS = {
    "refine": {
        "ran": 2,
        "changed": 1,
        "metrics": {m: summarise([0.1, 0.3, -0.1], bounded=False) for m in STAGE_METRICS},
    }
}


def printed(table, width):
    console = Console(file=io.StringIO(), width=width)
    console.print(table)
    lines = console.file.getvalue().split("\n")
    assert max(map(len, lines)) <= width
    return lines


@pytest.mark.parametrize("width", [40, 60, 80, 100, 160])
def test_no_cell_is_shortened_at_any_width(width):
    grid = grid_table([RESULTS, RESULTS], {"semantic": 1234})
    for table in (results_table(RESULTS), stages_table(GAINS), grid):
        assert "…" not in "".join(printed(table, width))


@pytest.mark.parametrize("width", [40, 60])
def test_a_metric_is_a_block_where_the_columns_do_not_fit(width):
    lines = printed(results_table(RESULTS), width)
    assert [line for line in lines if line and not line.startswith(" ")] == [*METRIC_NAMES]
    start = lines.index("ROUGE-1")
    assert lines[start : start + 6] == [
        "ROUGE-1",
        "  mean: 0.300",
        "  95 % interval: 0.100 to 0.600",
        "  n: 3",
        "  unscored: 0",
        "",
    ]


def test_cells_of_several_lines_stand_after_their_headings():
    lines = printed(stages_table(GAINS), 40)
    assert lines[:4] == [
        "refine",
        "  ran, changed: 2, 1",
        "  BLEU: +.100",
        "  95 %: -.100 to +.300",
    ]
    heads = [line.strip().partition(":")[0] for line in lines]
    assert {*map(short_name, STAGE_METRICS)} <= {*heads}
    [tokens] = [
        line for line in printed(grid_table([RESULTS], {"semantic": 1234}), 40) if "tok" in line
    ]
    assert tokens == "  tokens per question: 411"


def test_long_names_are_folded_before_a_table_becomes_blocks():
    table = new_table()
    table.add_column("name", overflow="fold")
    add_number_columns(table, "mean")
    table.add_row("a" * 50, ".284")
    assert any(".284" in line and "a" * 20 in line for line in printed(table, 40))
    assert printed(table, 16)[-3:] == ["  mean: .284", "", ""]
