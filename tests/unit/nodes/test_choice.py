"""Extra candidates beside the drafts, and choosing by likelihood."""

import pytest

from graph import build_graph, draw, trace
from graph.build import answering_graph
from graph.config import load_config
from graph.models.batching import BatchedModel
from graph.models.engines.langchain_engine import LangChainEngine
from graph.models.lockstep import Lockstep
from graph.schema import Config
from graph.support.errors import ConfigError
from nodes.extra_candidates import extra_candidates
from nodes.likelihood import likelihood
from tests.fakes.fake_models import FakeModel, FakeRetriever, documents, section, step_of


def config(**rerank) -> Config:
    return Config.model_validate(
        {
            "retrieval": {"kind": "semantic"},
            "rerank": {"initial": True, **rerank},
        }
    )


def passage(text: str, answer_chars: int) -> dict:
    return {
        "number": 1,
        "question_id": "1",
        "title": "t",
        "text": text,
        "answer_chars": answer_chars,
        "score": 1.0,
        "url": "",
        "licence": "",
    }


class FakeLikelihoodModel(FakeModel):
    """A `FakeModel` that scores each text by a table."""

    def __init__(self, *arguments, means=(), **keywords):
        super().__init__(*arguments, **keywords)
        self.means, self.continuations = dict(means), []

    def likelihoods(self, continuations):
        self.continuations += continuations
        return [
            {
                "mean_logprob": self.means[continuation.text],
                "scored_tokens": 1,
                "prompt": "",
                "prompt_tokens": 5,
                "tokens_estimated": False,
                "cut_tokens": 0,
                "seconds": 0.5,
                "cached": False,
            }
            for continuation in continuations
        ]


# --- extra candidates


def test_extra_candidates_are_the_first_answer_and_a_draft_without_passages():
    model = FakeModel(["alone"])
    state = {"question": "why?", "passages": [passage("the answer\n\nthe question", 10)]}
    update = extra_candidates(
        state, model=model, kinds=("extract", "baseline"), temperature=0.0, max_new_tokens=9
    )
    assert [draft["text"] for draft in update["extra_candidates"]] == ["the answer", "alone"]
    assert step_of(model.written[0]) == "answer alone"
    assert "the answer" not in model.written[0]
    assert update["steps"][0]["candidates"] == update["extra_candidates"]


def test_no_passage_leaves_no_answer_to_extract():
    update = extra_candidates(
        {"question": "why?", "passages": []},
        model=FakeModel(),
        kinds=("extract",),
        temperature=0.0,
        max_new_tokens=9,
    )
    assert update["extra_candidates"] == []


def test_reranking_can_choose_an_extra_candidate_over_every_draft():
    # Three candidates, three pairs, each in both orders: the third, extracted one always wins.
    model = FakeModel(
        ["one", "two", "No problems."],
        [{"A": share, "B": 1 - share} for share in (0.5, 0.5, 0.1, 0.9, 0.1, 0.9)],
    )
    retriever = FakeRetriever(documents=documents("an answer"))
    built = build_graph(config(candidates=["extract"]), model=model, retriever=retriever)
    steps = {step["node"]: step for step in trace(built, "why?")}
    extracted = steps["extra_candidates"]["candidates"][0]["text"]
    texts = [draft["text"] for draft in steps["rerank_drafts"]["candidates"]]
    assert texts == ["one", "two", extracted]
    assert steps["rerank_drafts"]["chosen"] == 2
    assert steps["rerank_drafts"]["answer"] == extracted
    # The critic then reviews what was chosen.
    assert section(model.written[-1], "draft") == extracted


def test_extra_candidates_stand_beside_the_refined_answers_too():
    settled = Config.model_validate(
        {
            "retrieval": {"kind": "semantic"},
            "rerank": {"refined": True, "method": "consensus", "candidates": ["extract"]},
        }
    )
    model = FakeModel(["draft", "1. wrong", "an answer", "other words"])
    retriever = FakeRetriever(documents=documents("an answer"))
    built = build_graph(settled, model=model, retriever=retriever)
    steps = {step["node"]: step for step in trace(built, "why?")}
    assert len(steps["rerank_refined"]["candidates"]) == 3
    assert steps["rerank_refined"]["answer"] == "an answer"


@pytest.mark.parametrize(
    ("rerank", "message"),
    [
        ({"candidates": ["extract", "extract"]}, "twice"),
        ({"candidates": ["extract"], "initial": False}, "set initial or refined"),
        ({"candidates": ["oracle"]}, "candidates"),
        ({"method": "consensus", "drafts": 2}, "3 or more"),
    ],
)
def test_candidates_that_make_no_sense_are_refused(rerank, message):
    with pytest.raises(ValueError, match=message):
        config(**rerank)


def test_two_drafts_and_an_extra_candidate_are_three_for_consensus():
    assert config(method="consensus", drafts=2, candidates=["extract"])


# --- likelihood


def test_the_likeliest_draft_is_taken_and_an_empty_one_last():
    model = FakeLikelihoodModel(means={"": None, "a": -3.0, "b": -1.0, "c": -1.0})
    drafts = [{"text": text, "reasoning": f"r{text}"} for text in ("", "a", "b", "c")]
    state = {"question": "why?", "passages": [passage("p", 1)], "candidates": drafts}
    update = likelihood(state, model=model, node="rerank_drafts")
    assert (update["answer"], update["reasoning"]) == ("b", "rb")
    assert update["steps"][0]["chosen"] == 2
    means = [row["mean_logprob"] for row in update["steps"][0]["likelihoods"]]
    assert means == [None, -3.0, -1.0, -1.0]
    prompts = {continuation.prompt.template.template for continuation in model.continuations}
    assert len(prompts) == 1


def test_nothing_but_empty_drafts_takes_the_first():
    model = FakeLikelihoodModel(means={"": None})
    state = {"question": "why?", "candidates": [{"text": "", "reasoning": ""}] * 2}
    assert likelihood(state, model=model, node="x")["steps"][0]["chosen"] == 0


def test_the_graph_chooses_by_likelihood_and_asks_for_no_comparison():
    model = FakeLikelihoodModel(["one", "two", "No problems."], means={"one": -2.0, "two": -1.0})
    retriever = FakeRetriever(documents=documents("an answer"))
    built = build_graph(config(method="likelihood"), model=model, retriever=retriever)
    assert built.invoke({"question": "why?"})["answer"] == "two"
    assert model.chosen == []


def test_a_model_without_probabilities_is_refused_when_the_graph_is_built():
    with pytest.raises(ConfigError, match="likelihood needs token probabilities, which FakeModel"):
        build_graph(config(method="likelihood"), model=FakeModel(), retriever=FakeRetriever())


def test_a_model_without_logits_is_no_likelihood_model():
    from langchain_core.language_models import FakeListLLM

    model = BatchedModel(LangChainEngine(FakeListLLM(responses=["x"])), Lockstep())
    with pytest.raises(ConfigError, match="set it to pairwise or consensus"):
        answering_graph(
            config(method="likelihood"), model=model, chooser=model, retriever=FakeRetriever()
        )


def test_the_drawing_names_extra_candidates_and_method():
    drawn = draw(config(method="likelihood", candidates=["extract", "baseline"]))
    assert "extra_candidates<br/>extract<br/>baseline" in drawn
    assert "rerank_drafts<br/>by likelihood" in drawn


def test_no_shipped_config_has_extra_candidates():
    assert load_config("semantic_rerank_initial").rerank.candidates == ()
    assert "extra_candidates" not in draw("semantic_rerank_initial")
