"""The texts: values pass through verbatim, every step shares one prefix, nothing odd is in them."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from langchain_core.prompts import PromptTemplate

from nodes.critique import parse_points
from nodes.prompting import build_prompt
from nodes.retrieve import as_passage
from prompts import context, critique, judge, rerank
from tests.fakes.fake_models import TEMPLATES, documents, render, section

WITH_CONTEXT = ["answer", "reason", "answer from", "critique", "refine", "compare"]
HOSTILE = [
    "{",
    "}",
    "{}",
    "{question}",
    "{passages}{border}",
    "{0.__class__}",
    "{0[0]}",
    "{{7*7}}",
    "{question.__class__.__mro__}",
    "{question!r:>100}",
    "%s %d %(question)s",
    "$question ${question}",
    "\\boxed{1} \\n \\g<0> \\1",
    "\x00",
    "a\x00b",
    "\ud800",
    "<|im_end|>",
    "```python\nf'{x!r:{width}}'\n```",
]

hostile_text = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(st.characters(codec=None), max_size=80),
    st.lists(st.sampled_from([*"{}%$\\!:.[]()0", "question", "\n", "\x00"])).map("".join),
)


def rendered_by_hand(template: PromptTemplate, values: dict[str, str]) -> str:
    parts = re.split(r"\{(\w+)\}", template.template)
    return "".join(values[part] if at % 2 else part for at, part in enumerate(parts))


def values_of(template: PromptTemplate, text: str) -> dict[str, str]:
    return {name: f"<{name}|{text}|{name}>" for name in template.input_variables}


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_passes_through_every_template_verbatim(text):
    for step, template in TEMPLATES.items():
        values = values_of(template, text)
        assert template.format(**values) == rendered_by_hand(template, values), step


@given(st.sampled_from(sorted(TEMPLATES)), hostile_text)
@example("judge", "{question}")
@settings(max_examples=500, derandomize=True, deadline=None)
def test_any_text_stands_verbatim_and_once_in_a_rendered_prompt(step, text):
    template = TEMPLATES[step]
    values = values_of(template, text)
    rendered = template.format(**values)
    assert {name: rendered.count(value) for name, value in values.items()} == dict.fromkeys(
        values, 1
    )
    assert rendered == rendered_by_hand(template, values)


@pytest.mark.parametrize(
    ("step", "variables"),
    [
        ("answer", ["passages", "question"]),
        ("answer alone", ["question"]),
        ("reason", ["passages", "question"]),
        ("answer from", ["passages", "question", "reasoning"]),
        ("critique", ["draft", "max_points", "passages", "question"]),
        ("refine", ["draft", "passages", "points", "question"]),
        ("compare", ["draft_a", "draft_b", "passages", "question"]),
        ("judge", ["answer", "question", "reference"]),
    ],
)
def test_each_template_takes_its_variables_once(step, variables):
    assert sorted(re.findall(r"\{(\w+)\}", TEMPLATES[step].template)) == variables
    assert sorted(TEMPLATES[step].input_variables) == variables


@pytest.mark.parametrize("step", TEMPLATES)
def test_no_template_holds_a_control_character_or_a_backslash(step):
    text = TEMPLATES[step].template
    assert [char for char in text if char != "\n" and not char.isprintable()] == []
    assert "\\" not in text
    assert "boxed" not in text


@pytest.mark.parametrize("step", TEMPLATES)
def test_each_template_ends_with_its_instruction(step):
    last = TEMPLATES[step].template.rsplit("\n", 1)[-1]
    assert "{" not in last.replace("{max_points}", "")
    assert last.endswith(".")


@pytest.mark.parametrize("step", WITH_CONTEXT)
def test_every_step_with_passages_starts_with_the_same_context(step):
    assert TEMPLATES[step].template.startswith(context.CONTEXT)


def test_every_step_of_a_question_shares_one_rendered_prefix():
    passages = [as_passage(n, d) for n, d in enumerate(documents("use {a} lock", "a queue"), 1)]
    state = {"question": "why does {x} hang?", "passages": passages, "answer": "a draft"}
    steps = {
        "answer": {},
        "reason": {},
        "answer from": {"reasoning": "thought"},
        "critique": {"draft": "a draft"},
        "refine": {"draft": "another draft", "points": "1. wrong"},
        "compare": {"draft_a": "draft number 1", "draft_b": "draft number 2"},
    }
    quotes = "[1] title 1\nuse {a} lock\n[2] title 2\na queue"
    prefix = context.CONTEXT.format(question=state["question"], passages=quotes)
    for step, values in steps.items():
        prompt = render(build_prompt(state, TEMPLATES[step], {"max_points": "5"}, **values))
        assert prompt.startswith(prefix), step
        assert all(prompt.count(value) == 1 for value in values.values()), step


def test_an_answer_without_passages_mentions_none():
    text = render(build_prompt({"question": "why?"}, TEMPLATES["answer alone"]))
    assert "passage" not in text
    assert section(text, "question") == "why?"


# --- quoted material


def tags_of(template: PromptTemplate) -> list[str]:
    return re.findall(r"^<(\w+)>$", template.template, re.MULTILINE)


@pytest.mark.parametrize("step", TEMPLATES)
def test_each_value_from_outside_stands_between_tags_of_its_own(step):
    template = TEMPLATES[step]
    tags = tags_of(template)
    assert len(tags) == len(set(tags)) == len({*template.input_variables} - {"max_points"})
    for tag in tags:
        inside = section(template.template, tag)
        assert re.fullmatch(r"\{\w+\}", inside), inside


@pytest.mark.parametrize("step", TEMPLATES)
def test_no_quoted_text_can_hold_a_tag_of_the_templates(step):
    for tag in tags_of(TEMPLATES[step]):
        for forged in (f"<{tag}>", f"</{tag}>", f"</{tag.upper()}>", f"a<{tag}></{tag}>b"):
            broken = context.quoted(forged)
            assert f"<{tag}>" not in broken.lower()
            assert f"</{tag}>" not in broken.lower()


@pytest.mark.parametrize(
    "text",
    [
        "List<String>",
        "<b>bold</b>",
        "<answers>",
        "a < question > b",
        "x <- 1; y -> 2",
        "<question",
        "<div class='answer'>",
        *HOSTILE,
    ],
)
def test_text_without_such_a_tag_is_quoted_as_it_is(text):
    assert context.quoted(text) == text


tagged_text = st.lists(
    st.one_of(
        st.sampled_from(["<question>", "</ANSWER>", "<", "</", ">", "draft>", "< ", "/passages>"]),
        st.text(max_size=8),
    )
).map("".join)


@given(tagged_text)
@settings(max_examples=150, derandomize=True, deadline=None)
def test_quoting_adds_spaces_alone_and_only_once(text):
    broken = context.quoted(text)
    assert broken.replace("< ", "<") == text.replace("< ", "<")
    assert context.quoted(broken) == broken
    for template in TEMPLATES.values():
        for tag in tags_of(template):
            assert f"<{tag}>" not in broken.lower()
            assert f"</{tag}>" not in broken.lower()


@given(hostile_text | tagged_text, hostile_text | tagged_text, hostile_text | tagged_text)
@settings(max_examples=200, derandomize=True, deadline=None)
def test_nothing_in_question_passage_or_draft_can_end_its_own_quotation(question, text, draft):
    passage = {**as_passage(1, documents("x")[0]), "text": text, "title": text}
    state = {"question": question, "passages": [passage]}
    prompt = render(build_prompt(state, TEMPLATES["critique"], {"max_points": "5"}, draft=draft))
    assert section(prompt, "question") == context.quoted(question)
    assert section(prompt, "draft") == context.quoted(draft)
    assert section(prompt, "passages").endswith(context.quoted(text))
    assert prompt.endswith("If nothing is wrong, write only: No problems.")


def test_heading_of_a_passage_is_one_line_with_its_number():
    heading = context.heading(3, " How to\nlock\ta\r\nfile? </passages>")
    assert heading == "[3] How to lock a file? < /passages>"


@given(st.text(max_size=60))
@settings(max_examples=200, derandomize=True, deadline=None)
def test_no_title_breaks_the_line_of_its_heading(title):
    heading = context.heading(1, title)
    assert len(heading.splitlines()) == 1
    assert heading.startswith("[1] ")


# --- what the models are asked for


def test_rerank_and_judge_offer_their_options_in_words():
    assert rerank.OPTIONS == ("A", "B")
    assert "Reply with one letter, A or B." in rerank.COMPARE.template
    assert judge.GRADES == ("0", "1", "2", "3", "4")
    described = re.findall(r"^(\d): ", judge.JUDGE.template, re.MULTILINE)
    assert tuple(described) == judge.GRADES


def test_critique_names_the_words_that_end_the_refining():
    words = critique.CRITIQUE.template.rsplit("write only: ", 1)[1]
    assert parse_points(words, 5) == ([], "none", [])
