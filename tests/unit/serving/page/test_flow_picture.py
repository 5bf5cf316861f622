"""The picture of a config's graph: its nodes, its edges, and nothing outside its frame."""

import re

import pytest
from lxml import html

from graph.config import load_config
from graph.drawing import structure
from graph.opened_graphs import answering_config_names
from graph.schema import Config
from serving.page.flow_picture import flow_picture, flow_text


def parsed(config):
    return html.fragment_fromstring(str(flow_picture(config)))


@pytest.mark.parametrize("name", answering_config_names())
def test_every_node_and_edge_of_a_config_is_drawn_inside_the_frame(name):
    config = load_config(name)
    picture, graph = parsed(config), structure(config)
    assert picture.xpath("//g/@data-node") == list(graph.nodes)
    assert len(picture.xpath("//path[@class='edge']")) == len(graph.edges)
    _, _, width, height = map(float, picture.get("viewbox").split())
    numbers = [
        float(number)
        for path in picture.xpath("//path/@d")
        for number in re.findall(r"-?\d+(?:\.\d+)?", path)
    ]
    assert min(numbers) >= 0
    assert max(numbers) <= width
    boxes = picture.xpath("//rect")
    ends = [float(box.get("x")) + float(box.get("width")) for box in boxes]
    assert ends == sorted(ends)
    assert ends[-1] <= width
    assert all(float(box.get("y")) + float(box.get("height")) <= height for box in boxes)


def test_rounds_go_back_below_the_nodes():
    once, twice = (
        Config.model_validate({"retrieval": {"kind": "semantic"}, "refine": {"max_rounds": rounds}})
        for rounds in (1, 2)
    )
    heights = [float(parsed(config).get("height")) for config in (once, twice)]
    assert heights[0] < heights[1]


def test_the_ends_have_names_and_a_form_of_their_own():
    picture = parsed(load_config("baseline"))
    nodes = picture.xpath("//g[contains(@class, 'node')]")
    labels = [(node.get("class"), node.findtext("text")) for node in nodes]
    assert labels == [("node end", "question"), ("node step", "generate"), ("node end", "answer")]
    assert picture.get("aria-label").endswith(": question, generate, answer")
    round_end, step, _ = (float(node.find("rect").get("rx")) for node in nodes)
    assert step < round_end


def test_an_edge_that_goes_back_runs_below_the_nodes_and_one_that_skips_some_above():
    config = Config.model_validate({"retrieval": {"kind": "semantic"}, "refine": {"max_rounds": 2}})
    picture = parsed(config)
    top, height = (float(picture.xpath("//rect")[0].get(name)) for name in ("y", "height"))
    bows = [
        float(bow)
        for path in picture.xpath("//path[@class='edge']/@d")
        for bow in re.findall(r"V(-?[\d.]+) H", path)
    ]
    above, below = ([b for b in bows if b < top], [b for b in bows if b > top + height])
    # "No points" skips refine, and the next round leads from refine to critique.
    assert (len(above), len(below)) == (1, 1)
    assert len(above) + len(below) == len(bows)


def test_a_picture_without_bows_has_no_room_for_them():
    picture = parsed(load_config("baseline"))
    [height, *_] = (float(box.get("height")) for box in picture.xpath("//rect"))
    assert float(picture.get("height")) < height + 10


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("baseline", "generate"),
        ("semantic", "retrieve (semantic) \u2192 generate \u2192 critique \u2192 refine"),
        ("extract", "retrieve (semantic) \u2192 extract"),
        (
            "hybrid_cot_rerank_initial",
            "retrieve (hybrid) \u2192 generate (chain of thought) \u2192 rerank_drafts \u2192 critique \u2192 refine",
        ),
    ],
)
def test_the_steps_of_a_config_are_one_line(name, text):
    assert flow_text(load_config(name)) == text


def test_two_configs_of_the_page_never_have_the_same_line():
    lines = {flow_text(load_config(name)) for name in answering_config_names()}
    assert len(lines) == len(answering_config_names())
