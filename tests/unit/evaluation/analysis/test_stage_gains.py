"""The scores after each stage and the gain of each stage, from records alone."""

import pytest

from evaluation.analysis.stage_gains import stage_answers, stage_gains, stage_scores
from evaluation.metrics.record_scores import score_texts
from evaluation.metrics.registry import STAGE_METRICS
from evaluation.tables.results_tables import stages_table
from tests.fakes.corpora import EMBEDDER, FakeEncoder
from tests.fakes.records import failed, record


def draft(text: str) -> dict:
    return {"text": text, "reasoning": ""}


def scored(question: int, *steps: tuple[str, list[str], str], scores: dict[str, float | None]):
    """Return a record of (node, candidates, answer) steps, with the scores of their texts."""
    step_records = [
        {"node": node, "candidates": [draft(text) for text in texts], "answer": answer}
        for node, texts, answer in steps
    ]
    candidates = [
        {
            "step": number,
            "candidate": index,
            "metrics": dict.fromkeys(STAGE_METRICS, scores[one["text"]]),
        }
        for number, step in enumerate(step_records)
        for index, one in enumerate(step["candidates"])
    ]
    return record(question, steps=step_records, candidates=candidates)


RECORDS = [
    scored(
        0,
        ("generate", ["a", "b"], "a"),
        ("rerank_drafts", ["a", "b"], "b"),
        ("refine", ["c"], "c"),
        scores={"a": 0.1, "b": 0.3, "c": 0.2},
    ),
    # The critic found nothing: the question never came to refine.
    scored(
        1,
        ("generate", ["d", "e"], "d"),
        ("rerank_drafts", ["d", "e"], "d"),
        scores={"d": 0.5, "e": 0.9},
    ),
    failed(2),
]


def test_scores_after_each_stage_are_about_the_same_questions():
    by_stage = stage_scores(RECORDS)
    means = {stage: metrics["ROUGE-1"]["mean"] for stage, metrics in by_stage.items()}
    # (.1 + .5) / 2, (.3 + .5) / 2, (.2 + .5) / 2
    assert means == pytest.approx({"generate": 0.3, "rerank_drafts": 0.4, "refine": 0.35})
    assert {metrics["ROUGE-1"]["n"] for metrics in by_stage.values()} == {2}
    assert "LLM_judge" not in by_stage["generate"]


def test_what_a_stage_added_is_about_the_questions_where_it_ran():
    gains = stage_gains(RECORDS)
    assert list(gains) == ["rerank_drafts", "refine"]
    rerank, refine = gains["rerank_drafts"], gains["refine"]
    assert (rerank["ran"], rerank["changed"]) == (2, 1)
    assert rerank["metrics"]["BLEU"]["mean"] == pytest.approx(0.1)  # (.2 + 0) / 2
    assert (refine["ran"], refine["changed"]) == (1, 1)
    assert refine["metrics"]["BLEU"]["mean"] == pytest.approx(-0.1)
    assert refine["metrics"]["BLEU"]["ci95"] is None  # one question


def test_an_unscored_text_is_counted_and_in_no_mean():
    unscored = scored(
        0, ("generate", ["a"], "a"), ("refine", ["b"], "b"), scores={"a": 0.4, "b": None}
    )
    after = stage_scores([unscored])["refine"]["BLEU"]
    assert (after["mean"], after["n"], after["unscored"]) == (None, 0, 1)
    assert stage_gains([unscored])["refine"]["metrics"]["BLEU"]["unscored"] == 1


def test_a_stage_of_a_later_round_has_its_number():
    steps = [("generate", ["a"], "a"), ("refine", ["b"], "b"), ("refine", ["c"], "c")]
    answers = stage_answers(scored(0, *steps, scores={"a": 0.1, "b": 0.2, "c": 0.3}))
    assert [answer.stage for answer in answers] == ["generate", "refine", "refine 2"]


def test_a_refinement_that_was_not_accepted_takes_the_draft_back():
    one = scored(0, ("generate", ["a"], "a"), ("refine", ["b"], "b"), scores={"a": 0.1, "b": 0.2})
    one["steps"].append({"node": "accept", "answer": "a", "chosen": 0})
    assert stage_gains([one])["accept"]["metrics"]["BLEU"]["mean"] == pytest.approx(-0.1)
    assert stage_scores([one])["accept"]["BLEU"]["mean"] == pytest.approx(0.1)


def test_a_single_stage_adds_nothing_and_no_record_has_no_stage():
    assert stage_gains([scored(0, ("generate", ["a"], "a"), scores={"a": 0.1})]) == {}
    assert stage_scores([]) == {}
    assert stage_scores([failed(0)]) == {}
    # What was recorded before texts were scored names no stage, and is no reason to stop.
    assert stage_scores([record(0)]) == {}


def test_every_text_of_a_question_is_scored_once_and_the_answer_as_its_candidate():
    encoder = FakeEncoder(EMBEDDER)
    texts: list[str] = []
    encode = encoder.encode

    def counting(batch):
        texts.extend(batch)
        return encode(batch)

    encoder.encode = counting
    one = record(
        0,
        answer="good answer",
        reference="the good answer",
        steps=[
            {"node": "generate", "candidates": [draft("bad"), draft("good answer")]},
            {"node": "rerank_drafts", "candidates": [draft("bad"), draft("good answer")]},
        ],
        metrics={"LLM_judge": 0.25},
    )
    score_texts(encoder, [one])
    assert texts == ["good answer", "bad", "the good answer", "the good answer"]
    assert [(score["step"], score["candidate"]) for score in one["candidates"]] == [
        (0, 0),
        (0, 1),
        (1, 0),
        (1, 1),
    ]
    judged = one["metrics"].pop("LLM_judge")
    assert judged == 0.25
    assert one["metrics"] == one["candidates"][1]["metrics"] == one["candidates"][3]["metrics"]
    assert one["metrics"]["ROUGE-1"] == pytest.approx(0.8)  # 2 of 2 and of 3 words
    assert one["candidates"][0]["metrics"]["ROUGE-1"] == 0.0


def test_the_table_says_where_a_stage_ran_and_what_it_changed():
    table = stages_table(stage_gains(RECORDS))
    assert list(table.columns[0].cells) == ["rerank_drafts\n2, 1", "refine\n1, 1"]
    assert list(table.columns[1].cells)[1] == "-.100\nno interval"
