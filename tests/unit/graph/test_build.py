"""The wiring: the nodes of each config, their order, and the values that reach them."""

import asyncio
import re

import pytest
from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.language_models import (
    FakeListChatModel,
    FakeListLLM,
    GenericFakeChatModel,
)
from langchain_core.messages import AIMessage
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda
from langsmith.utils import tracing_is_enabled

import graph
from graph import build_graph, trace
from graph.build import answering_graph, judged_graph
from graph.config import config_names, load_config
from graph.models import BatchedModel, Models
from graph.models.engines import langchain_engine
from graph.models.lockstep import Lockstep
from graph.schema import Answer, Config, Generation, Refine, Rerank, Retrieval
from graph.support.errors import ConfigError, PromptTooLongError
from nodes.state import State
from tests.fakes.corpora import encode_without_weights, small_corpus
from tests.fakes.embeddings import WordEmbeddings
from tests.fakes.fake_models import (
    ExpectingScorer,
    FakeModel,
    FakeRetriever,
    ScriptedEngine,
    documents,
    section,
    step_of,
)

PLAIN = ["retrieve", "generate", "critique", "refine"]
INITIAL = ["retrieve", "generate", "rerank_drafts", "critique", "refine"]
REFINED = ["retrieve", "generate", "critique", "refine", "rerank_refined"]
PICK = ["retrieve", "extra_candidates", "extract", "rerank_passages"]
ORDERS = {
    "baseline": ["generate"],
    "extract": ["retrieve", "extract"],
    "hybrid_adapt": [*PICK, "adapt", "rerank_drafts", "critique", "refine", "rerank_refined"],
    "hybrid_pick": PICK,
    "keyword_pick": PICK,
    "semantic_pick": PICK,
    "oracle": PLAIN,
    "shuffled": PLAIN,
    "hybrid": PLAIN,
    "hybrid_cot": PLAIN,
    "hybrid_cot_rerank_initial": INITIAL,
    "hybrid_cot_rerank_refined": REFINED,
    "hybrid_rerank_initial": INITIAL,
    "hybrid_rerank_refined": REFINED,
    "keyword": PLAIN,
    "keyword_cot": PLAIN,
    "keyword_cot_rerank_initial": INITIAL,
    "keyword_cot_rerank_refined": REFINED,
    "keyword_rerank_initial": INITIAL,
    "keyword_rerank_refined": REFINED,
    "semantic": PLAIN,
    "semantic_cot": PLAIN,
    "semantic_cot_rerank_initial": INITIAL,
    "semantic_cot_rerank_refined": REFINED,
    "semantic_rerank_initial": INITIAL,
    "semantic_rerank_refined": REFINED,
}
WRITES = {
    "baseline": ["answer alone"],
    "extract": [],
    "_pick": [],
    "_adapt": ["adapt", "critique", "refine"],
    "": ["answer", "critique", "refine"],
    "_cot": ["reason", "answer from", "critique", "refine"],
    "_rerank_initial": ["answer", "answer", "critique", "refine"],
    "_rerank_refined": ["answer", "critique", "refine", "refine"],
    "_cot_rerank_initial": [
        "reason",
        "reason",
        "answer from",
        "answer from",
        "critique",
        "refine",
    ],
    "_cot_rerank_refined": ["reason", "answer from", "critique", "refine", "refine"],
}


@pytest.fixture(autouse=True)
def _fake_encoder(monkeypatch):
    encode_without_weights(monkeypatch)


GRADES = {"0": 0.0, "1": 0.0, "2": 0.0, "3": 0.5, "4": 0.5}
TIE = {"A": 0.5, "B": 0.5}


def writes_of(name: str) -> list[str]:
    return WRITES[re.sub("^(hybrid|keyword|oracle|semantic|shuffled)", "", name)]


def retriever(*texts: str) -> FakeRetriever:
    return FakeRetriever(documents=documents(*(texts or ("first passage", "second passage"))))


ALIKE = ("keyword", "oracle", "semantic", "shuffled")
SHAPES = [name for name in ORDERS if not name.startswith(ALIKE)]
"""The kind of retrieval changes nothing behind `retrieve`: one kind stands for all."""


def model_for(name: str) -> FakeModel:
    replies = {"critique": "1. wrong", "refine": "a better answer"}
    return FakeModel([replies.get(step, "a draft") for step in writes_of(name)], [TIE, TIE])


def test_public_names_are_sorted():
    assert graph.__all__ == sorted(graph.__all__)
    assert all(hasattr(graph, name) for name in graph.__all__)


def test_public_names_build_draw_load_open_and_trace():
    opened = ["open_bm25", "open_embeddings", "open_llm_cache", "open_vector_store"]
    assert graph.__all__ == ["build_graph", "draw", "load_config", *opened, "trace"]


def test_semantic_runs_its_stages_in_order():
    model = FakeModel(["a draft", "1. wrong\n2. short", "a better answer"])
    built = build_graph("semantic", model=model, retriever=FakeRetriever(documents=documents("x")))
    steps = list(trace(built, "why?"))
    assert [step["node"] for step in steps] == ["retrieve", "generate", "critique", "refine"]
    assert steps[-1]["answer"] == "a better answer"


def test_all_configs_have_an_expected_order():
    assert sorted(config_names()) == sorted(ORDERS)


@pytest.mark.parametrize("name", ORDERS)
def test_nodes_run_in_the_order_of_the_config_and_the_judge_comes_last(name):
    answering = build_graph(name, model=model_for(name), retriever=retriever())
    judged = judged_graph(answering, FakeModel(verdicts=[GRADES]))
    state = {"question": "why?", "reference": "because"}
    order = [
        (bool(namespace), node)
        for namespace, update in judged.stream(state, stream_mode="updates", subgraphs=True)
        for node in update
    ]
    inside = [(True, node) for node in ORDERS[name]]
    assert order == [*inside, (False, "answering"), (False, "judge")]


@pytest.mark.parametrize("name", SHAPES)
def test_each_config_asks_the_model_once_for_each_text_it_needs(name):
    model = model_for(name)
    list(trace(build_graph(name, model=model, retriever=retriever()), "why?"))
    assert [step_of(prompt) for prompt in model.written] == writes_of(name)
    assert model.replies == []
    assert len(model.chosen) == (2 if "rerank" in name else 0)


@pytest.mark.parametrize("name", SHAPES)
def test_only_reranked_drafts_are_sampled(name):
    model = model_for(name)
    build_graph(name, model=model, retriever=retriever()).invoke({"question": "why?"})
    for prompt, (tokens, temperature) in zip(model.written, model.settings, strict=True):
        step = step_of(prompt)
        sampled = "initial" in name and step in {"reason", "answer from", "answer"}
        sampled = sampled or ("refined" in name and step == "refine")
        assert (tokens, temperature) == (256, 0.7 if sampled else 0.0), step


@pytest.mark.parametrize("name", SHAPES)
def test_output_is_exactly_the_answer_its_passages_and_whether_it_was_withheld(name):
    result = build_graph(name, model=model_for(name), retriever=retriever()).invoke(
        {"question": "why?"}
    )
    assert sorted(result) == ["answer", "passages", "withheld"]
    assert result["withheld"] is False
    answers = {"baseline": "a draft", "extract": "first passage", "hybrid_pick": "first passage"}
    if name != "hybrid_adapt":  # the fake encoder decides
        assert result["answer"] == answers.get(name, "a better answer")
    assert len(result["passages"]) == (0 if name == "baseline" else 2)


@pytest.mark.parametrize("name", SHAPES)
def test_reference_reaches_the_judge_and_no_prompt_of_the_answering_model(name):
    model, judge = model_for(name), FakeModel(verdicts=[GRADES])
    answering = build_graph(name, model=model, retriever=retriever())
    result = judged_graph(answering, judge).invoke(
        {"question": "why?", "reference": "REFERENCE-51c0"}
    )
    assert len(model.written) == len(writes_of(name))
    assert not any("REFERENCE-51c0" in prompt for prompt in model.written + model.chosen)
    assert section(judge.chosen[0], "reference") == "REFERENCE-51c0"
    assert result["score"] == 0.875


def test_reference_given_to_the_answering_graph_is_dropped():
    model = model_for("semantic")
    built = answering_graph(
        load_config("semantic"), model=model, chooser=model, retriever=retriever(), output=State
    )
    state = built.invoke({"question": "why?", "reference": "REFERENCE-51c0", "answer": "FORGED"})
    assert "REFERENCE-51c0" not in str(state)
    assert not any("REFERENCE-51c0" in prompt or "FORGED" in prompt for prompt in model.written)


def test_question_and_passages_stand_in_every_prompt_of_the_answering_model():
    model = model_for("semantic_cot_rerank_initial")
    built = build_graph(
        "semantic_cot_rerank_initial", model=model, retriever=retriever("use a lock", "use a queue")
    )
    built.invoke({"question": "why does {it} hang?"})
    assert len(model.written + model.chosen) == 8
    for prompt in model.written + model.chosen:
        assert section(prompt, "question") == "why does {it} hang?"
        passages = section(prompt, "passages")
        assert passages == "[1] title 1\nuse a lock\n[2] title 2\nuse a queue"


def test_baseline_sends_the_question_without_any_passage():
    model = FakeModel(["print it"])
    unused = retriever()
    build_graph("baseline", model=model, retriever=unused).invoke({"question": "how to print?"})
    assert section(model.written[0], "question") == "how to print?"
    assert "first passage" not in model.written[0]
    assert "passages" not in model.written[0]
    assert unused.queries == []


def test_retriever_is_asked_the_question_itself_once():
    recording = retriever()
    build_graph("semantic_cot", model=model_for("semantic_cot"), retriever=recording).invoke(
        {"question": " why?\n"}
    )
    assert recording.queries == [" why?\n"]


def test_only_top_k_passages_are_used():
    texts = [f"text {number}" for number in range(9)]
    model = model_for("semantic")
    result = build_graph("semantic", model=model, retriever=retriever(*texts)).invoke(
        {"question": "why?"}
    )
    assert [passage["text"] for passage in result["passages"]] == texts[:5]
    assert "text 4" in model.written[0]
    assert "text 5" not in model.written[0]


def test_no_passage_found_asks_for_an_answer_without_citations():
    model = model_for("semantic")
    result = build_graph("semantic", model=model, retriever=FakeRetriever()).invoke(
        {"question": "why?"}
    )
    assert step_of(model.written[0]) == "answer alone"
    assert result == {"answer": "a better answer", "passages": [], "withheld": False}


@pytest.mark.parametrize("name", ["semantic", "hybrid"])
def test_embeddings_take_the_place_of_the_profiles_encoder(tmp_path, monkeypatch, name):
    (tmp_path / "dataset").mkdir()
    small_corpus(tmp_path / "dataset" / "question_answer.csv")
    monkeypatch.chdir(tmp_path)
    embeddings = WordEmbeddings()
    built = build_graph(name, model=model_for(name), embeddings=embeddings, embeddings_name="words")
    assert embeddings.documents == []
    result = built.invoke({"question": "catch an exception in java"})
    assert result["passages"][0]["question_id"] == "8"
    assert embeddings.queries == ["catch an exception in java"]


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("semantic", {"embeddings": "words"}, "must be a LangChain Embeddings, not str"),
        ("semantic", {"embeddings_name": "words"}, "pass embeddings too"),
        ("semantic", {"embeddings": WordEmbeddings(), "embeddings_name": ""}, "not empty"),
        (
            "semantic",
            {"embeddings": WordEmbeddings(), "retriever": FakeRetriever()},
            "leave out retriever, or embeddings",
        ),
        ("keyword", {"embeddings": WordEmbeddings()}, "keyword compares no vectors"),
        ("baseline", {"embeddings": WordEmbeddings()}, "none compares no vectors"),
    ],
)
def test_embeddings_without_a_use_are_one_clear_error(name, arguments, message):
    with pytest.raises(ConfigError, match=message):
        build_graph(name, model=FakeModel(), **arguments)


def test_passages_carry_url_and_licence():
    result = build_graph(
        "semantic", model=model_for("semantic"), retriever=retriever("use a lock")
    ).invoke({"question": "why?"})
    assert result["passages"] == [
        {
            "number": 1,
            "question_id": "101",
            "title": "title 1",
            "text": "use a lock",
            "answer_chars": 10,
            "score": 1.0,
            "url": "https://example.org/1",
            "licence": "CC BY-SA 4.0",
        }
    ]


def test_preferred_draft_is_the_one_that_is_reviewed_and_refined():
    model = FakeModel(
        ["draft one", "draft two", "1. wrong", "a better answer"],
        [{"A": 0.2, "B": 0.8}, {"A": 0.9, "B": 0.1}],
    )
    built = build_graph("semantic_rerank_initial", model=model, retriever=retriever())
    steps = {step["node"]: step for step in trace(built, "why?")}
    assert steps["rerank_drafts"]["chosen"] == 1
    assert steps["rerank_drafts"]["preferences"][0]["first_wins"] == pytest.approx(0.15)
    assert [section(prompt, "draft") for prompt in model.written[2:]] == ["draft two"] * 2


def test_preferred_refinement_is_the_answer():
    model = FakeModel(
        ["a draft", "1. wrong", "refined one", "refined two"],
        [{"A": 0.3, "B": 0.7}, {"A": 0.7, "B": 0.3}],
    )
    built = build_graph("keyword_rerank_refined", model=model, retriever=retriever())
    assert built.invoke({"question": "why?"})["answer"] == "refined two"
    assert [section(prompt, "answer_a") for prompt in model.chosen] == [
        "refined one",
        "refined two",
    ]
    assert [section(prompt, "answer_b") for prompt in model.chosen] == [
        "refined two",
        "refined one",
    ]


def test_chosen_draft_keeps_its_own_reasoning():
    model = FakeModel(
        ["thought one", "thought two", "draft one", "draft two", "No problems."],
        [{"A": 0.1, "B": 0.9}, {"A": 0.9, "B": 0.1}],
    )
    built = answering_graph(
        load_config("semantic_cot_rerank_initial"),
        model=model,
        chooser=model,
        retriever=retriever(),
        output=State,
    )
    state = built.invoke({"question": "why?"})
    assert (state["answer"], state["reasoning"]) == ("draft two", "thought two")


# An adaptation is reranked among the passages, so another text may be the answer.
@pytest.mark.parametrize(
    "name", [n for n in SHAPES if "critique" in writes_of(n) and n != "hybrid_adapt"]
)
@pytest.mark.parametrize("critique", ["No problems.", "no issues", ""])
def test_critique_that_finds_nothing_ends_without_refinement(name, critique):
    drafting = writes_of(name).index("critique")
    model = FakeModel(["a draft"] * drafting + [critique], [TIE, TIE])
    built = build_graph(name, model=model, retriever=retriever())
    steps = list(trace(built, "why?"))
    assert steps[-1]["node"] == "critique"
    assert steps[-1]["points"] == []
    assert [step_of(prompt) for prompt in model.written][-1] == "critique"
    drafted = [step["answer"] for step in steps if "answer" in step]
    assert set(drafted) == {"a draft"}


def looping(rounds: int, *, rerank: bool = False) -> Config:
    return Config(
        retrieval=Retrieval(kind="semantic"),
        rerank=Rerank(initial=rerank, refined=rerank),
        refine=Refine(max_rounds=rounds),
    )


@pytest.mark.parametrize("rounds", [1, 2, 3, 10])
@pytest.mark.parametrize("rerank", [False, True])
def test_critic_who_always_complains_is_heard_max_rounds_times(rounds, rerank):
    model = FakeModel(["1. wrong"] * 100, [TIE] * 100)
    built = build_graph(looping(rounds, rerank=rerank), model=model, retriever=retriever())
    nodes = [step["node"] for step in trace(built, "why?")]
    start = ["retrieve", "generate", *(["rerank_drafts"] if rerank else [])]
    one_round = ["critique", "refine", *(["rerank_refined"] if rerank else [])]
    assert nodes == start + one_round * rounds


@pytest.mark.parametrize("rounds", [1, 3, 10])
def test_recursion_limit_leaves_room_for_the_rounds_and_no_more_than_ten_steps(rounds):
    built = build_graph(looping(rounds), model=FakeModel(), retriever=retriever())
    longest = 3 + 3 * rounds
    assert longest < built.config["recursion_limit"] <= longest + 10 + rounds


def test_judge_comes_after_the_last_round_of_a_loop():
    answering = build_graph(
        looping(3, rerank=True),
        model=FakeModel(["1. wrong"] * 100, [TIE] * 100),
        retriever=retriever(),
    )
    judged = judged_graph(answering, FakeModel(verdicts=[GRADES]))
    updates = judged.stream(
        {"question": "why?", "reference": "because"}, stream_mode="updates", subgraphs=True
    )
    nodes = [node for _, update in updates for node in update]
    assert nodes.count("refine") == 3
    assert nodes[-1] == "judge"


def test_each_round_reviews_the_newest_answer():
    model = FakeModel(["first", "1. wrong", "second", "1. short", "third", "No problems."])
    result = build_graph(looping(3), model=model, retriever=retriever()).invoke(
        {"question": "why?"}
    )
    assert result["answer"] == "third"
    reviews = [prompt for prompt in model.written if step_of(prompt) == "critique"]
    assert [section(prompt, "draft") for prompt in reviews] == ["first", "second", "third"]
    assert model.replies == []


def test_each_refinement_sees_the_points_of_its_own_round():
    model = FakeModel(["first", "1. wrong", "second", "1. short", "third"])
    build_graph(looping(2), model=model, retriever=retriever()).invoke({"question": "why?"})
    refinements = [prompt for prompt in model.written if step_of(prompt) == "refine"]
    assert [section(prompt, "review") for prompt in refinements] == ["1. wrong", "1. short"]


# --- the gate for weak passages and weak answers

GATED_PICK = Config(
    retrieval=Retrieval(kind="semantic"),
    generation=Generation(method="extract"),
    rerank=Rerank(initial=True, method="learned", candidates=("passages",)),
    answer=Answer(abstain=0.5),
)


CLOSED_BOOK = Config(
    retrieval=Retrieval(kind="semantic"), generation=Generation(closed_book_below=0.5)
)


def gated(rounds: int = 1) -> Config:
    return Config(
        retrieval=Retrieval(kind="semantic"),
        generation=Generation(closed_book_below=0.5),
        rerank=Rerank(initial=True, refined=True, method="learned", candidates=("passages",)),
        refine=Refine(max_rounds=rounds),
        answer=Answer(abstain=0.5),
    )


def gated_graph(config: Config, model: FakeModel, expected):
    return answering_graph(
        config,
        model=model,
        chooser=model,
        retriever=retriever(),
        scorer=ExpectingScorer(expected),
        output=State,
    )


DRAFTS = ["a draft", "another draft"]
GATED_START = ["retrieve", "assess_passages", "extra_candidates", "generate", "rerank_drafts"]
ROUND = ["critique", "refine", "rerank_refined"]


@pytest.mark.parametrize("rounds", [1, 2, 10])
def test_the_gates_stand_before_the_writing_and_after_the_last_round(rounds):
    model = FakeModel([*DRAFTS, *["1. wrong", "refined", "refined again"] * rounds])
    built = gated_graph(gated(rounds), model, lambda text: 0.9)
    steps = list(trace(built, "why?"))
    assert [step["node"] for step in steps] == [*GATED_START, *ROUND * rounds, "abstain"]
    assert model.replies == []


@pytest.mark.parametrize("rounds", [1, 3])
def test_a_critique_without_points_leads_to_abstain(rounds):
    model = FakeModel([*DRAFTS, "No problems."])
    state = gated_graph(gated(rounds), model, lambda text: 0.4).invoke({"question": "why?"})
    nodes = [step["node"] for step in state["steps"]]
    assert nodes == [*GATED_START, "critique", "abstain"]
    assert state["withheld"] is True
    assert state["answer"] == "No answer was found. The nearest posts: [1], [2]."


@pytest.mark.parametrize(("first", "last"), [(0.9, 0.2), (0.2, 0.9)])
def test_abstain_decides_by_the_choice_of_the_last_round(first, last):
    model = FakeModel([*DRAFTS, "1. wrong", "refined", "refined again"])
    built = gated_graph(gated(), model, lambda text: first if model.replies else last)
    state = built.invoke({"question": "why?"})
    assert state["expected_score"] == last
    assert state["withheld"] is (last < 0.5)


@pytest.mark.parametrize(("expected", "is_withheld"), [(0.4, True), (0.5, False)])
def test_a_config_without_critique_ends_with_abstain(expected, is_withheld):
    built = gated_graph(GATED_PICK, FakeModel(), lambda text: expected)
    state = built.invoke({"question": "why?"})
    assert [step["node"] for step in state["steps"]] == [*PICK, "abstain"]
    assert state["withheld"] is is_withheld
    assert state["expected_score"] == expected


def test_no_passage_is_in_any_prompt_of_a_question_with_weak_passages():
    model = FakeModel(["a draft", "1. wrong", "a better answer"])
    state = gated_graph(CLOSED_BOOK, model, lambda text: 0.4).invoke({"question": "why?"})
    assert [step_of(prompt) for prompt in model.written] == [
        "answer alone",
        "critique",
        "refine alone",
    ]
    assert not any("first passage" in prompt for prompt in model.written)
    assert len(state["passages"]) == 2


def test_the_gate_alone_needs_no_learned_reranking():
    model = FakeModel(["a draft", "No problems."])
    steps = list(trace(gated_graph(CLOSED_BOOK, model, lambda text: 0.6), "why?"))
    nodes = [step["node"] for step in steps]
    assert nodes == ["retrieve", "assess_passages", "generate", "critique"]
    assert "first passage" in model.written[0]


@pytest.mark.parametrize("config", [GATED_PICK, gated()])
def test_a_gate_without_a_scorer_is_a_config_error(config):
    model = FakeModel()
    with pytest.raises(ConfigError, match="scores candidates: pass a scorer of open_scorer"):
        answering_graph(config, model=model, chooser=model, retriever=retriever())


def test_a_withheld_question_of_a_thread_says_nothing_of_the_next_one():
    # The fake scorer expects nothing of the passages of the first question alone.
    scores = iter([0.1, 0.1, 0.9, 0.9])
    built = gated_graph(GATED_PICK, FakeModel(), lambda text: next(scores))
    first, second = (built.invoke({"question": text}) for text in ("why?", "how?"))
    assert (first["withheld"], second["withheld"]) == (True, False)
    assert second["answer"] == "second passage"


@pytest.mark.parametrize("rounds", [1, 3, 10])
def test_the_recursion_limit_has_room_for_the_gates(rounds):
    built = gated_graph(gated(rounds), FakeModel(), lambda text: 0.9)
    longest = len(GATED_START) + len(ROUND) * rounds + 1
    assert longest < built.config["recursion_limit"]


def by_question() -> BatchedModel:
    """A model that answers every prompt with the question in it, so that a mix-up would show."""

    def answer(prompt: str) -> str:
        question = section(prompt, "question")
        return "1. wrong" if step_of(prompt) == "critique" else f"answer to {question}"

    return BatchedModel(ScriptedEngine(answer), Lockstep())


def test_batch_gives_each_question_its_own_answer():
    built = build_graph("semantic_cot", model=by_question(), retriever=retriever())
    questions = [{"question": f"q{number}?"} for number in range(12)]
    for settings in ({}, {"max_concurrency": 1}, {"max_concurrency": 4}):
        results = built.batch(questions, config=settings)
        assert [r["answer"] for r in results] == [f"answer to q{n}?" for n in range(12)]


def test_abatch_gives_each_question_its_own_answer():
    built = build_graph("semantic_cot", model=by_question(), retriever=retriever())
    questions = [{"question": f"q{number}?"} for number in range(6)]
    results = asyncio.run(built.abatch(questions, config={"max_concurrency": 3}))
    assert [r["answer"] for r in results] == [f"answer to q{n}?" for n in range(6)]


def test_one_failing_question_of_a_batch_can_be_returned_as_its_error():
    def answer(prompt: str) -> str:
        if "q1?" in prompt:
            raise RuntimeError("no answer for q1")
        return "fine"

    model = BatchedModel(ScriptedEngine(answer), Lockstep())
    built = build_graph("baseline", model=model)
    results = built.batch([{"question": f"q{n}?"} for n in range(3)], return_exceptions=True)
    assert isinstance(results[1], RuntimeError)
    assert [results[0]["answer"], results[2]["answer"]] == ["fine", "fine"]


def test_stream_of_values_ends_with_the_result_of_invoke():
    question = {"question": "why?"}
    streamed = list(
        build_graph("semantic", model=model_for("semantic"), retriever=retriever()).stream(
            question, stream_mode="values"
        )
    )
    invoked = build_graph("semantic", model=model_for("semantic"), retriever=retriever()).invoke(
        question
    )
    assert {key: streamed[-1][key] for key in invoked} == invoked
    assert invoked["answer"] == "a better answer"


def test_ainvoke_and_astream_do_what_invoke_and_stream_do():
    async def both():
        first = build_graph("semantic", model=model_for("semantic"), retriever=retriever())
        result = await first.ainvoke({"question": "why?"})
        second = build_graph("semantic", model=model_for("semantic"), retriever=retriever())
        updates = second.astream({"question": "why?"}, stream_mode="updates")
        return result, [node async for update in updates for node in update]

    result, nodes = asyncio.run(both())
    assert result["answer"] == "a better answer"
    assert nodes == PLAIN


def test_astream_events_names_each_node_as_it_starts():
    async def events():
        built = build_graph("semantic", model=model_for("semantic"), retriever=retriever())
        stream = built.astream_events({"question": "why?"}, version="v2")
        return [(event["event"], event["name"]) async for event in stream]

    emitted = asyncio.run(events())
    started = [name for event, name in emitted if event == "on_chain_start"]
    assert [name for name in started if name in PLAIN] == PLAIN
    assert started[0] == "opencoder"
    assert ("on_retriever_end", "FakeRetriever") in emitted


def test_graph_composes_with_other_runnables():
    built = build_graph("semantic", model=model_for("semantic"), retriever=retriever())
    chain = (
        RunnableLambda(lambda text: {"question": text})
        | built
        | RunnableLambda(lambda output: output["answer"].upper())
    )
    assert chain.invoke("why?") == "A BETTER ANSWER"


@pytest.mark.filterwarnings("ignore:This API is in beta")
def test_graph_is_a_tool_that_takes_a_question():
    model = model_for("semantic")
    built = build_graph("semantic", model=model, retriever=retriever())
    tool = built.as_tool(name="coder", description="Answers programming questions.")
    assert list(tool.args) == ["question"]
    assert tool.args["question"]["type"] == "string"
    assert tool.invoke({"question": "why?"})["answer"] == "a better answer"
    assert section(model.written[0], "question") == "why?"


def test_input_and_output_schemas_name_the_public_keys():
    built = build_graph("semantic", model=FakeModel(), retriever=retriever())
    assert list(built.get_input_jsonschema()["properties"]) == ["question"]
    assert sorted(built.get_output_jsonschema()["properties"]) == ["answer", "passages", "withheld"]


def test_trace_yields_a_step_before_the_next_node_runs():
    model = model_for("semantic")
    steps = trace(build_graph("semantic", model=model, retriever=retriever()), "why?")
    assert next(steps)["node"] == "retrieve"
    assert model.written == []
    assert next(steps)["node"] == "generate"
    assert len(model.written) == 1


@pytest.mark.parametrize("name", ["baseline", "semantic", "hybrid_cot_rerank_initial"])
@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_a_question_has_the_same_prompts_whatever_its_line_ends_are(name, end):
    question = "Why?\n\n```python\nx = 1\n```\nIt hangs.\n"

    def prompts(text):
        model, judge = model_for(name), FakeModel(verdicts=[GRADES])
        answering = answering_graph(
            load_config(name), model=model, chooser=model, retriever=retriever(), output=State
        )
        state = judged_graph(answering, judge).invoke({"question": text, "reference": "because"})
        return state["question"], model.written, model.chosen, judge.chosen

    assert prompts(question.replace("\n", end)) == prompts(question)


def test_trace_shows_replies_and_seconds_of_each_step():
    steps = {
        step["node"]: step
        for step in trace(
            build_graph("semantic_cot", model=model_for("semantic_cot"), retriever=retriever()),
            "why?",
        )
    }
    assert [passage["number"] for passage in steps["retrieve"]["passages"]] == [1, 2]
    assert steps["generate"]["seconds"] == 1.0
    assert len(steps["generate"]["replies"]) == 2
    assert steps["critique"]["points"] == ["wrong"]
    assert steps["critique"]["critique_format"] == "numbered"


@pytest.mark.parametrize(
    "model",
    [
        FakeListLLM(responses=["a draft", "1. wrong", "a better answer"]),
        FakeListChatModel(responses=["a draft", "1. wrong", "a better answer"]),
        GenericFakeChatModel(
            messages=iter([AIMessage(t) for t in ("a draft", "1. wrong", "a better answer")])
        ),
    ],
    ids=lambda model: type(model).__name__,
)
def test_a_users_own_langchain_model_answers(model):
    built = build_graph("semantic", model=model, retriever=retriever())
    steps = list(trace(built, "why?"))
    assert [step["node"] for step in steps] == PLAIN
    assert [step.get("answer") for step in steps] == [None, "a draft", None, "a better answer"]
    prompts = [reply["prompt"] for step in steps for reply in step.get("replies", [])]
    assert [step_of(prompt) for prompt in prompts] == ["answer", "critique", "refine"]


@pytest.fixture
def one_request_at_a_time(monkeypatch):
    """Send requests in the order of the drafts, for a fake model whose replies have an order."""
    monkeypatch.setattr(langchain_engine, "_CONCURRENCY", 1)


def test_a_users_own_langchain_model_compares_drafts_in_text(one_request_at_a_time):
    model = FakeListChatModel(responses=["one", "two", "B", "A.", "No problems."])
    built = build_graph("semantic_rerank_initial", model=model, retriever=retriever())
    rerank = next(step for step in trace(built, "why?") if step["node"] == "rerank_drafts")
    assert [verdict["choice"] for verdict in rerank["verdicts"]] == ["B", "A"]
    assert rerank["answer"] == "two"


def test_a_comparison_that_a_text_model_does_not_answer_keeps_the_first_draft(
    one_request_at_a_time,
):
    model = FakeListChatModel(responses=["one", "two", "Both are fine", "A", "No problems."])
    built = build_graph("semantic_rerank_initial", model=model, retriever=retriever())
    rerank = next(step for step in trace(built, "why?") if step["node"] == "rerank_drafts")
    assert rerank["preferences"][0]["first_wins"] is None
    assert rerank["verdicts"][0]["reply"] == "Both are fine"
    assert rerank["answer"] == "one"


def test_a_users_own_langchain_model_works_in_a_batch_with_max_concurrency():
    built = build_graph("semantic", model=FakeListLLM(responses=["same"]), retriever=retriever())
    results = built.batch([{"question": f"q{n}?"} for n in range(8)], config={"max_concurrency": 2})
    assert [result["answer"] for result in results] == ["same"] * 8


def test_a_chooser_of_its_own_compares_what_the_model_wrote():
    model = FakeModel(["one", "two", "No problems."])
    chooser = FakeModel(verdicts=[{"A": 0.1, "B": 0.9}, {"A": 0.8, "B": 0.2}])
    built = build_graph(
        "semantic_rerank_initial", model=model, chooser=chooser, retriever=retriever()
    )
    assert built.invoke({"question": "why?"})["answer"] == "two"
    assert model.chosen == []
    assert len(chooser.chosen) == 2


class OwnRetriever(BaseRetriever):
    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        return [Document(page_content=f"found for {query}", metadata={"source": "wiki.md"})]


def test_a_users_own_retriever_needs_no_metadata_of_ours():
    model = model_for("semantic")
    result = build_graph("semantic", model=model, retriever=OwnRetriever()).invoke(
        {"question": "why?"}
    )
    assert result["passages"] == [
        {
            "number": 1,
            "question_id": "",
            "title": "wiki.md",
            "text": "found for why?",
            "answer_chars": 14,
            "score": None,
            "url": "wiki.md",
            "licence": "",
        }
    ]
    assert section(model.written[0], "passages") == "[1] wiki.md\nfound for why?"


@pytest.mark.parametrize("model", [object(), "gpt", 5, lambda prompt: "text"])
def test_a_model_that_can_neither_write_nor_choose_is_refused(model):
    with pytest.raises(ConfigError, match=rf"got {type(model).__name__}$"):
        build_graph("semantic", model=model, retriever=retriever())


@pytest.mark.parametrize("chooser", [object(), "gpt"])
def test_a_chooser_that_cannot_choose_is_refused(chooser):
    with pytest.raises(ConfigError, match=rf"got {type(chooser).__name__}$"):
        build_graph("semantic", model=FakeModel(), chooser=chooser, retriever=retriever())


class OnlyWrites:
    def write(self, prompts, *, max_new_tokens, temperature=0.0):
        return FakeModel(["text"] * len(prompts)).write(prompts, max_new_tokens=max_new_tokens)


class OnlyChooses:
    def choose(self, prompts, options):
        return FakeModel(verdicts=[TIE] * len(prompts)).choose(prompts, options)


def test_a_model_that_cannot_write_is_refused():
    with pytest.raises(ConfigError, match="got OnlyChooses"):
        build_graph("semantic", model=OnlyChooses(), retriever=retriever())


def test_a_chooser_that_only_writes_is_refused():
    with pytest.raises(ConfigError, match="got OnlyWrites"):
        build_graph("semantic", model=FakeModel(), chooser=OnlyWrites(), retriever=retriever())


def test_the_profiles_model_compares_drafts_of_a_model_that_only_writes(monkeypatch):
    from graph import build

    own = BatchedModel(ScriptedEngine(), Lockstep())
    monkeypatch.setattr(build, "open_models", lambda profile, **_: Models(own, own, Lockstep()))
    built = build_graph(
        "semantic_rerank_initial", profile="embedded", model=OnlyWrites(), retriever=retriever()
    )
    assert built.invoke({"question": "why?"})["answer"] == "text"
    assert len(own.engine.calls) == 1
    assert len(own.engine.calls[0]) == 2


def test_a_chooser_of_its_own_compares_what_the_profiles_model_wrote(monkeypatch):
    from graph import build

    own = BatchedModel(ScriptedEngine(lambda prompt: "No problems."), Lockstep())
    monkeypatch.setattr(build, "open_models", lambda profile, **_: Models(own, own, Lockstep()))
    chooser = FakeModel(verdicts=[TIE, TIE])
    built = build_graph(
        "semantic_rerank_initial", profile="embedded", chooser=chooser, retriever=retriever()
    )
    assert built.invoke({"question": "why?"})["answer"] == "No problems."
    assert len(chooser.chosen) == 2
    assert [[step_of(prompt) for prompt in call] for call in own.engine.calls] == [
        ["answer", "answer"],
        ["critique"],
    ]


def test_an_error_of_the_model_reaches_the_caller_as_it_is():
    def answer(prompt: str) -> str:
        raise TimeoutError("the server is gone")

    built = build_graph("baseline", model=BatchedModel(ScriptedEngine(answer), Lockstep()))
    with pytest.raises(TimeoutError, match="the server is gone"):
        built.invoke({"question": "why?"})


def test_a_question_beyond_a_langchain_models_window_is_a_clear_error():
    built = build_graph("baseline", model=FakeListLLM(responses=["x"]))
    with pytest.raises(PromptTooLongError, match="shorten the question"):
        built.invoke({"question": "word " * 10_000})


def test_retrieval_without_a_retriever_is_a_config_error():
    model = FakeModel()
    with pytest.raises(ConfigError, match=r"retrieval\.kind semantic needs a retriever"):
        answering_graph(load_config("semantic"), model=model, chooser=model, retriever=None)


def test_an_unknown_config_is_refused_before_anything_is_opened():
    with pytest.raises(ConfigError, match="did you mean semantic_cot"):
        build_graph("semantic_cott", model=FakeModel())


def test_without_a_judge_the_answer_is_the_end():
    answering = build_graph("baseline", model=FakeModel(["print it"]))
    state = judged_graph(answering, None).invoke({"question": "why?", "reference": "because"})
    assert state["answer"] == "print it"
    assert "score" not in state


def test_judged_state_holds_every_step_once():
    config = load_config("semantic_rerank_initial")
    model = model_for("semantic_rerank_initial")
    answering = answering_graph(
        config, model=model, chooser=model, retriever=retriever(), output=State
    )
    state = judged_graph(answering, FakeModel(verdicts=[GRADES])).invoke(
        {"question": "why?", "reference": "because"}
    )
    assert [step["node"] for step in state["steps"]] == [*INITIAL, "judge"]


def test_questions_in_lockstep_are_written_together_step_by_step():
    lockstep = Lockstep()
    engine = ScriptedEngine(lambda prompt: "1. wrong")
    model = BatchedModel(engine, lockstep)
    built = answering_graph(
        load_config("semantic"), model=model, chooser=model, retriever=retriever()
    )
    tasks = [lambda n=n: built.invoke({"question": f"q{n}?"}) for n in range(8)]
    outcomes = lockstep.run(tasks)
    assert [outcome.error for outcome in outcomes] == [None] * 8
    assert [[step_of(prompt) for prompt in call] for call in engine.calls] == [
        ["answer"] * 8,
        ["critique"] * 8,
        ["refine"] * 8,
    ]
    questions = [section(prompt, "question") for prompt in engine.calls[0]]
    assert questions == [f"q{n}?" for n in range(8)]


def test_nothing_is_traced_to_langsmith_unless_the_user_asks():
    built = build_graph("baseline", model=FakeModel(["print it"]))
    is_traced = []
    chain = built | RunnableLambda(lambda output: is_traced.append(tracing_is_enabled()) or output)
    chain.invoke({"question": "why?"})
    assert is_traced == [False]
