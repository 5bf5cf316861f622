"""Calls of models as LangChain's callbacks see them: one run a call, under its node, with its tokens."""

import asyncio
from collections import defaultdict
from functools import partial

import pytest
import torch
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import FakeListLLM
from langchain_core.messages import AIMessageChunk
from langchain_core.prompts import PromptTemplate
from langchain_core.runnables import RunnableLambda

from graph.build import judged_graph
from graph.models import adapt_writer
from graph.models.batching import BatchedModel, ScoringModel
from graph.models.engines.huggingface_engine import HuggingFaceEngine
from graph.models.engines.langchain_engine import LangChainEngine
from graph.models.lockstep import Lockstep
from graph.models.reply_cache import ReplyCache
from graph.models.text_stream import TextStream, settled
from graph.models.traced_calls import TracedPrompt, call_of
from graph.schema import ModelSpec
from graph.support.errors import EnvironmentFailure
from graph.tracing import trace
from nodes.model import Prompt
from nodes.state import calls_of
from tests.fakes.callback_runs import RunRecorder, check_runs
from tests.fakes.chat_provider import FakeProviderChat
from tests.fakes.fake_models import ScriptedEngine, reply
from tests.fakes.reranked_graph import SHORT, graph_of
from tests.integration.checkpoints import make_qwen2

SCORED = [*SHORT, "rerank.method=likelihood"]


class StreamingEngine(ScriptedEngine):
    """Shows each reply in two parts before it returns it."""

    def write_all(self, prompts, max_new_tokens, temperature):
        replies = super().write_all(prompts, max_new_tokens, temperature)
        for prompt, outcome in zip(prompts, replies, strict=True):
            call_of(prompt).start(prompt.render())
            for end in (2, 4, 4):
                call_of(prompt).show(outcome["text"][:end])
        return replies


def asking(question="why?") -> Prompt:
    return Prompt(PromptTemplate.from_template("{q}"), {"q": question})


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Compute in one thread: beside other work, threads that wait for each other take minutes."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """The folder of a tiny model with random weights."""
    return make_qwen2(tmp_path_factory.mktemp("qwen2"))


@pytest.fixture
def tiny(checkpoint):
    """Open the tiny model as an engine."""

    def open_engine(**arguments):
        return HuggingFaceEngine(ModelSpec(model=str(checkpoint)), batch_size=4, **arguments)

    return open_engine


def without_seconds(state):
    """Return the steps of a state without times."""
    return [
        {
            **{name: value for name, value in step.items() if name != "seconds"},
            **{
                kind: [{**call, "seconds": 0} for call in step[kind]]
                for kind in ("replies", "verdicts", "likelihoods")
                if kind in step
            },
        }
        for step in state["steps"]
    ]


# --- one run a call, under its node


def test_the_runs_of_a_question_are_its_calls_each_under_its_node():
    model = BatchedModel(StreamingEngine(), Lockstep())
    recorder = RunRecorder()
    state = graph_of(model).invoke({"question": "why?"}, {"callbacks": [recorder]})
    check_runs(recorder, state)
    # Two drafts of notes and answer, the verdicts on both orders of the pair, critique, refinement.
    assert len(recorder.model_runs) == 4 + 2 + 2


@pytest.mark.parametrize("overrides", [SHORT, SCORED], ids=["verdicts", "likelihoods"])
def test_the_runs_of_a_model_in_this_process_are_its_calls(tiny, overrides):
    recorder = RunRecorder()
    graph = graph_of(ScoringModel(tiny(), Lockstep()), overrides)
    state = graph.invoke({"question": "why?"}, {"callbacks": [recorder]})
    check_runs(recorder, state)


@pytest.mark.parametrize("overrides", [SHORT, SCORED], ids=["verdicts", "likelihoods"])
def test_each_question_of_a_shared_batch_sees_its_own_runs(tiny, overrides):
    def answers(recorders):
        lockstep = Lockstep()
        graph = graph_of(ScoringModel(tiny(), lockstep), overrides)
        tasks = [
            partial(graph.invoke, {"question": f"why is it {n}?"}, {"callbacks": callbacks})
            for n, callbacks in enumerate(recorders)
        ]
        return [outcome.value for outcome in lockstep.run(tasks)]

    recorders = [RunRecorder() for _ in range(8)]
    states = answers([[recorder] for recorder in recorders])
    for recorder, state in zip(recorders, states, strict=True):
        check_runs(recorder, state)
    # The handlers changed no text, no seed and no batch.
    silent = answers([[]] * 8)
    assert [*map(without_seconds, silent)] == [*map(without_seconds, states)]


def test_the_runs_of_an_evaluated_question_include_its_judge():
    model = BatchedModel(StreamingEngine(), Lockstep())
    recorder = RunRecorder()
    question = {"question": "why?", "reference": "because"}
    state = judged_graph(graph_of(model), model).invoke(question, {"callbacks": [recorder]})
    paths = [recorder.path(run) for run in recorder.model_runs.values()]
    assert paths[-1] == ["opencoder_judged", "judge"]
    assert paths[0] == ["opencoder_judged", "answering", "opencoder", "generate"]
    assert [path[-1] for path in paths] == [
        step["node"] for step in state["steps"] for _ in calls_of(step)
    ]


def test_a_batched_language_model_of_langchain_calls_the_handlers_of_each_question():
    lockstep = Lockstep()
    model = adapt_writer(FakeListLLM(responses=["a", "b", "c"]), lockstep, window=400)
    node = RunnableLambda(lambda text: model.write([asking(text)], max_new_tokens=9)[0]["text"])
    recorders = [RunRecorder() for _ in range(3)]
    tasks = [
        partial(node.invoke, f"q{n}", {"callbacks": [recorder], "run_name": f"node {n}"})
        for n, recorder in enumerate(recorders)
    ]
    texts = [outcome.value for outcome in lockstep.run(tasks)]
    assert sorted(texts) == ["a", "b", "c"]
    for number, recorder in enumerate(recorders):
        [run] = recorder.model_runs.values()
        assert recorder.path(run) == [f"node {number}"]
        assert (run.messages, run.message.text) == ([f"q{number}"], texts[number])


def test_a_chat_model_makes_its_runs_itself_under_the_node_from_the_threads_of_requests():
    lockstep = Lockstep()
    engine = LangChainEngine(FakeProviderChat(model="x"), window=4_096)
    graph = graph_of(BatchedModel(engine, lockstep))
    recorders = [RunRecorder() for _ in range(3)]
    tasks = [
        partial(graph.invoke, {"question": f"why {n}?"}, {"callbacks": [recorder]})
        for n, recorder in enumerate(recorders)
    ]
    for recorder, outcome in zip(recorders, lockstep.run(tasks), strict=True):
        check_runs(recorder, outcome.value)
        assert {run.details["name"] for run in recorder.model_runs.values()} == {None}


# --- what a run says


def test_a_run_of_a_reply_has_its_model_settings_usage_and_id():
    recorder = RunRecorder()
    model = BatchedModel(StreamingEngine(), Lockstep())
    node = RunnableLambda(lambda _: model.write([asking()], max_new_tokens=9, temperature=0.5))
    node.invoke(None, {"callbacks": [recorder], "metadata": {"of the user": 1}})
    [(run_id, run)] = recorder.model_runs.items()
    assert run.details["invocation_params"] == {
        "model": "scripted",
        "max_tokens": 9,
        "temperature": 0.5,
    }
    assert run.details["name"] == "StreamingEngine"
    assert run.metadata == {
        "of the user": 1,
        "cached": False,
        "ls_provider": "streaming",
        "ls_model_type": "chat",
        "ls_model_name": "scripted",
        "ls_temperature": 0.5,
        "ls_max_tokens": 9,
    }
    assert run.message.id == f"lc_run-{run_id}"
    assert run.message.usage_metadata == {
        "input_tokens": 7,
        "output_tokens": 3,
        "total_tokens": 10,
    }
    assert run.message.response_metadata["model_name"] == "scripted"


def test_the_usage_of_a_run_has_the_tokens_that_were_read_before():
    class CachingEngine(StreamingEngine):
        def write_all(self, prompts, max_new_tokens, temperature):
            return [reply("a", cached_tokens=5) for _ in prompts]

    recorder = RunRecorder()
    model = BatchedModel(CachingEngine(), Lockstep())
    node = RunnableLambda(lambda _: model.write([asking()], max_new_tokens=9))
    node.invoke(None, {"callbacks": [recorder]})
    [run] = recorder.model_runs.values()
    assert run.message.usage_metadata["input_token_details"] == {"cache_read": 5}


def test_a_run_of_a_verdict_has_the_choice_and_the_probabilities(tiny):
    recorder = RunRecorder()
    model = BatchedModel(tiny(), Lockstep())
    node = RunnableLambda(lambda _: model.choose([asking("A or B?")], ("A", "B")))
    [verdict] = node.invoke(None, {"callbacks": [recorder]})
    [run] = recorder.model_runs.values()
    assert run.message.text == verdict["choice"]
    assert run.message.response_metadata["probabilities"] == verdict["probabilities"]
    assert run.message.response_metadata["mass"] == verdict["mass"]
    assert run.message.usage_metadata["input_tokens"] == verdict["prompt_tokens"]
    assert run.details["invocation_params"]["options"] == ["A", "B"]


def test_a_run_of_a_likelihood_has_the_text_that_is_scored(tiny):
    recorder = RunRecorder()
    model = ScoringModel(tiny(), Lockstep())
    node = RunnableLambda(lambda _: model.likelihoods([(asking(), "because"), (asking(), "")]))
    scored, empty = node.invoke(None, {"callbacks": [recorder]})
    runs = {tuple(run.messages): run for run in recorder.model_runs.values()}
    assert runs[scored["prompt"], "because"].message.text == str(scored["mean_logprob"])
    assert runs[empty["prompt"],].message.text == ""


def test_a_cached_call_is_a_run_that_says_so(tiny, tmp_path):
    def ask():
        recorder = RunRecorder()
        model = ScoringModel(tiny(cache=ReplyCache(tmp_path / "replies.sqlite")), Lockstep())
        state = graph_of(model, SCORED).invoke({"question": "why?"}, {"callbacks": [recorder]})
        check_runs(recorder, state)
        return list(recorder.model_runs.values())

    first, again = ask(), ask()
    assert {run.metadata["cached"] for run in first} == {False}
    assert {run.metadata["cached"] for run in again} == {True}
    assert {run.message.response_metadata["cached"] for run in again} == {True}
    assert not any(run.tokens for run in again)
    assert sorted(run.messages for run in first) == sorted(run.messages for run in again)


def test_each_run_of_a_node_has_its_own_metadata():
    class Cached(ScriptedEngine):
        def write_all(self, prompts, *_):
            return [reply("x", prompt=p.render(), cached=p.render() == "old") for p in prompts]

    recorder = RunRecorder()
    model = BatchedModel(Cached(), Lockstep())
    prompts = [asking("new"), asking("old"), asking("newer")]
    node = RunnableLambda(lambda _: model.write(prompts, max_new_tokens=9))
    node.invoke(None, {"callbacks": [recorder]})
    cached = {run.messages[0]: run.metadata["cached"] for run in recorder.model_runs.values()}
    assert cached == {"new": False, "old": True, "newer": False}


# --- tokens


def joined(tokens):
    return "".join(tokens)


def test_the_tokens_of_every_row_of_a_batch_are_its_text(tiny):
    recorder = RunRecorder()
    model = BatchedModel(tiny(), Lockstep())
    prompts = [asking(f"why {n}?") for n in range(6)]
    node = RunnableLambda(lambda _: model.write(prompts, max_new_tokens=24, temperature=0.9))
    replies = node.invoke(None, {"callbacks": [recorder]})
    runs = {run.messages[0]: run for run in recorder.model_runs.values()}
    for answer in replies:
        tokens = runs[answer["prompt"]].tokens
        assert len(tokens) > 3
        assert joined(tokens) == answer["text"] == runs[answer["prompt"]].message.text


def test_stream_mode_messages_gives_the_tokens_of_each_reply(tiny):
    graph = graph_of(ScoringModel(tiny(), Lockstep()))
    texts, nodes, state = defaultdict(list), {}, {}
    for mode, part in graph.stream({"question": "why?"}, stream_mode=["messages", "values"]):
        if mode == "values":
            state = part
            continue
        message, metadata = part
        texts[message.id].append(message.text)
        nodes[message.id] = metadata["langgraph_node"]
    streamed = sorted((nodes[message_id], joined(parts)) for message_id, parts in texts.items())
    recorded = [
        (step["node"], call.get("text") or call["choice"])
        for step in state["steps"]
        for call in [*step.get("replies", []), *step.get("verdicts", [])]
    ]
    assert streamed == sorted(recorded)
    drafts = [parts for message_id, parts in texts.items() if nodes[message_id] == "generate"]
    assert all(len(parts) > 2 for parts in drafts)


def test_astream_events_has_a_start_tokens_and_an_end_of_each_reply():
    async def events():
        graph = graph_of(BatchedModel(StreamingEngine(), Lockstep()))
        stream = graph.astream_events({"question": "why?"}, version="v2")
        return [event async for event in stream]

    by_run = defaultdict(list)
    for event in asyncio.run(events()):
        if "chat_model" in event["event"]:
            by_run[event["run_id"]].append(event)
    assert len(by_run) == 8
    kinds = [
        [event["event"].removeprefix("on_chat_model_") for event in e] for e in by_run.values()
    ]
    assert sorted(map(tuple, kinds)) == sorted(
        [("start", "stream", "stream", "stream", "end")] * 6 + [("start", "end")] * 2
    )
    nodes = {event["metadata"]["langgraph_node"] for events in by_run.values() for event in events}
    assert nodes == {"generate", "rerank_drafts", "critique", "refine"}


def test_trace_hands_on_the_chunks_of_replies_beside_the_steps():
    graph = graph_of(BatchedModel(StreamingEngine(), Lockstep()))
    chunks, order = [], []
    for step in trace(
        graph, "why?", on_chunk=lambda chunk: order.append("chunk") or chunks.append(chunk)
    ):
        order.append(step["node"])
    assert order[0] == "retrieve"
    assert order.index("chunk") < order.index("generate")
    assert all(isinstance(chunk, AIMessageChunk) for chunk in chunks)
    assert len({chunk.id for chunk in chunks}) == 6
    assert [step["node"] for step in trace(graph, "why?")] == [o for o in order if o != "chunk"]


@pytest.mark.parametrize(
    ("text", "stop", "visible"),
    [
        ("done", (), "done"),
        ("caf\ufffd", (), "caf"),
        ("a \ufffd b", (), "a \ufffd b"),
        ("yes\nIn", ("\nInstruct:",), "yes"),
        ("yes\nInside", ("\nInstruct:",), "yes\nInside"),
        ("yes\n", ("\nQ:", "\nInstruct:"), "yes"),
        ("aab", ("abc", "bd"), "a"),
        ("", ("x",), ""),
    ],
)
def test_only_text_that_further_tokens_do_not_change_is_shown(text, stop, visible):
    assert settled(text, stop) == visible


def test_a_stream_shows_each_row_that_somebody_reads():
    shown = []
    stream = TextStream(lambda ids: bytes(ids).decode("utf-8", "replace"), (), [None, shown.append])
    stream.put(torch.tensor([[1, 2], [3, 4]]))
    for column in zip(b"none", "a\u20ac".encode(), strict=True):
        stream.put(torch.tensor(column))
    stream.end()
    assert shown == ["a", "a", "a", "a\u20ac"]


@pytest.mark.parametrize(
    ("texts", "tokens"),
    [
        (["one", "one two", "one", "one two"], ["one", " two", " three"]),
        (["one", "one two three"], ["one", " two three", ""]),
        (["one", "another"], ["one", " two three"]),
        (["another", "one"], ["another"]),
        ([], []),
    ],
)
def test_a_text_that_a_second_try_writes_again_continues_where_it_is_the_same(texts, tokens):
    recorder = RunRecorder()

    class Halving(ScriptedEngine):
        def write_all(self, prompts, *_):
            for text in texts:
                call_of(prompts[0]).start("why?")
                call_of(prompts[0]).show(text)
            return [reply("one two three", prompt="why?")]

    model = BatchedModel(Halving(), Lockstep())
    node = RunnableLambda(lambda _: model.write([asking()], max_new_tokens=9))
    node.invoke(None, {"callbacks": [recorder]})
    [run] = recorder.model_runs.values()
    assert run.tokens == tokens
    assert run.message.text == "one two three"


# --- errors


def test_a_prompt_that_fails_ends_its_run_with_the_error_and_no_other():
    def answer(text):
        if text == "bad":
            raise ValueError("no answer")
        return "fine"

    class Failing(ScriptedEngine):
        def write_all(self, prompts, *rest):
            for prompt in prompts:
                call_of(prompt).start(prompt.render())
            return super().write_all(prompts, *rest)

    lockstep = Lockstep()
    model = BatchedModel(Failing(answer), lockstep)
    node = RunnableLambda(lambda text: model.write([asking(text)], max_new_tokens=9))
    recorders = [RunRecorder() for _ in range(3)]
    tasks = [
        partial(node.invoke, text, {"callbacks": [recorder]})
        for text, recorder in zip(["good", "bad", "better"], recorders, strict=True)
    ]
    outcomes = lockstep.run(tasks)
    runs = [run for recorder in recorders for run in recorder.model_runs.values()]
    assert [type(run.error) for run in runs] == [type(None), ValueError, type(None)]
    assert [type(outcome.error) for outcome in outcomes] == [type(None), ValueError, type(None)]


@pytest.mark.parametrize("error", [EnvironmentFailure("the disk is full"), RuntimeError("lost")])
@pytest.mark.parametrize("starts", [True, False])
def test_an_engine_that_fails_ends_the_runs_that_it_started(error, starts):
    class Failing(ScriptedEngine):
        def write_all(self, prompts, *_):
            for prompt in prompts * starts:
                call_of(prompt).start(prompt.render())
            raise error

    recorder = RunRecorder()
    model = BatchedModel(Failing(), Lockstep())
    node = RunnableLambda(lambda _: model.write([asking(), asking("b")], max_new_tokens=9))
    with pytest.raises(type(error)):
        node.invoke(None, {"callbacks": [recorder]})
    assert [run.error for run in recorder.model_runs.values()] == [error] * 2 * starts


def test_a_prompt_that_does_not_fit_is_no_run(tiny):
    recorder = RunRecorder()
    model = BatchedModel(tiny(), Lockstep())
    node = RunnableLambda(lambda _: model.write([asking("long " * 3000)], max_new_tokens=9))
    with pytest.raises(Exception, match="the model's window has room for"):
        node.invoke(None, {"callbacks": [recorder]})
    assert recorder.model_runs == {}


class Broken(BaseCallbackHandler):
    """Raises at one event."""

    def __init__(self, event, *, raise_error):
        self.raise_error = raise_error
        setattr(self, event, self._fail)

    def _fail(self, *_, **__):
        raise ZeroDivisionError("of the handler")

    def on_chat_model_start(self, *_, **__):
        pass

    def on_llm_new_token(self, *_, **__):
        pass


@pytest.mark.parametrize("event", ["on_chat_model_start", "on_llm_new_token", "on_llm_end"])
@pytest.mark.parametrize("raise_error", [False, True])
def test_a_handler_that_raises_costs_at_most_its_own_question(event, raise_error):
    lockstep = Lockstep()
    model = BatchedModel(StreamingEngine(), lockstep)
    node = RunnableLambda(lambda text: model.write([asking(text)], max_new_tokens=9)[0]["text"])
    handlers = [[], [Broken(event, raise_error=raise_error)], [RunRecorder()]]
    tasks = [
        partial(node.invoke, f"q{n}", {"callbacks": callbacks})
        for n, callbacks in enumerate(handlers)
    ]
    first, second, third = lockstep.run(tasks)
    assert (first.value, third.value) == ("answer 2", "answer 2")
    if raise_error:
        assert isinstance(second.error, ZeroDivisionError)
    else:
        assert second.value == "answer 2"


# --- no handler


def test_without_a_handler_an_engine_gets_the_prompts_as_they_are():
    class Watched(ScriptedEngine):
        def write_all(self, prompts, *rest):
            self.prompts = prompts
            return super().write_all(prompts, *rest)

    engine, prompt = Watched(), asking()
    model = BatchedModel(engine, Lockstep())
    node = RunnableLambda(lambda _: model.write([prompt], max_new_tokens=9))
    node.invoke(None)
    assert engine.prompts[0] is prompt
    node.invoke(None, {"callbacks": [RunRecorder()]})
    assert isinstance(engine.prompts[0], TracedPrompt)


def test_a_handler_that_reads_no_tokens_costs_no_decoding(tiny, monkeypatch):
    class Counter(BaseCallbackHandler):
        def on_chat_model_start(self, *_, **__):
            pass

    monkeypatch.setattr(
        "graph.models.pipeline.TextStream", lambda *_: pytest.fail("the tokens are decoded")
    )
    model = BatchedModel(tiny(), Lockstep())
    node = RunnableLambda(lambda _: model.write([asking()], max_new_tokens=4))
    assert node.invoke(None, {"callbacks": [Counter()]})
