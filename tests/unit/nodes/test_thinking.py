"""Thinking blocks: they are in no answer, no critique and no choice; code that shows one stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.models.verdict import parse_choice
from nodes.critique import critique, parse_points
from nodes.generate import generate
from nodes.replies import MAX_CHARS, clean
from tests.fakes.fake_models import FakeModel
from tests.fakes.properties import examples
from tests.fakes.waiting import at_most_cpu_seconds

SORT = "Use sorted(d)."
THOUGHTS = {
    "think": "<think>\nhm\n</think>\n\n",
    "in one line": "<think>hm</think>",
    "empty": "<think>\n\n</think>\n\n",
    "thinking": "<thinking>\nhm\n</thinking>\n",
    "thought": "<thought>hm</thought>\n",
    "reasoning": "<reasoning>\nhm\n</reasoning>\n",
    "capitals": "<THINK>hm</THINK>\n",
    "spaces in the mark": "< think >hm</ think >\n",
    "Magistral": "[THINK]hm[/THINK]",
    "OpenThinker": "<|begin_of_thought|>\nhm\n<|end_of_thought|>\n\n",
    "Command A": "<|START_THINKING|>hm<|END_THINKING|>",
    "Seed": "<seed:think>hm</seed:think>",
    "Kimi": "◁think▷hm◁/think▷",
    "gpt-oss": "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>",
    "gpt-oss, decoded": "analysisThe user asks.assistantfinal",
    "only the end": "hm\n</think>\n\n",
    "only the end, in one line": "hm.</think>",
    "only the end of Magistral": "hm[/THINK]",
    "only the end of OpenThinker": "hm\n<|end_of_thought|>\n",
    "nested": "<think>a <think>b</think> c</think>\n",
    "two": "<think>a</think>\n<think>b</think>\n",
    "with code": "<think>\n```python\nx = '</think>'\n```\n`</think>` is in it.\n</think>\n",
    "with an open fence": "<think>\n```python\nx = 1\n</think>\n",
    "mentions its mark": "<think>They write <think> in it.</think>\n",
    "after a label": "Assistant: <think>\nhm\n</think>\n\n",
    "after control tokens": "<|im_start|>assistant\n<think>\nhm\n</think>\n",
    "with a turn in it": "<think>\nUser: How do I sort it?\nHuman: hm\n</think>\n",
    "closed by another spelling": "<think>hm</thinking>\n",
    "opened by another spelling": "<thinking>hm</think>\n",
    "closed by another mark": "[THINK]hm</think>\n",
    "mentions another mark": "<think>\nThey write </thinking> and </think>.\n</think>\n",
    "after a byte order mark": "\ufeff<think>hm</think>",
    "after an invisible space": "\u200b\n<think>hm</think>\u200b\n",
    "longer than an answer": "<think>" + "hm, so. well, then. " * 3000 + "</think>",
}
UNFINISHED = [
    "<think>\nhm, the user",
    "<think>",
    "<thinking>\nhm\n\n1. First\n2. Second",
    "[THINK]hm",
    "<|begin_of_thought|>\nhm",
    "<think>\n```python\nx = 1\n```\nand",
    "<|channel|>analysis<|message|>hm",
    "<think>hm</think>",
    "Assistant: <think>hm",
    "\ufeff<think>hm",
    "<think>They write <think> in it.",
    "<think>\n<think>\nhm",
    "<think>hm<think>",
]
ANSWERS = [
    "Use this:\n\n```xml\n<think>\nhm\n</think>\n```\n\nThen parse it.",
    "```python\nre.sub(r'<think>.*?</think>', '', text)\n```",
    "~~~\n<think>\n~~~\nshows the mark.",
    "`<think>` begins it and `</think>` ends it.",
    "Wrap the thoughts in <think> and </think> tags.",
    "Look for the closing </think> tag with str.find.",
    "Write this:\n\n    <think>\n    hm\n    </think>",
    "A model that can think writes thoughts.",
    "x < think > y",
    "analysis of the loop: it ends.",
    "The [THINK] mark of Magistral is a token.",
    "<div>\n<thinking>\nx\n</thinking>\n</div>",
    "The model ends its thinking with </think>\n\nThen it writes the answer.",
    'text.split("</think>")[1]\nprint(text)',
    'Split at "</think>" and keep the rest.',
    "R1 closes its thoughts with </think>.",
    "The tag is </think>: the parser looks for it.",
    "Der schließende </think> Tag fehlt in der Antwort.",
    "def f(s):\n    i = s.rfind('</think>')\n    return s[i + len('</think>'):]",
    "<think> is the opening tag of R1; its answer follows the closing tag.",
    "Claude writes two kinds of blocks:\n\n<thinking> blocks hold its thoughts.\nText blocks hold the answer.",
    "Tell the model to use tags:\n\n<scratchpad>\nnotes\n</scratchpad>\n\n<result>\nthe answer\n</result>",
    "- Write it:\n\n    ```xml\n    <think>\n    hm\n    </think>\n    ```\n\nThen parse it.",
    "Use this.\n\n```xml\n<think>\nhm\n</think>",
    "The mark ``</think>`` is a token.",
    "the tag </think> closes a block",
    "The parser splits at </think> Then it keeps the rest.",
    "R1 ends its thoughts with </think> B.",
    "They are two. </think> closes a block.",
    "Write `<think>` first. </think> Then the answer.",
    "<answer> is the tag of the answer.",
    "<answer>4</answer> is what the parser reads.",
    "<response>\n<status>ok</status>\n</response>",
    "<answer></answer>",
    "<output>a</output>\n<output>b</output>",
    "The XML is <output>5</output>",
    "<reason>The key is missing.</reason>\n<code>404</code>",
    "<analysis> and </analysis> are tags.",
    "<analysis>It is linear.</analysis>",
    "<analysis>It is a plain loop.</analysis>",
    "<reason>Timeout</reason>\n\nAdd this to your web.config.",
    "<reason>The request timed out at last.</reason>\n\nAdd this to your web.config.",
    "<analysis>\n  <x/>\n</analysis>\n\nThis element holds the settings.",
    "<analysis>daily</analysis>\n\nSet it in the file.",
    "<analysis>run it once a <b>day</b></analysis>\n\nSet it in the file.",
    "<reflection>\nIt never ends.",
    "Use tags.\n<analysis>\nhm\n</analysis>\nDone.",
    '<details type="note">A note.</details>\nUse a dict.',
    "<details>\n<summary>Why</summary>\nSo.\n</details>\nUse a dict.",
]
START_BLOCKS = [
    "<analysis>hm, it is a loop</analysis>\n",
    "<Analysis>\nThe user asks for a loop where i < n.\n</Analysis>",
    "<reflection>hm</reflection>\n",
    "<reasoning_content>hm</reasoning_content>\n",
    "<inner_monologue>hm</inner_monologue>\n",
    "<antThinking>hm</antThinking>\n",
    "<cot>\nhm\n</cot>\n\n",
    "<|think|>hm<|/think|>",
    "<unused94>thought\nhm<unused95>",
    "&lt;think&gt;hm&lt;/think&gt;\n",
    '<details type="reasoning">\n<summary>Thoughts</summary>\nhm\n</details>\n',
    "<details type='reasoning' done='true'>hm</details>\n",
    "<think>a</think>\n<reflection>b</reflection>\n",
    "<analysis>a b c d</analysis>\n<reflection>b</reflection>\n<cot>c</cot>\n",
    "\ufeffAssistant: <analysis>hm, it is a loop</analysis>\n",
]


@pytest.mark.parametrize("answer", [SORT, *ANSWERS], ids=range(len(ANSWERS) + 1))
@pytest.mark.parametrize("name", THOUGHTS)
def test_the_answer_is_the_reply_without_its_thoughts(name, answer):
    assert clean(THOUGHTS[name] + answer) == answer


@pytest.mark.parametrize("block", START_BLOCKS)
@pytest.mark.parametrize("answer", [SORT, f"{SORT}\n<analysis>\nIt is fast.\n</analysis>", "B"])
def test_a_block_of_another_name_is_a_thought_at_the_start_of_a_reply(block, answer):
    assert clean(block + answer) == answer


@pytest.mark.parametrize("name", ["answer", "Answer", "final_answer", "response", "output"])
@pytest.mark.parametrize("before", ["", "<think>hm</think>", "<cot>hm</cot>\n", "\ufeff"])
def test_tags_around_the_whole_answer_are_left_out(before, name):
    assert clean(f"{before}<{name}>{SORT}</{name}>") == SORT
    assert clean(f"{before}<{name}>\n{SORT}\n</{name}><|im_end|>") == SORT
    assert clean(f"{before}<{name}>{SORT}</{name}> It sorts.").endswith("> It sorts.")
    assert parse_choice(f"{before}<{name}>B</{name}>", ["A", "B"]) == "B"


@pytest.mark.parametrize("reply", UNFINISHED)
def test_a_reply_that_is_one_thought_is_an_empty_answer(reply):
    assert clean(reply) == ""
    assert parse_points(reply, 5) == ([], "empty", ["empty"])
    assert parse_choice(reply, ["hm", "B"]) is None


@pytest.mark.parametrize("answer", ANSWERS)
def test_marks_that_an_answer_shows_or_mentions_stay(answer):
    assert clean(answer) == answer


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ("First.\n<think>\nhm\n</think>\nSecond.", "First.\n\nSecond."),
        ("First.\n<think>\nhm", "First.\n<think>\nhm"),
        ("First.\n<think>\nhm\n</thinking>\nSecond.", "First.\n\nSecond."),
        (f"<think>hm<think>\n{SORT}", SORT),
        (f"<think>\nhm\n<think>\n\n{SORT}", SORT),
        (f"<think>hm<thinking>{SORT}", SORT),
        (f"[THINK]hm[THINK]\n{SORT}", SORT),
        (f"<think>hm\n<think>hm2\n<think>{SORT}", SORT),
        (f"<think>a<think>b<think>c<think>\n{SORT}", SORT),
        (
            f"<think>hm\n<think>{SORT} They write <think> in it.",
            f"{SORT} They write <think> in it.",
        ),
        (f"<think>hm\n<think>\n{SORT}\n<think>", f"{SORT}\n<think>"),
        ("Okay, the user wants B. </think> B", "B"),
        ("hm hm </think> Use sorted(d).", "Use sorted(d)."),
        ("So it is a list! </thinking> `sorted(d)` sorts it.", "`sorted(d)` sorts it."),
        ("Two lines.\nhm [/THINK] 42 is the answer.", "42 is the answer."),
        ("Use a dict.\n</think>", "Use a dict."),
        ("hm</think>\n\n", "hm"),
        ("<think>a</think>One. <think>b</think>Two.", "One. Two."),
        ("analysisThe user asks.assistantfinalUse assistantfinal.", "Use assistantfinal."),
        (f"<think>hm</think>{SORT}\n</think>", SORT),
        (
            f"<|begin_of_thought|>hm<|end_of_thought|><|begin_of_solution|>{SORT}<|end_of_solution|>",
            SORT,
        ),
        (f"<|channel|>final<|message|>{SORT}<|return|>", SORT),
        (
            f"<|channel|>analysis<|message|>hm<|end|>\n<|start|>assistant<|channel|>final <|constrain|>x<|message|>{SORT}",
            SORT,
        ),
    ],
)
def test_text_around_a_thought_is_the_answer(reply, answer):
    assert clean(reply) == answer


@pytest.mark.parametrize(
    ("reply", "prompt", "answer"),
    [
        ("hm, the user", "<|im_start|>assistant\n<think>\n", ""),
        (f"hm\n</think>\n\n{SORT}", "<|im_start|>assistant\n<think>\n", SORT),
        (f"They write <think> here.\n</think>\n{SORT}", "assistant<think>", SORT),
        (SORT, "<|im_start|>assistant\n<think>\n\n</think>\n\n", SORT),
        (SORT, "Why does <think> end?\n<|im_start|>assistant\n", SORT),
        ("hm", "[THINK]", ""),
        ("<think>\nhm", "assistant\n<think>\n", ""),
        (f"hm</thinking>{SORT}", "assistant\n<think>\n", SORT),
    ],
)
def test_a_thought_that_the_chat_format_began_is_no_answer(reply, prompt, answer):
    assert clean(reply, prompt) == answer


@pytest.mark.parametrize("name", THOUGHTS)
def test_a_critique_that_thinks_and_finds_nothing_has_no_points(name):
    assert parse_points(THOUGHTS[name] + "No problems.", 5) == ([], "none", [])


def test_the_points_of_a_critique_are_those_after_its_thoughts():
    reply = "<think>\n1. Is it right?\n2. Is it short?\n</think>\n1. It never ends."
    assert parse_points(reply, 5).points == ["It never ends."]


@pytest.mark.parametrize("name", THOUGHTS)
@pytest.mark.parametrize("choice", ["B", "b", '"B"', "B.", "\nB\n"])
def test_a_choice_is_read_after_the_thoughts(name, choice):
    assert parse_choice(THOUGHTS[name] + choice, ["A", "B"]) == "B"


def test_a_choice_is_read_after_thoughts_of_several_lines():
    assert parse_choice("<think>\nB names the cause.\n</think>\n\nB", ["A", "B"]) == "B"


def test_the_raw_reply_with_its_thoughts_stays_in_the_step():
    raw = f"<think>\nhm\n</think>\n\n{SORT}"
    state = {"question": "how?", "answer": "a draft"}
    update = generate(
        state, model=FakeModel([raw]), drafts=1, temperature=0.0, max_new_tokens=9, cot=False
    )
    assert update["answer"] == SORT
    assert update["steps"][0]["replies"][0]["text"] == raw
    review = "<think>\nhm\n</think>\nNo problems."
    step = critique(state, model=FakeModel([review]), max_points=5, max_new_tokens=9)["steps"][0]
    assert (step["points"], step["replies"][0]["text"]) == ([], review)


def test_the_reasoning_of_a_model_that_thinks_holds_no_thinking_block():
    model = FakeModel(["<think>hm</think>The lock is held.", f"<think>so</think>{SORT}"])
    update = generate(
        {"question": "how?", "passages": []},
        model=model,
        drafts=1,
        temperature=0.0,
        max_new_tokens=9,
        cot=True,
    )
    assert (update["reasoning"], update["answer"]) == ("The lock is held.", SORT)
    assert "hm" not in model.written[1]


pieces = st.sampled_from(
    ["<think>", "</think>", "\n", "`", "```", "hm", " ", "[THINK]", "[/THINK]", "<|channel|>",
     "analysis", "<|message|>", "final", "<|end|>", "    ", "Assistant:", "user", "User: hi", ".",
     "Question: why?", "<|im_end|>", "### Response:", ":", "Human: more", "<answer>", "</answer>",
     "<cot>", "</cot>", "\ufeff", "</thinking>", "B"]
)  # fmt: skip


@given(st.lists(pieces, max_size=25).map("".join))
@examples(500)
def test_cleaning_a_clean_reply_of_a_reasoning_model_changes_nothing(text):
    assert clean(clean(text)) == clean(text)
    assert len(clean(text)) <= len(text)


@pytest.mark.parametrize(
    "piece",
    ["<think>\n", "<think></think>", "</think>", "<think>`</think>`\n", "< ", "<|channel|>", "` ",
     "```a\n", "a </think>\n", "a <think>", "[THINK]", "analysisA", "assistantfinal",
     "<cot>a</cot>", "<cot>", "<answer>", "<think>a", "\u200b ", "a </think> A", "</details>", "<think>a ",
     "<analysis>a b c d</analysis>", "<analysis>a "],
)  # fmt: skip
def test_any_endless_reply_of_marks_is_cleaned_in_linear_time(piece):
    with at_most_cpu_seconds(10):
        assert len(clean(piece * (400_000 // len(piece)))) <= MAX_CHARS
