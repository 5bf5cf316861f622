"""The local model behind ragas: prompts fit the window, replies are bounded and follow a schema."""

import pytest

pytest.importorskip("ragas", reason="needs the extra: pip install 'opencoder[ragas]'")

from pydantic import BaseModel
from ragas.metrics.collections.context_precision.util import (
    ContextPrecisionInput,
    ContextPrecisionPrompt,
)
from ragas.metrics.collections.faithfulness.util import NLIStatementOutput

from evaluation.rescoring.ragas.ragas_model import (
    MAX_CHARS,
    LocalModel,
    Trace,
    UnreadableReplyError,
    WindowedPrompt,
    bounded,
    reply_tokens,
)
from graph.support.errors import PromptTooLongError
from tests.fakes.ragas_writer import ScriptedWriter


def words(text):
    return len(text.split())


def fitted(room):
    trace = Trace()
    return WindowedPrompt(ContextPrecisionPrompt(), trace, room, words), trace


def data(context="c " * 50, answer="a"):
    return ContextPrecisionInput(question="q " * 20, context=context, answer=answer)


def test_what_fits_is_as_ragas_made_it():
    prompt, trace = fitted(100_000)
    assert prompt.to_string(data()) == ContextPrecisionPrompt().to_string(data())
    assert trace.cut_chars == 0


def test_examples_that_would_take_more_than_a_quarter_are_shown_to_no_question():
    examples = words(ContextPrecisionPrompt()._generate_examples())
    with_them, _ = fitted(4 * examples)
    without, _ = fitted(4 * examples - 4)
    assert "Einstein" in with_them.to_string(data())
    assert "Einstein" not in without.to_string(data())


def test_the_longest_text_is_cut_to_the_room_and_the_question_is_whole():
    prompt, trace = fitted(300)
    text = prompt.to_string(data("word " * 900, "short answer"))
    assert words(text) <= 300
    assert words(text) > 290
    assert "q " * 19 in text
    assert "short answer" in text
    count = text.count("word")
    assert trace.cut_chars == pytest.approx(5 * (900 - count), abs=5)


def test_a_question_that_leaves_no_room_is_an_error_of_its_own():
    prompt, _ = fitted(150)
    with pytest.raises(PromptTooLongError):
        prompt.to_string(ContextPrecisionInput(question="q " * 200, context="c" * 900, answer="a"))


def test_a_bounded_schema_ends_and_takes_verdicts_alone():
    schema = bounded(NLIStatementOutput.model_json_schema(), 6)
    assert schema["properties"]["statements"]["maxItems"] == 6
    assert schema["properties"]["statements"]["minItems"] == 1
    item = schema["$defs"]["StatementFaithfulnessAnswer"]
    assert item["properties"]["statement"]["maxLength"] == MAX_CHARS
    assert (item["properties"]["verdict"]["minimum"], item["properties"]["verdict"]["maximum"]) == (
        0,
        1,
    )
    assert schema["additionalProperties"] is item["additionalProperties"] is False
    assert item["required"] == ["statement", "reason", "verdict"]


def test_a_reply_has_an_eighth_of_the_window():
    assert [reply_tokens(window) for window in (1280, 4096, 100_000)] == [160, 512, 1024]


class Verdict(BaseModel):
    reason: str


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ('<think>\nhm\n</think>\n{"reason": "it is"}', "it is"),
        ('hm</think>\n{"reason": "it is"}', "it is"),
        ('[THINK]hm[/THINK]{"reason": "it is"}', "it is"),
        ('{"reason": "the </think> mark ends it"}', "the </think> mark ends it"),
        ('{"reason": "<think>hm</think>"}', "<think>hm</think>"),
    ],
)
def test_a_reply_is_read_after_its_thoughts_and_its_texts_stay_whole(reply, reason):
    trace = Trace()
    model = LocalModel(ScriptedWriter(Verdict=[reply]), trace)
    assert model.generate("why?", Verdict).reason == reason
    assert trace.replies[0]["text"] == reply


def test_a_reply_that_is_one_thought_is_unreadable():
    model = LocalModel(ScriptedWriter(Verdict=['<think>{"reason": "it is"}']), Trace())
    with pytest.raises(UnreadableReplyError):
        model.generate("why?", Verdict)
