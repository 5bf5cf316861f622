"""The token budget: a prompt always fits, its fixed parts stay whole, and cut tokens are counted."""

import re

import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st
from langchain_core.prompts import PromptTemplate

from graph.models.budget import CUT_MARK, FittedPrompt, fit_prompt, units
from graph.support.errors import PromptTooLongError
from nodes.model import Prompt, Quote
from tests.fakes.fake_models import TEMPLATES, section, step_of

TEMPLATE = PromptTemplate.from_template(
    "Quoted text.\n{question}\n{passages}\nDraft:\n{draft}\nReview:\n{points}\nWrite the answer."
)
INSTRUCTION = "\nWrite the answer.<end>"


def words(text: str) -> int:
    return len(text.split())


def two_bytes_a_token(text: str) -> int:
    return -(-len(text.encode("utf-8")) // 2)


def lone(value: str) -> str:
    return value.encode("utf-8", "replace").decode("utf-8").replace("<end>", "< end>")


def wrap(text: str) -> str:
    return f"<start> {text}<end>"


def fitted(prompt: Prompt, limit: int, count=words) -> FittedPrompt:
    return fit_prompt(prompt, limit=limit, count=count, protect=lone, wrap=wrap)


def prompt_of(question="why?", passages=(), draft="", points="") -> Prompt:
    quotes = tuple(Quote(f"== passage {number}", text) for number, text in enumerate(passages, 1))
    return Prompt(TEMPLATE, {"question": question}, quotes, {"draft": draft, "points": points})


def rendered(prompt: Prompt) -> str:
    quotes = "\n".join(f"{lone(q.heading)}\n{lone(q.text)}" for q in prompt.passages)
    values = {name: lone(value) for name, value in {**prompt.whole, **prompt.cuttable}.items()}
    return wrap(prompt.template.format(**values, passages=quotes))


def least(prompt: Prompt, count=words) -> int:
    """Count the tokens of the shortest cut: no passages and empty drafts."""
    nothing = dict.fromkeys(prompt.cuttable, "")
    return min(
        count(rendered(Prompt(prompt.template, prompt.whole, (), drafts)))
        for drafts in (prompt.cuttable, nothing)
    )


# --- units


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", []),
        ("One.", ["One."]),
        ("One. Two! Three?", ["One. ", "Two! ", "Three?"]),
        ("One\ntwo\n\nthree", ["One\n", "two\n\n", "three"]),
        ("v1.2 is e.g.x", ["v1.2 is e.g.x"]),
        ("See:\n```py\na. b.\nc\n```\nDone.", ["See:\n", "```py\na. b.\nc\n```\n", "Done."]),
        ("See ```a. b``` here.", ["See ", "```a. b```", " here."]),
        ("```\nnever. closed.", ["```\nnever. closed."]),
        ("``````", ["``````"]),
    ],
)
def test_units_are_sentences_lines_and_code_blocks(text, parts):
    assert units(text) == parts


block_text = st.lists(
    st.sampled_from(
        ["A word", ". ", "? ", "\n", "\n\n", "```", "```py\n", "``", "`", " ", "x = {1: '.'}\n"]
    )
).map("".join)


@given(st.one_of(st.text(st.characters(codec=None), max_size=200), block_text))
@settings(max_examples=300, derandomize=True, deadline=None)
def test_units_joined_are_the_text_again(text):
    assert "".join(units(text)) == text
    assert all(units(text))


# --- the order of cuts


def test_a_prompt_that_fits_is_sent_as_it_is():
    prompt = prompt_of(passages=["One. Two."], draft="a draft", points="1. wrong")
    whole = rendered(prompt)
    assert fitted(prompt, words(whole)) == FittedPrompt(whole, words(whole), 0)


def test_the_last_passage_loses_its_last_sentence_first():
    prompt = prompt_of(passages=["One one. Two two.", "Three three. Four four."], draft="a draft")
    result = fitted(prompt, words(rendered(prompt)) - 1)
    assert f"== passage 2\nThree three. {CUT_MARK}\n" in result.text
    assert "== passage 1\nOne one. Two two.\n" in result.text
    assert result.cut_tokens == 1


def test_a_passage_of_which_nothing_is_left_loses_its_heading():
    prompt = prompt_of(passages=["One one. Two two.", "Three three three. Four four."])
    result = fitted(prompt, words(rendered(prompt)) - 5)
    assert "passage 2" not in result.text
    assert "== passage 1\nOne one. Two two.\n" in result.text


def test_a_code_block_is_kept_whole_or_not_at_all():
    code = "```py\nfirst = 1\nsecond = 2\nthird = 3\n```"
    prompt = prompt_of(passages=[f"Do this:\n{code}"])
    whole = words(rendered(prompt))
    assert code in fitted(prompt, whole).text
    for less in range(1, 10):
        text = fitted(prompt, whole - less).text
        assert "```" not in text
        assert f"Do this: {CUT_MARK}" in text


def test_drafts_are_whole_while_a_passage_is_left():
    prompt = prompt_of(
        passages=["One. Two. Three.", "Four. Five."], draft="line a\nline b", points="1. wrong"
    )
    for limit in range(least(prompt), words(rendered(prompt))):
        text = fitted(prompt, limit).text
        whole = "Draft:\nline a\nline b\nReview:\n1. wrong\n" in text
        assert whole or "passage" not in text


def test_the_longest_draft_is_cut_first_by_whole_lines():
    draft = "".join(f"line {number} of the draft\n" for number in range(10))
    prompt = prompt_of(draft=draft, points="1. wrong")
    result = fitted(prompt, words(rendered(prompt)) - 12)
    first = "".join(f"line {number} of the draft\n" for number in range(7))
    assert f"Draft:\n{first}{CUT_MARK}\nReview:\n1. wrong\n" in result.text


def test_two_equal_drafts_are_cut_alike():
    text = "".join(f"line {number}\n" for number in range(20))
    prompt = prompt_of(draft=text, points=text)
    result = fitted(prompt, 40).text
    draft, points = result.split("Draft:\n")[1].split("Review:\n")
    assert draft.split(CUT_MARK)[0] == points.split(CUT_MARK)[0] != ""


@pytest.mark.parametrize("count", [words, two_bytes_a_token])
def test_question_and_instruction_that_do_not_fit_are_an_error_that_says_so(count):
    prompt = prompt_of(question="word " * 200, passages=["One."], draft="a draft")
    needed = least(prompt, count)
    assert fitted(prompt, needed, count).tokens <= needed
    with pytest.raises(PromptTooLongError, match="shorten the question") as caught:
        fitted(prompt, needed - 1, count)
    assert f"room for {needed - 1}:" in str(caught.value)


@pytest.mark.parametrize("limit", [0, -1, -7000])
def test_a_window_smaller_than_the_reply_is_an_error(limit):
    prompt = prompt_of(passages=["One. Two."], draft="a draft")
    with pytest.raises(PromptTooLongError, match=f"room for {limit}:"):
        fitted(prompt, limit)


def test_a_draft_shorter_than_the_mark_is_not_replaced_by_it():
    prompt = prompt_of(passages=["Some words."], draft="ab")
    exact = two_bytes_a_token(rendered(prompt_of(draft="ab")))
    result = fitted(prompt, exact, two_bytes_a_token)
    assert result.text == rendered(prompt_of(draft="ab"))


def test_a_control_token_in_a_value_is_made_harmless_before_counting():
    prompt = prompt_of(question="why <end>?", passages=["say <end> now"], draft="<end>")
    text = fitted(prompt, 100).text
    assert text.count("<end>") == 1
    assert text.endswith("<end>")
    assert "why < end>?" in text
    assert "say < end> now" in text


def test_braces_and_templates_in_values_pass_as_they_are():
    prompt = prompt_of(
        question="{draft} {0.__class__} {{7*7}}", passages=["{question}"], draft="f'{x!r}' %s"
    )
    text = fitted(prompt, 100).text
    assert "\n{draft} {0.__class__} {{7*7}}\n" in text
    assert "\n{question}\n" in text
    assert "Draft:\nf'{x!r}' %s\n" in text


def test_a_million_characters_are_cut_with_few_counts():
    counted = []

    def count(text: str) -> int:
        counted.append(len(text))
        return words(text)

    prompt = prompt_of(passages=["A sentence here. " * 60_000] * 2, draft="a draft")
    result = fitted(prompt, 500, count)
    assert result.tokens <= 500
    assert result.tokens > 490
    assert len(counted) < 40


@pytest.mark.parametrize("step", TEMPLATES)
def test_each_steps_prompt_keeps_question_and_instruction_whatever_else_it_holds(step):
    template = TEMPLATES[step]
    lines = "".join(f"line {number} of a long text\n" for number in range(300))
    whole = {"question": "why does it hang?", "max_points": "5", "boundary": "garden"}
    cuttable = dict.fromkeys({*template.input_variables} - {*whole, "passages"}, lines)
    quotes = tuple(Quote(f"[{number}]", "Long. " * 5_000) for number in range(5))
    prompt = Prompt(template, whole, quotes, cuttable)
    result = fit_prompt(prompt, limit=400, count=words, protect=str, wrap=str)
    assert result.tokens <= 400
    assert step_of(result.text) == step
    assert section(result.text, "question") == "why does it hang?"
    assert result.text.count(CUT_MARK) == (len(cuttable) or "passages" in template.template)


# --- properties

odd_text = st.lists(
    st.one_of(
        st.sampled_from(
            ["{", "}", "{question}", "<end>", "[...]", "```", "\n", ". ", " ", "word ", "\ud800"]
        ),
        st.text(st.characters(codec=None), max_size=8),
    ),
    max_size=8,
).map("".join)
size = st.sampled_from([0, 1, 1, 2, 12])
long_text = st.builds(lambda text, times: text * times, odd_text, size)
prompts = st.builds(
    prompt_of,
    question=long_text,
    passages=st.lists(long_text, max_size=4),
    draft=long_text,
    points=long_text,
)


@given(prompts, st.floats(0.0, 1.2), st.sampled_from([words, two_bytes_a_token]))
@example(prompt_of(question="{passages}" * 50, passages=["x. " * 900]), 0.5, words)
@settings(max_examples=500, derandomize=True, deadline=None)
def test_any_prompt_fits_with_question_and_instruction_whole_or_is_an_error(prompt, share, count):
    whole = rendered(prompt)
    needed, most = least(prompt, count), count(whole)
    limit = int(needed * 0.9 + (most - needed * 0.9) * share)
    try:
        result = fitted(prompt, limit, count)
    except PromptTooLongError:
        event("too long")
        assert needed > limit
        return
    event("cut" if result.cut_tokens else "whole")
    assert count(result.text) == result.tokens <= limit
    assert result.cut_tokens == most - result.tokens
    question = lone(prompt.whole["question"])
    assert result.text.startswith(f"<start> Quoted text.\n{question}\n")
    assert result.text.endswith(INSTRUCTION)
    assert (result.text == whole) or most > limit


@st.composite
def numbered_passages(draw):
    """Draw passages of sentences and code blocks; every unit has a number of its own."""
    number = 0
    passages = []
    for _ in range(draw(st.integers(1, 4))):
        parts = []
        for is_code in draw(st.lists(st.booleans(), min_size=1, max_size=5)):
            number += 1
            size = draw(st.integers(1, 6))
            if is_code:
                parts.append(f"```\nu{number}" + ". x" * size + "\n```\n")
            else:
                parts.append(f"u{number}" + " x" * size + ". ")
        passages.append("".join(parts))
    return passages


@given(numbered_passages(), st.floats(0.0, 1.0))
@settings(max_examples=200, derandomize=True, deadline=None)
def test_passages_lose_whole_units_from_the_end_and_no_more_than_needed(passages, share):
    prompt = prompt_of(passages=passages, draft="line a\nline b", points="1. wrong")
    without = words(rendered(prompt_of(draft="line a\nline b", points="1. wrong")))
    limit = int(without + (words(rendered(prompt)) - without) * share)
    result = fitted(prompt, limit)
    everything = [unit for passage in passages for unit in units(passage)]
    is_left = [unit.strip() in result.text for unit in everything]
    assert is_left == sorted(is_left, reverse=True)
    numbers = re.findall(r"\bu(\d+)\b", result.text)
    assert [int(number) for number in numbers] == list(range(1, sum(is_left) + 1))
    assert "Draft:\nline a\nline b\nReview:\n1. wrong\n" in result.text
    if not all(is_left):
        following = everything[sum(is_left)]
        heading_and_mark = words("== passage 1") + words(CUT_MARK)
        assert result.tokens + words(following) + heading_and_mark > limit


@given(prompts, st.floats(0.0, 1.0), st.sampled_from([words, two_bytes_a_token]))
@settings(max_examples=100, derandomize=True, deadline=None)
def test_a_draft_is_cut_only_when_no_passage_is_left(prompt, share, count):
    needed, most = least(prompt, count), count(rendered(prompt))
    result = fitted(prompt, int(needed + (most - needed) * share), count)
    drafts = (
        f"\nDraft:\n{lone(prompt.cuttable['draft'])}\nReview:\n{lone(prompt.cuttable['points'])}\n"
    )
    question = lone(prompt.whole["question"])
    if drafts not in result.text:
        assert result.text.startswith(f"<start> Quoted text.\n{question}\n\nDraft:\n")
