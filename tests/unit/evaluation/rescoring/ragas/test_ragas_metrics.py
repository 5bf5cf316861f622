"""Metrics of ragas by hand, and every reason for which one has no value."""

import asyncio
import json
import os

import pytest

pytest.importorskip("ragas", reason="needs the extra: pip install 'opencoder[ragas]'")

from evaluation.rescoring.ragas.ragas_metrics import (
    MODEL_BASED,
    REFERENCE_BASED,
    LocalModels,
    RagasScorer,
    open_ragas,
    score_one,
)
from graph.models.lockstep import Lockstep
from graph.support.errors import PromptTooLongError
from tests.fakes.processes import run_python
from tests.fakes.ragas_writer import ScriptedWriter, TwoWayEncoder, passages
from tests.fakes.records import record


@pytest.fixture(autouse=True, scope="module")
def _ragas():
    open_ragas()


def outcome_of(metric, writer=None, **changes):
    fields = {
        "question": "why is it so?",
        "answer": "because of this",
        "reference": "because of that",
        "passages": passages("one", "two", "three"),
        "relevant_question_ids": ["2", "9"],
    }
    models = LocalModels(writer, TwoWayEncoder()) if writer else None
    return score_one(metric, record(**{**fields, **changes}), models)


def statement(verdict):
    return {"statement": "s", "reason": "r", "verdict": verdict}


def test_faithfulness_is_the_share_of_supported_statements():
    writer = ScriptedWriter(
        StatementGeneratorOutput=[{"statements": ["a", "b", "c", "d"]}],
        NLIStatementOutput=[{"statements": [statement(v) for v in (1, 0, 0, 0)]}],
    )
    outcome = outcome_of("faithfulness", writer)
    assert (outcome.value, outcome.reason) == (0.25, None)
    assert "because of this" in writer.prompts[0]
    assert "one\\ntwo\\nthree" in writer.prompts[1]
    replies = [json.loads(reply["text"]) for reply in outcome.evidence["replies"]]
    assert replies[0] == {"statements": ["a", "b", "c", "d"]}
    assert len(replies) == 2


@pytest.mark.parametrize(
    ("question", "noncommittal", "expected"),
    [("why so?", 0, 1.0), ("how so?", 0, 0.0), ("why so?", 1, 0.0)],
)
def test_answer_relevancy_compares_the_question_asked_of_the_answer(
    question, noncommittal, expected
):
    writer = ScriptedWriter(
        AnswerRelevanceOutput=[{"question": question, "noncommittal": noncommittal}]
    )
    assert outcome_of("answer_relevancy", writer).value == pytest.approx(expected)
    assert len(writer.prompts) == 1


def test_context_precision_is_the_average_precision_of_the_passages():
    writer = ScriptedWriter(
        ContextPrecisionOutput=[{"reason": "r", "verdict": v} for v in (1, 0, 1)]
    )
    # Precision at the useful ranks 1 and 3: 1 and 2/3.
    assert outcome_of("context_precision", writer).value == pytest.approx((1 + 2 / 3) / 2)


def test_context_recall_is_the_share_of_attributed_statements():
    rows = [{"statement": "s", "reason": "r", "attributed": v} for v in (1, 1, 0, 1)]
    writer = ScriptedWriter(ContextRecallOutput=[{"classifications": rows}])
    assert outcome_of("context_recall", writer).value == 0.75


def test_metrics_from_references_by_hand():
    assert outcome_of("id_context_precision").value == pytest.approx(1 / 3)
    assert outcome_of("id_context_recall").value == pytest.approx(1 / 2)


@pytest.mark.parametrize(
    ("metric", "changes", "reason"),
    [
        ("id_context_recall", {"relevant_question_ids": []}, "names no relevant posts"),
        ("id_context_recall", {"relevant_not_in_corpus": ["9"]}, "one that the corpus lacks"),
        ("id_context_precision", {"passages": []}, "no passages"),
        ("faithfulness", {"answer": ""}, "empty answer"),
        ("faithfulness", {"passages": []}, "no passages"),
        ("answer_relevancy", {"answer": " "}, "empty answer"),
        ("context_precision", {"reference": " \n"}, "no reference"),
        ("context_recall", {"reference": ""}, "no reference"),
        ("context_recall", {"passages": []}, "no passages"),
    ],
)
def test_what_is_missing_is_the_reason_and_no_score(metric, changes, reason):
    outcome = outcome_of(metric, ScriptedWriter(), **changes)
    assert outcome.value is None
    assert reason in outcome.reason


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("no JSON", "the reply does not parse"),
        ('{"question": "why', "did not end within 1024 tokens"),
        (PromptTooLongError("999 tokens"), "the prompt does not fit the window"),
        (RuntimeError("out of\nmemory"), "RuntimeError: out of memory"),
    ],
)
def test_what_goes_wrong_with_the_model_is_the_reason_and_no_score(answer, reason):
    outcome = outcome_of("answer_relevancy", ScriptedWriter(AnswerRelevanceOutput=[answer]))
    assert outcome.value is None
    assert reason in outcome.reason


def test_no_statement_to_judge_is_no_score():
    writer = ScriptedWriter(StatementGeneratorOutput=[{"statements": []}])
    outcome = outcome_of("faithfulness", writer)
    assert (outcome.value, outcome.reason) == (None, "ragas gave no number: nothing to judge")
    assert len(outcome.evidence["replies"]) == 1


def test_hostile_text_breaks_no_prompt():
    nasty = '\ud800 {x} {{}} %s "\\ </s><|im_end|> \x00 你好 {"question": 1}'
    writer = ScriptedWriter(
        StatementGeneratorOutput=[{"statements": ["{braces} 你好"]}],
        NLIStatementOutput=[{"statements": [statement(1)]}],
    )
    outcome = outcome_of(
        "faithfulness", writer, question=nasty, answer=nasty, passages=passages(nasty)
    )
    assert outcome.value == 1.0
    # What stands behind "input: " is JSON with the very same text in it, bar the lone surrogate.
    data = writer.prompts[0].rpartition("input: ")[2].rpartition("\nOutput:")[0]
    assert json.loads(data)["answer"] == nasty.replace("\ud800", "?").strip()
    for metric in REFERENCE_BASED:
        assert outcome_of(metric, answer=nasty, relevant_question_ids=[nasty]).value == 0.0


def test_no_metric_starts_an_event_loop(monkeypatch):
    def refuse(*_):
        raise AssertionError("an event loop opens sockets")

    monkeypatch.setattr(asyncio, "new_event_loop", refuse)
    monkeypatch.setattr(asyncio, "run", refuse)
    test_faithfulness_is_the_share_of_supported_statements()
    test_context_precision_is_the_average_precision_of_the_passages()
    test_context_recall_is_the_share_of_attributed_statements()
    test_metrics_from_references_by_hand()


def test_a_batch_gives_every_question_every_metric_or_its_reason():
    records = [record(0, passages=passages("x")), record(1, answer="")]
    scores = RagasScorer((*REFERENCE_BASED, *MODEL_BASED), Lockstep(), None)(records, lambda: None)
    names = {f"ragas_{name}" for name in (*REFERENCE_BASED, *MODEL_BASED)}
    for score, scored_record in zip(scores, records, strict=True):
        assert score["index"] == scored_record["index"]
        assert score["scores"].keys() == names
        unscored = {name for name, value in score["scores"].items() if value is None}
        assert score["reasons"].keys() == unscored
    assert scores[0]["reasons"]["ragas_faithfulness"] == "no model was asked"
    assert scores[1]["reasons"]["ragas_faithfulness"] == "empty answer"


IMPORT_AND_SCORE = """
import os, socket, sys

reached = []
for name in ("connect", "connect_ex", "sendto"):
    setattr(socket.socket, name, lambda self, *args: reached.append(args))
for name in ("getaddrinfo", "gethostbyname"):
    setattr(socket, name, lambda *args, **kwargs: reached.append(args))

from evaluation.rescoring.ragas.ragas_metrics import open_ragas, score_one
from tests.fakes.ragas_writer import passages
from tests.fakes.records import record

open_ragas()
assert os.environ["RAGAS_DO_NOT_TRACK"] == "true"
from ragas._analytics import do_not_track

assert do_not_track()
ids = {"passages": passages("x"), "relevant_question_ids": ["1"]}
assert score_one("id_context_recall", record(1, **ids), None).value == 1.0
print(reached)
"""


def test_importing_and_scoring_reaches_for_no_network_and_leaves_no_file(tmp_path):
    env = {**os.environ, "HOME": str(tmp_path), "RAGAS_DO_NOT_TRACK": "false"}
    env.pop("XDG_DATA_HOME", None)
    result = run_python("-c", IMPORT_AND_SCORE, env=env)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == "[]"
    assert not list(tmp_path.rglob("uuid.json"))
