"""Narration: a step of any node is printed, and untrusted text comes out word for word."""

import pytest

from graph.narration import narrate, print_answer


def step(node, **fields):
    return {"node": node, "seconds": 1.0, **fields}


def drafts(*texts):
    return [{"text": text, "reasoning": ""} for text in texts]


@pytest.mark.parametrize(
    ("node", "label"),
    [
        ("generate", "draft 1"),
        ("refine", "refined 1"),
        ("extra_candidates", "extra candidate 1"),
        ("a_new_node", "draft 1"),
    ],
)
def test_the_drafts_of_any_node_are_printed_under_its_name(capsys, node, label):
    narrate(step(node, candidates=drafts("use a lock")))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{node}  |  1.0 s")
    assert [line.rstrip() for line in lines[1:]] == [label, "  use a lock", ""]


def test_a_choice_of_any_node_prints_the_chosen_candidate_alone(capsys):
    narrate(step("a_new_node", candidates=drafts("one", "two"), chosen=1))
    printed = capsys.readouterr().out
    assert "chosen: candidate 2" in printed
    assert "one" not in printed


def test_codes_that_rich_would_replace_stay_as_they_are(capsys):
    narrate(step("generate", candidates=drafts("[bold]x[/] :bug: \x1b[2J")))
    assert "  [bold]x[/] :bug: <U+001B>[2J" in capsys.readouterr().out


PASSAGE = {"number": 1, "title": "T", "text": "x", "score": 0.5, "url": "", "licence": ""}
REPLY = {"text": "", "prompt_tokens": 3, "new_tokens": 0, "cut_tokens": 0}


@pytest.mark.parametrize(
    ("answer", "steps", "expected"),
    [
        ("", [step("retrieve", passages=[]), step("extract")], ["no passage was found"]),
        (
            "",
            [step("retrieve", passages=[]), step("generate", replies=[REPLY])],
            ["(the model gave no answer)", "no passage was found"],
        ),
        ("", [step("generate", replies=[REPLY])], ["(the model gave no answer)"]),
        ("use a lock", [step("generate", replies=[REPLY])], ["use a lock"]),
        ("use a lock", [step("retrieve", passages=[])], ["use a lock", "no passage was found"]),
        (
            "",
            [step("retrieve", passages=[PASSAGE]), step("extract")],
            ["(the first passage has no answer)", "passages", "[1] 0.500  T"],
        ),
    ],
)
def test_an_answer_is_printed_with_the_reason_where_there_is_none(capsys, answer, steps, expected):
    print_answer(answer, steps)
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert lines[0].startswith("answer")
    assert [line for line in lines[1:] if line] == expected


def test_a_passage_of_unknown_score_says_so(capsys):
    narrate(step("retrieve", passages=[{**PASSAGE, "score": None}]))
    assert "[1] score unknown  T" in capsys.readouterr().out
