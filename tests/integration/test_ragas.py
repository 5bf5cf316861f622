"""Ragas with the embedded model: replies follow their schema, and no network is used."""

import json
import socket

import pytest

pytest.importorskip("ragas", reason="needs the extra: pip install 'opencoder[ragas]'")

from evaluation.rescoring.ragas.ragas_metrics import MODEL_BASED, REFERENCE_BASED
from evaluation.rescoring.ragas.ragas_pass import score_with_ragas
from evaluation.rescoring.score_files import read_scores
from evaluation.store.recorded_run import read_run
from graph.config import load_profile
from graph.models.engines.huggingface_engine import HuggingFaceEngine
from graph.models.lockstep import Lockstep
from graph.models.schema_writer import SchemaWriter
from tests.fakes.ragas_writer import passages
from tests.fakes.records import record
from tests.fakes.run_folders import make_run

pytestmark = pytest.mark.usefixtures("embedded_models")

VERDICTS = {
    "type": "object",
    "properties": {
        "rows": {
            "type": "array",
            "minItems": 2,
            "maxItems": 2,
            "items": {
                "type": "object",
                "properties": {
                    "said": {"type": "string", "minLength": 1, "maxLength": 20},
                    "verdict": {"type": "integer", "minimum": 0, "maximum": 1},
                },
                "required": ["said", "verdict"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["rows"],
    "additionalProperties": False,
}
ONE_WORD = {"enum": ["yes", "no"]}


@pytest.fixture(scope="module")
def writer():
    lockstep = Lockstep()
    engine = HuggingFaceEngine(load_profile("embedded").judge)
    return lockstep, SchemaWriter(engine, lockstep, batch_size=4)


def test_each_row_of_a_batch_follows_its_own_schema(writer):
    lockstep, schema_writer = writer
    texts = ["Is Paris a city?", "Say two things about Paris. {x} 你好 <|im_end|>\n" * 5]
    outcomes = lockstep.run(
        [
            lambda: schema_writer.write(texts[0], ONE_WORD, 80),
            lambda: schema_writer.write(texts[1], VERDICTS, 80),
        ]
    )
    word, rows = (json.loads(outcome.value["text"]) for outcome in outcomes)
    assert word in ("yes", "no")
    assert [row["verdict"] in (0, 1) for row in rows["rows"]] == [True, True]
    assert all(1 <= len(row["said"]) <= 20 for row in rows["rows"])
    # The word ends with its grammar, although the other row of the batch goes on.
    assert outcomes[0].value["new_tokens"] < 8


def test_a_prompt_that_does_not_fit_is_an_error_of_its_row_alone(writer):
    lockstep, schema_writer = writer
    outcomes = lockstep.run(
        [
            lambda: schema_writer.write("word " * 3000, ONE_WORD, 80),
            lambda: schema_writer.write("Is Paris a city?", ONE_WORD, 80),
        ]
    )
    assert type(outcomes[0].error).__name__ == "PromptTooLongError"
    assert json.loads(outcomes[1].value["text"]) in ("yes", "no")


def test_every_metric_has_a_value_or_a_counted_reason_and_nothing_is_sent(tmp_path, monkeypatch):
    reached = []
    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, lambda self, *args: reached.append(args))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: reached.append(args))
    records = [
        record(
            0,
            question="How do I copy a nested list?",
            answer="Use copy.deepcopy.",
            reference="Call copy.deepcopy on the list.",
            passages=passages("copy.deepcopy copies a list and all lists in it."),
            relevant_question_ids=["1"],
        ),
        record(1, question="\ud800 {x} <|im_end|>", answer="", passages=[]),
    ]
    from evaluation.rescoring.ragas.ragas_model import reply_tokens

    folder = make_run(tmp_path / "run", records)
    profile = load_profile("embedded")
    # A small window makes short replies.
    judge = profile.judge.model_copy(update={"window": 768})
    profile = profile.model_copy(update={"judge": judge})
    summary = score_with_ragas(folder, profile)
    assert reached == []
    assert summary["metrics"].keys() == {f"ragas_{n}" for n in (*REFERENCE_BASED, *MODEL_BASED)}
    for metric, counts in summary["metrics"].items():
        assert counts["n"] + counts["unscored"] == 2, metric
        assert sum(counts["reasons"].values()) == counts["unscored"], metric
    [scoring] = read_scores(read_run(folder))
    replies = [r for line in scoring.scores[0]["evidence"] for r in line["replies"]]
    assert len(replies) >= len(MODEL_BASED)
    # Complete replies follow their schema; a reply of digits takes a token for each and is cut off.
    ended = [reply for reply in replies if reply["new_tokens"] < reply_tokens(768)]
    assert ended
    assert all(json.loads(reply["text"]) for reply in ended)
    cut = "the reply did not end within 96 tokens"
    reasons = {*scoring.scores[0]["reasons"].values()}
    assert reasons <= {cut}
