"""Plots as files: whole without the page, in its colours, and readable where paint-order is unknown."""

import pytest
from lxml import etree

from evaluation.report.plot_files import mean_plot
from graph.drawing import to_png
from graph.support.errors import ConfigError, DatasetError
from tests.fakes.sample_runs import make_runs

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return make_runs(tmp_path_factory.mktemp("runs"), 3, ("extract", "baseline"))


def test_a_plot_is_a_file_that_needs_no_page(runs):
    text = mean_plot(runs, "ROUGE-1")
    svg = etree.fromstring(text)
    assert svg.tag == f"{SVG}svg"
    style = svg.findtext(f"{SVG}style")
    assert "svg .point.run-1 { stroke: #b35400; }" in style
    assert "var(" not in style
    labels = svg.xpath("//*[contains(concat(' ', @class, ' '), ' label ')]/text()")
    # Each text stands twice: its pale edge is below it.
    assert labels == ["A  extract", "A  extract", "B  baseline", "B  baseline"]
    assert to_png(text, width=400).startswith(b"\x89PNG")


def test_the_edge_of_a_text_is_below_it_and_not_over_it(runs):
    svg = etree.fromstring(mean_plot(runs, "ROUGE-1"))
    style = svg.findtext(f"{SVG}style")
    assert "paint-order" not in style
    (text_rule,) = (line for line in style.split("}") if line.strip().startswith("svg text"))
    assert "stroke" not in text_rule
    assert "svg .edge text { stroke: #ffffff; stroke-width: 3px;" in style
    edges = svg.xpath("//*[@class='edge']")
    assert all(edge.getnext().text == edge[0].text for edge in edges)
    assert len(edges) >= 5


def test_a_metric_that_no_run_has_is_one_line(runs):
    with pytest.raises(ConfigError, match="the runs have no metric 'ROUGE-2'; known: BLEU, "):
        mean_plot(runs, "ROUGE-2")


def test_a_folder_that_is_no_run_is_one_line(tmp_path):
    with pytest.raises(DatasetError):
        mean_plot([str(tmp_path)], "ROUGE-1")
