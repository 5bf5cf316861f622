"""Narration: a step of any node is printed, and untrusted text comes out word for word."""

from io import StringIO

import pytest
from langchain_core.messages import AIMessageChunk
from rich.console import Console

from graph import narration
from graph.narration import Preview, narrate, print_answer

CALL = {"prompt_tokens": 3, "cut_tokens": 0, "tokens_estimated": False}


def step(node, **fields):
    return {"node": node, "seconds": 1.0, **fields}


def drafts(*texts):
    return [{"text": text, "reasoning": ""} for text in texts]


@pytest.mark.parametrize(
    ("node", "label"),
    [
        ("generate", "draft 1"),
        ("refine", "refinement 1"),
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


def test_a_learned_choice_prints_where_each_candidate_is_from(capsys):
    candidates = [
        {"text": "one", "reasoning": "", "source": "passage", "passage": 7},
        {"text": "two", "reasoning": "", "source": "adaptation"},
    ]
    scores = [{"score": score, "features": {}} for score in (0.25, -1.0)]
    narrate(step("rerank_drafts", candidates=candidates, scores=scores, chosen=0))
    printed = capsys.readouterr().out
    assert "candidate 1, passage 7: score 0.250" in printed
    assert "candidate 2, adaptation: score -1.000" in printed


def test_a_candidate_is_printed_with_its_expected_score_if_it_has_one(capsys):
    scores = [{"score": 0.25, "expected": 0.4567, "features": {}}, {"score": 1.0, "features": {}}]
    narrate(step("rerank_drafts", candidates=drafts("one", "two"), scores=scores, chosen=0))
    printed = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert "candidate 1, draft: score 0.250, expected score 0.457" in printed
    assert "candidate 2, draft: score 1.000" in printed


@pytest.mark.parametrize(
    ("node", "fields", "line"),
    [
        ("abstain", {"withheld": True}, "expected score 0.123: the answer is withheld"),
        ("abstain", {"withheld": False}, "expected score 0.123: the answer stays"),
        (
            "assess_passages",
            {"closed_book": True},
            "expected score 0.123: no passage is in the prompts",
        ),
        (
            "assess_passages",
            {"closed_book": False},
            "expected score 0.123: the passages are in the prompts",
        ),
    ],
)
def test_a_gate_prints_the_expected_score_and_what_follows(capsys, node, fields, line):
    # abstain measures no time.
    narrate({"node": node, "expected_score": 0.1234, **fields})
    printed = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert printed[0].startswith(node)
    assert line in printed


def test_a_kept_answer_and_pairs_without_a_verdict_have_names(capsys):
    preference = {"first": 0, "second": 1, "first_wins": None, "orders_agree": None}
    unread = {"probabilities": None, "choice": None, "reply": "", **CALL}
    narrate(step("accept", preferences=[preference], verdicts=[unread] * 2, chosen=0))
    printed = capsys.readouterr().out
    assert "the answer before and the refinement: no readable verdict" in printed
    assert "the answer before was kept" in printed


def test_an_empty_candidate_has_no_likelihood(capsys):
    likelihoods = [{"mean_logprob": None, "scored_tokens": 0, **CALL}]
    narrate(step("rerank_drafts", candidates=drafts(""), likelihoods=likelihoods, chosen=0))
    assert "candidate 1: empty, so it has no likelihood" in capsys.readouterr().out


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
            [step("retrieve", passages=[PASSAGE]), step("extract"), step("rerank_passages")],
            ["(no passage has an answer)", "passages", "[1] 0.500  T"],
        ),
        (
            "",
            [step("retrieve", passages=[]), step("generate", replies=[REPLY])],
            ["(the model gave no answer)", "no passage was found"],
        ),
        ("", [step("generate", replies=[REPLY])], ["(the model gave no answer)"]),
        ("use a lock", [step("generate", replies=[REPLY])], ["use a lock"]),
        ("use a lock", [step("retrieve", passages=[])], ["use a lock", "no passage was found"]),
        (
            "use a lock",
            [
                step("generate", candidates=[{"text": "use a lock"}]),
                step("rerank", candidates=[{"text": "no"}, {"text": "use a lock", "passage": 3}]),
            ],
            ["word for word from passage [3]:", "use a lock"],
        ),
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


@pytest.fixture
def screen(monkeypatch):
    """What the preview writes on a terminal."""
    written = StringIO()

    def console(stderr):
        assert stderr is True
        return Console(file=written, force_terminal=True, width=60)

    monkeypatch.setattr(narration, "Console", console)
    return written


def chunk(reply, text, position=None):
    return AIMessageChunk(content=text, id=reply, chunk_position=position)


def shown(preview):
    return preview._live.get_renderable().plain


def test_the_preview_shows_the_first_reply_that_is_not_ended(screen):
    with Preview() as preview:
        preview.add(chunk("one", "use"))
        preview.add(chunk("two", "other"))
        assert shown(preview) == "use"
        preview.add(chunk("one", " a lock", "last"))
        assert shown(preview) == "use a lock"
        preview.add(chunk("two", " text"))
        assert shown(preview) == "other text"
        preview.clear()
        preview.add(chunk("three", "new"))
        assert shown(preview) == "new"
    assert preview._live is None
    assert "use a lock" not in screen.getvalue().rsplit("\x1b[2K", 1)[1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[2J[bold]x[/] :bug: \u202e", "<U+001B>[2J[bold]x[/] :bug: <U+202E>"),
        ("\n".join(map(str, range(20))), "\n".join(map(str, range(12, 20)))),
        ("a" * 2000, "a" * 600),
        ("a\rb", "a<U+000D>b"),
    ],
)
def test_the_preview_shows_the_newest_lines_made_harmless(screen, text, expected):
    with Preview() as preview:
        preview.add(chunk("one", text))
        assert shown(preview) == expected


def test_without_a_chunk_the_preview_writes_nothing(screen):
    with Preview() as preview:
        preview.clear()
    assert screen.getvalue() == ""
