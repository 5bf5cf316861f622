"""Drawings: the Mermaid text shows the nodes and edges that are wired, the judge included."""

import re
import sys

import pytest

from graph import draw
from graph.config import config_names
from graph.drawing import to_png, to_svg
from graph.schema import Config, Generation, Refine, Rerank, Retrieval
from graph.support.errors import ConfigError, MissingExtraError

_NODE = re.compile(
    r"^\t(?P<name>\S+?)(?:\(\[(?P<round>[^\]]*)\]\)|\((?P<box>\w[^()]*)\))(?::::\w+)?$"
)
_EDGE = re.compile(r"^\t(?P<a>\S+) -(?:->|\. &nbsp;(?P<label>[^&]+)&nbsp; \.->) (?P<b>\S+);$")


def parts(mermaid: str) -> tuple[dict[str, str], set[tuple[str, str, str]]]:
    """Return the labels of the nodes and the edges (from, condition, to) of a Mermaid text."""
    body = re.split(r"^graph (?:LR|TD);\n", mermaid, flags=re.MULTILINE)[1].replace("\\3a", ":")
    nodes, edges = {}, set()
    for line in body.splitlines():
        if edge := _EDGE.match(line):
            edges.add((edge["a"], edge["label"] or "", edge["b"]))
        elif node := _NODE.match(line):
            nodes[node["name"]] = node["round"] or node["box"]
        else:
            assert line.startswith(("\tclassDef ", "\tsubgraph ", "\tend")) or not line, line
    return nodes, edges


def judged(*inner: tuple[str, str, str]) -> set[tuple[str, str, str]]:
    return {(f"answering:{a}", label, f"answering:{b}") for a, label, b in inner} | {
        ("answering:__end__", "", "judge"),
        ("judge", "", "__end__"),
    }


CRITIQUE = {("critique", "points", "refine"), ("critique", "no points", "__end__")}


def test_baseline_is_generate_alone():
    nodes, edges = parts(draw("baseline", judged=False))
    assert nodes == {"__start__": "question", "generate": "generate", "__end__": "end"}
    assert edges == {("__start__", "", "generate"), ("generate", "", "__end__")}


def test_baseline_is_judged_after_its_answer():
    nodes, edges = parts(draw("baseline"))
    assert nodes == {
        "__start__": "question",
        "answering:generate": "generate",
        "judge": "judge",
        "__end__": "end",
    }
    assert edges == {
        ("__start__", "", "answering:generate"),
        ("answering:generate", "", "judge"),
        ("judge", "", "__end__"),
    }


@pytest.mark.parametrize("name", ["semantic", "semantic_cot", "keyword", "keyword_cot"])
def test_plain_flow_with_its_two_ways_out_of_critique(name):
    nodes, edges = parts(draw(name, judged=False))
    assert nodes == {
        "__start__": "question",
        "retrieve": f"retrieve<br/>{name.removesuffix('_cot')}, top 5",
        "generate": "generate<br/>chain of thought" if name.endswith("_cot") else "generate",
        "critique": "critique",
        "refine": "refine",
        "__end__": "end",
    }
    assert edges == {
        ("__start__", "", "retrieve"),
        ("retrieve", "", "generate"),
        ("generate", "", "critique"),
        ("refine", "", "__end__"),
        *CRITIQUE,
    }


def test_judged_flow_with_reranked_drafts():
    nodes, edges = parts(draw("semantic_cot_rerank_initial"))
    assert nodes == {
        "__start__": "question",
        "answering:retrieve": "retrieve<br/>semantic, top 5",
        "answering:generate": "generate<br/>chain of thought<br/>2 drafts",
        "answering:rerank_drafts": "rerank_drafts",
        "answering:critique": "critique",
        "answering:refine": "refine",
        "answering:__end__": "answer",
        "judge": "judge",
        "__end__": "end",
    }
    assert edges == {
        ("__start__", "", "answering:retrieve"),
        *judged(
            ("retrieve", "", "generate"),
            ("generate", "", "rerank_drafts"),
            ("rerank_drafts", "", "critique"),
            ("refine", "", "__end__"),
            *CRITIQUE,
        ),
    }


def test_judged_flow_with_reranked_refinements():
    nodes, edges = parts(draw("keyword_rerank_refined"))
    assert nodes["answering:refine"] == "refine<br/>2 drafts"
    assert nodes["answering:generate"] == "generate"
    assert edges == {
        ("__start__", "", "answering:retrieve"),
        *judged(
            ("retrieve", "", "generate"),
            ("generate", "", "critique"),
            ("refine", "", "rerank_refined"),
            ("rerank_refined", "", "__end__"),
            *CRITIQUE,
        ),
    }


@pytest.mark.parametrize("rerank", [False, True])
def test_several_rounds_are_a_loop_back_to_critique(rerank):
    config = Config(
        retrieval=Retrieval(kind="semantic"),
        rerank=Rerank(refined=rerank),
        refine=Refine(max_rounds=3),
    )
    _, edges = parts(draw(config, judged=False))
    last = "rerank_refined" if rerank else "refine"
    assert edges == {
        ("__start__", "", "retrieve"),
        ("retrieve", "", "generate"),
        ("generate", "", "critique"),
        (last, "next round", "critique"),
        (last, "last round", "__end__"),
        *({("refine", "", "rerank_refined")} if rerank else set()),
        *CRITIQUE,
    }


@pytest.mark.parametrize("name", config_names())
def test_every_drawing_has_one_question_one_judge_and_one_end(name):
    nodes, edges = parts(draw(name))
    labels = list(nodes.values())
    assert [labels.count(label) for label in ("question", "judge", "end")] == [1] * 3
    assert labels.count("answer") == ("critique" in draw(name))
    named = {node for a, _, b in edges for node in (a, b)}
    assert named == set(nodes)


@pytest.mark.parametrize("direction", ["LR", "TD"])
def test_a_drawing_goes_left_to_right_or_top_down(direction):
    mermaid = draw("semantic", direction=direction)
    assert mermaid.count(f"\ngraph {direction};\n") == 1
    assert parts(mermaid) == parts(draw("semantic"))


def test_a_drawing_is_the_same_each_time():
    assert draw("semantic_cot_rerank_refined") == draw("semantic_cot_rerank_refined")


def test_a_config_of_the_users_own_can_be_drawn():
    config = Config(retrieval=Retrieval(kind="keyword"), generation=Generation(cot=True))
    assert draw(config) == draw("keyword_cot")


def test_drawing_an_unknown_config_is_a_config_error():
    with pytest.raises(ConfigError, match="did you mean baseline"):
        draw("basline")


def test_a_missing_drawing_package_is_named_with_its_pip_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "mermaidx", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'opencoder\[draw\]'"):
        to_svg(draw("baseline"))


def test_a_picture_is_drawn_offline_with_every_label():
    pytest.importorskip("mermaidx")
    svg = to_svg(draw("semantic_rerank_initial"))
    assert svg.startswith("<svg")
    labels = ("question", "retrieve", "rerank_drafts", "critique", "no points", "answer", "judge")
    assert [label for label in labels if label not in svg] == []
    png = to_png(svg, width=320)
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert int.from_bytes(png[16:20], "big") == 320
