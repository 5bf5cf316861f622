"""The token budget: a prompt always fits, its fixed parts stay whole, and cut tokens are counted."""

import re
from dataclasses import replace

import pytest
from hypothesis import event, example, given
from hypothesis import strategies as st
from langchain_core.prompts import PromptTemplate

from graph.models.budget import CUT_MARK, FittedPrompt, PromptFitter, units
from graph.support.errors import PromptTooLongError
from nodes.model import Prompt, Reserve
from prompts.context import CONTEXT
from tests.fakes.fake_models import TEMPLATES, context_of, section, step_of
from tests.fakes.properties import examples

TEMPLATE = PromptTemplate.from_template("Draft:\n{draft}\nReview:\n{points}\nWrite the answer.")
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
    return fitter_of(limit, count).fit(prompt, 0)


def fitter_of(window: int, count=words) -> PromptFitter:
    return PromptFitter(window=window, count=count, protect=lone, wrap=wrap)


def prompt_of(question="why?", passages=(), draft="", points="", reserves=()) -> Prompt:
    context = context_of(question, passages, before="Quoted text.\n", reserves=tuple(reserves))
    return Prompt(TEMPLATE, {}, {"draft": draft, "points": points}, context)


def rendered(prompt: Prompt) -> str:
    context = prompt.context
    quotes = "\n".join(f"{lone(q.heading)}\n{lone(q.text)}" for q in context.passages)
    beginning = context.template.format(question=lone(context.question), passages=quotes)
    values = {name: lone(value) for name, value in prompt.cuttable.items()}
    return wrap(beginning + prompt.template.format(**values))


def least(prompt: Prompt, count=words) -> int:
    """Count the tokens of the shortest cut: no passages and empty drafts."""
    nothing = dict.fromkeys(prompt.cuttable, "")
    context = replace(prompt.context, passages=())
    return min(
        count(rendered(replace(prompt, cuttable=drafts, context=context)))
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
@examples(300)
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
    assert f"[2]\nThree three. {CUT_MARK}\n" in result.text
    assert "[1]\nOne one. Two two.\n" in result.text
    assert result.cut_tokens == 1


def test_a_passage_of_which_nothing_is_left_loses_its_heading():
    prompt = prompt_of(passages=["One one. Two two.", "Three three three. Four four."])
    result = fitted(prompt, words(rendered(prompt)) - 5)
    assert "[2]" not in result.text
    assert "[1]\nOne one. Two two.\n" in result.text


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
        assert whole or "[1]" not in text


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
    whole = {"max_points": "5", "boundary": "garden"}
    if "question" in template.input_variables:
        whole["question"] = "why does it hang?"
    context = replace(
        context_of("why does it hang?", ["Long. " * 5_000] * 5),
        template=CONTEXT,
        boundary="lemon",
    )
    cuttable = dict.fromkeys({*template.input_variables} - {*whole}, lines)
    prompt = Prompt(template, whole, cuttable, None if "question" in whole else context)
    result = PromptFitter(window=400, count=words).fit(prompt, 0)
    assert result.tokens <= 400
    assert step_of(result.text) == step
    assert section(result.text, "question") == "why does it hang?"
    assert result.text.count(CUT_MARK) == (len(cuttable) or 1)


# --- one context for several steps

NOTES = Reserve("Think.", 0, 30)
REVIEW = Reserve("Draft:\n\nReview:\n\nWrite the answer.", 60, 30)
SENTENCES = "".join(f"Sentence number {number}. " for number in range(100))


def step_prompt(instruction: str, reserves, passages=(SENTENCES,), **fields) -> Prompt:
    context = context_of("why?", list(passages), reserves=tuple(reserves))
    return Prompt(PromptTemplate.from_template(instruction), context=context, **fields)


def test_all_steps_begin_with_a_context_that_leaves_room_for_the_longest():
    fitter = fitter_of(200)
    notes = fitter.fit(step_prompt("Think.", [NOTES, REVIEW]), 30)
    draft = "".join(f"line {number}\n" for number in range(30))
    review = step_prompt(
        TEMPLATE.template, [NOTES, REVIEW], cuttable={"draft": draft, "points": ""}
    )
    reviewed = fitter.fit(review, 30)
    context = notes.text.removesuffix("Think.<end>")
    assert reviewed.text == f"{context}Draft:\n{draft}\nReview:\n\nWrite the answer.<end>"
    # The next sentence has four words.
    assert 200 - 4 < words(context + REVIEW.instruction) + 60 + 30 <= 200
    assert notes.cut_tokens == reviewed.cut_tokens > 150


def test_texts_longer_than_their_reserve_are_cut_and_not_the_context():
    fitter = fitter_of(200)
    notes = fitter.fit(step_prompt("Think.", [NOTES, REVIEW]), 30)
    lines = "".join(f"line {number}\n" for number in range(200))
    review = step_prompt(
        TEMPLATE.template, [NOTES, REVIEW], cuttable={"draft": lines, "points": "x"}
    )
    reviewed = fitter.fit(review, 30)
    assert reviewed.text.startswith(notes.text.removesuffix("Think.<end>"))
    assert 200 - 30 - 2 <= reviewed.tokens <= 200 - 30
    assert f"{CUT_MARK}\nReview:\nx\n" in reviewed.text


def test_the_texts_of_a_step_take_at_most_half_of_the_room():
    long = Reserve("Write.", 10_000, 30)
    fitted = fitter_of(230).fit(step_prompt("Write.", [long]), 30)
    assert 100 - 4 < fitted.tokens <= 100
    assert [Reserve("", texts, 30).tokens(230) for texts in (0, 99, 100, 101)] == [
        *(30, 129, 130, 130)
    ]


def test_a_question_that_leaves_no_room_for_the_texts_loses_the_passages_in_all_steps():
    reserves = [NOTES, REVIEW]
    fitter = fitter_of(200)
    texts = []
    for instruction in ("Think.", "Draft:\n{draft}\nReview:\n\nWrite the answer."):
        prompt = step_prompt(instruction, reserves, ["One. Two."])
        context = replace(prompt.context, question="word " * 110)
        cuttable = {"draft": "a draft"} if "{draft}" in instruction else {}
        texts.append(fitter.fit(replace(prompt, context=context, cuttable=cuttable), 30).text)
    assert not any("[1]" in text for text in texts)
    assert "a draft" in texts[1]


def test_a_context_is_cut_once_for_all_of_its_steps():
    counted = []

    def count(text: str) -> int:
        counted.append(text)
        return words(text)

    fitter = fitter_of(200, count)
    fitter.fit(step_prompt("Think.", [NOTES, REVIEW]), 30)
    first = len(counted)
    for instruction in ("Think.", "Answer.", "Think again."):
        fitter.fit(step_prompt(instruction, [NOTES, REVIEW]), 30)
    assert len(counted) == first + 3
    fitter.fit(step_prompt("Think.", [NOTES]), 30)
    assert len(counted) > first + 6


def test_a_suffix_is_the_end_of_the_step_and_does_not_change_the_context():
    fitter = fitter_of(200)
    plain = fitter.fit(step_prompt("Choose.", [NOTES, REVIEW]), 30).text
    suffixed = fitter.fit(step_prompt("Choose.", [NOTES, REVIEW]), 16, "\n\nReply A or B").text
    assert suffixed == plain.replace("Choose.", "Choose.\n\nReply A or B")


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
@examples(500)
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
    # A part that ends within a token of two bytes is rounded up.
    assert abs(result.cut_tokens - (most - result.tokens)) <= 1
    question = lone(prompt.context.question)
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
@examples(200)
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
        heading_and_mark = words("[1]") + words(CUT_MARK)
        assert result.tokens + words(following) + heading_and_mark > limit


@given(prompts, st.floats(0.0, 1.0), st.sampled_from([words, two_bytes_a_token]))
@examples(100)
def test_a_draft_is_cut_only_when_no_passage_is_left(prompt, share, count):
    needed, most = least(prompt, count), count(rendered(prompt))
    result = fitted(prompt, int(needed + (most - needed) * share), count)
    drafts = (
        f"\nDraft:\n{lone(prompt.cuttable['draft'])}\nReview:\n{lone(prompt.cuttable['points'])}\n"
    )
    question = lone(prompt.context.question)
    if drafts not in result.text:
        assert result.text.startswith(f"<start> Quoted text.\n{question}\n\nDraft:\n")
