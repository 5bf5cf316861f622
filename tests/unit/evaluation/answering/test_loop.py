"""The loop: batches side by side, every question recorded, a bad one costing itself alone."""

import json
import re

import pytest

from evaluation.analysis.run_results import results_of
from evaluation.answering.batch_records import OneProcess, answer_batch
from evaluation.answering.loop import run_loop
from evaluation.answering.questions import Item, batches
from evaluation.metrics.registry import METRIC_NAMES, STAGE_METRICS, score_answers
from evaluation.store.checked_lines import encode
from evaluation.store.journal import Journal
from graph.config import load_settings
from tests.fakes.records import key_of_items
from tests.fakes.scripted_runs import Scripted, answer_for, items, number_of, question
from tests.fakes.waiting import at_most_cpu_seconds

BAD = 5
BATCH = 4
COUNT = 8
OUTPUTS = [
    *("", " \n\t ", "\x00", "\x00\x01\x02\x1b[31m\x9b", "\x1b]0;title\x07\x1b]52;c;AAAA\x07"),
    *("x" * 100_000, "word " * 30_000, "\n" * 3_000, "The same. " * 5_000, "again\n" * 20_000),
    *("\ud800\udfff", "half \ud83d", "\ufeffmark", "\u202egnp\u2028\u2029", "👩‍💻" * 3_000),
    *("{question} {0.__class__} {{x}} %s $y", "Instruct: next\nOutput: x", "\nQuestion: more"),
    *("```python\nunclosed", "<|im_end|></s>[INST]", '{"crc32": "0", "record": {}}', "NaN"),
    *("1. one\n2. two", "No problems.", "=====00000000 end\n4", "\r\r\n\r", "<script>x</script>"),
]
KEY = key_of_items(items(COUNT), BATCH)
NO_TEXT = [None, 7, b"bytes", ["a"], float("nan"), object()]


@pytest.fixture(autouse=True)
def _no_clock(monkeypatch):
    """Records of equal runs are equal byte for byte: only retrieve looks at a clock here."""
    monkeypatch.setattr("nodes.retrieve.perf_counter", lambda: 0.0)


@pytest.fixture
def journal(tmp_path):
    opened = Journal(tmp_path / "journal.jsonl", KEY)
    yield opened
    opened.close()


def line_of(record):
    return encode(record, KEY.digest)


def records_of(answer, config="semantic"):
    """Answer eight questions in two batches and return their records."""
    scripted = Scripted(answer, config)
    plan = batches(items(COUNT), BATCH)
    return [record for batch in plan for record in answer_batch(scripted.setup, batch)]


@pytest.fixture(scope="module")
def clean():
    """The bytes of the eight records where nothing goes wrong."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nodes.retrieve.perf_counter", lambda: 0.0)
        return [line_of(record) for record in records_of(answer_for)]


def only_question(number, output):
    """Answer every question as usual and one of them with something else, at every step."""

    def answer(prompt):
        if number_of(prompt) != number:
            return answer_for(prompt)
        if isinstance(output, Exception):
            raise output
        return output

    return answer


def assert_others_are_untouched(records, clean, bad):
    assert [record["index"] for record in records] == list(range(COUNT))
    for record, line in zip(records, clean, strict=True):
        if record["index"] not in bad:
            assert line_of(record) == line


def test_the_plan_follows_from_the_questions_and_the_size_alone():
    ten = items(10)
    plan = batches(ten, 4)
    assert [[item.index for item in batch] for batch in plan] == [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
        [8, 9],
    ]
    assert [len(batch) for batch in batches(ten, 100)] == [10]
    assert batches([], 4) == []


def test_a_batch_is_asked_in_one_call_a_step(journal):
    scripted = Scripted(config="semantic_cot")
    session = run_loop(OneProcess(scripted.setup), items(6), 4, journal)
    # Reasoning, draft, critique and refinement, of four questions and then of two.
    assert [len(call) for call in scripted.writer.calls] == [4] * 4 + [2] * 4
    assert [len(call) for call in scripted.judge.calls] == [4, 2]
    assert (session.questions, session.recomputed, session.not_reproduced) == (6, 0, 0)
    assert session.calls.new_tokens == 6 * 4 * 3
    assert session.seconds > 0


def test_a_record_holds_everything_about_its_question(tmp_path):
    item = Item(0, "id-7", question(0), "because", ("8", "9"))
    journal = Journal(tmp_path / "journal.jsonl", key_of_items([item]))
    setup = Scripted(config="semantic").setup._replace(not_in_corpus=frozenset(["9", "10"]))
    run_loop(OneProcess(setup), [item], 1, journal)
    (record,) = journal.entries.values()
    assert record["index"] == 0
    assert record["eval_id"] == "id-7"
    assert record["question"] == question(0)
    assert record["reference"] == "because"
    assert record["relevant_question_ids"] == ["8", "9"]
    assert record["relevant_not_in_corpus"] == ["9"]
    assert record["encoder_parts"] == {"answer": 1, "reference": 1}
    assert record["error"] is None
    assert record["reasoning"] == ""
    nodes = ["retrieve", "generate", "critique", "refine", "judge"]
    assert [step["node"] for step in record["steps"]] == nodes
    assert [passage["text"] for passage in record["passages"]] == ["one passage", "another"]
    assert record["answer"] == record["steps"][3]["answer"]
    assert list(record["metrics"]) == list(METRIC_NAMES)
    assert record["metrics"]["LLM_judge"] == 0.5


@pytest.mark.parametrize("tags", [None, (), ("python", "list")])
def test_a_record_holds_the_tags_if_the_dataset_has_a_column_of_them(tmp_path, tags):
    item = Item(0, "q", question(0), "because", (), tags=tags)
    path, key = tmp_path / "journal.jsonl", key_of_items([item])
    journal = Journal(path, key)
    run_loop(OneProcess(Scripted().setup), [item], 1, journal)
    journal.close()
    (record,) = Journal(path, key).entries.values()
    assert record.get("tags") == (None if tags is None else list(tags))


def test_a_reference_never_reaches_a_model_that_answers():
    scripted = Scripted(config="semantic_cot_rerank_initial")
    answer_batch(scripted.setup, [Item(0, "q", question(0), "the secret reference", ())])
    prompts = [prompt for call in scripted.writer.calls for prompt in call]
    assert len(prompts) > 5
    assert not [prompt for prompt in prompts if "secret" in prompt]
    assert "the secret reference" in scripted.judge.calls[0][0]


def test_scores_are_on_the_answer_alone_and_never_on_the_prompt():
    reference = "use copy deepcopy on the nested list instead"
    scripted = Scripted(lambda prompt: reference)
    (record,) = answer_batch(scripted.setup, [Item(0, "q", question(0), reference, ())])
    assert record["answer"] == reference
    [scores] = score_answers([reference], [reference], scripted.setup.encoder)
    assert record["metrics"] == pytest.approx({**scores, "LLM_judge": 0.5}, abs=1e-6)
    assert record["metrics"]["BLEU"] == pytest.approx(1.0)
    assert question(0) in record["steps"][0]["replies"][0]["prompt"]


def test_without_a_judge_its_metric_is_unscored_and_the_others_are_there():
    from graph.build import judged_graph

    scripted = Scripted()
    answering = scripted.setup.graph.nodes["answering"].bound
    setup = scripted.setup._replace(graph=judged_graph(answering, None))
    (record,) = answer_batch(setup, items(1))
    assert record["metrics"]["LLM_judge"] is None
    assert record["metrics"]["BLEU"] > 0
    assert [step["node"] for step in record["steps"]] == ["generate"]


def test_without_a_reference_the_question_is_answered_and_unscored():
    (record,) = answer_batch(Scripted().setup, [Item(0, "q", question(0), "", ())])
    assert record["answer"].startswith("because of reason 0")
    assert {record["metrics"][name] for name in STAGE_METRICS} == {None}


def test_a_run_of_the_same_questions_gives_the_same_bytes(clean):
    assert [line_of(record) for record in records_of(answer_for)] == clean


def test_a_question_that_raises_is_a_record_with_its_error(clean):
    records = records_of(only_question(BAD, ValueError("no\nanswer")))
    assert_others_are_untouched(records, clean, {BAD})
    assert records[BAD] == {
        "index": BAD,
        "eval_id": "q5",
        "question": question(BAD),
        "reference": "because of reason 5 and 5",
        "relevant_question_ids": [],
        "relevant_not_in_corpus": [],
        "answer": "",
        "reasoning": "",
        "passages": [],
        "steps": [],
        "error": {"type": "ValueError", "message": "no\nanswer", "of_question": False},
        "metrics": {},
        "encoder_parts": None,
        "candidates": [],
    }


def test_an_endless_error_message_is_cut():
    records = records_of(only_question(BAD, RuntimeError("x" * 1_000_000)))
    assert records[BAD]["error"] == {
        "type": "RuntimeError",
        "message": "x" * 1_000,
        "of_question": False,
    }


def test_a_failure_is_named_in_one_line_on_the_log(caplog):
    records_of(only_question(BAD, ValueError("a\n\tbad   answer")))
    assert caplog.messages == ["question q5 failed: ValueError: a bad answer"]


def test_all_questions_of_a_batch_may_fail(clean, journal):
    def answer(prompt):
        if number_of(prompt) < BATCH:
            raise ValueError("no")
        return answer_for(prompt)

    run_loop(OneProcess(Scripted(answer, "semantic").setup), items(COUNT), BATCH, journal)
    records = [journal.entries[number] for number in range(COUNT)]
    assert_others_are_untouched(records, clean, set(range(BATCH)))
    results = results_of(load_settings("semantic", "embedded", []), records)
    assert (results["n"], results["failed"]) == (COUNT, BATCH)
    assert results["metrics"]["BLEU"]["n"] == COUNT - BATCH


def test_there_are_twenty_five_bad_outputs():
    assert len(OUTPUTS) >= 25


@pytest.mark.parametrize("output", OUTPUTS, ids=lambda text: ascii(text)[:20])
def test_a_bad_output_costs_at_most_its_own_question(clean, output):
    records = records_of(only_question(BAD, output))
    assert_others_are_untouched(records, clean, {BAD})
    record = json.loads(line_of(records[BAD]))["record"]
    assert record["error"] is None
    assert len(record["answer"]) <= 20_000
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", record["answer"])
    for name in METRIC_NAMES:
        assert 0.0 <= record["metrics"][name] <= 1.0 + 1e-9
    if not record["answer"]:
        assert {record["metrics"][name] for name in STAGE_METRICS} == {0.0}


def test_an_answer_of_blank_lines_takes_no_more_time_than_another():
    with at_most_cpu_seconds(5):
        records = records_of(only_question(BAD, "\n" * 20_000), "baseline")
        assert records[BAD]["answer"] == ""


@pytest.mark.parametrize("output", NO_TEXT, ids=lambda value: type(value).__name__)
def test_what_is_no_text_costs_its_own_question(clean, output):
    records = records_of(only_question(BAD, output))
    assert_others_are_untouched(records, clean, {BAD})
    assert records[BAD]["error"] is not None
    line_of(records[BAD])


def test_an_engine_that_loses_an_answer_fails_its_batch_and_mixes_nothing_up(clean):
    scripted = Scripted(config="semantic")
    write_all = scripted.writer.write_all

    def lossy(prompts, *rest):
        replies = write_all(prompts, *rest)
        return replies[:-1] if number_of(replies[0]["prompt"]) < BATCH else replies

    scripted.writer.write_all = lossy
    records = [
        record
        for batch in batches(items(COUNT), BATCH)
        for record in answer_batch(scripted.setup, batch)
    ]
    assert_others_are_untouched(records, clean, set(range(BATCH)))
    for record in records[:BATCH]:
        assert record["error"] == {
            "type": "RuntimeError",
            "message": "the model returned 3 outcomes for 4 items",
            "of_question": False,
        }


def test_a_judge_that_fails_leaves_the_answer_and_its_other_scores(clean):
    scripted = Scripted(config="semantic")

    def fail(prompts, options):
        raise ValueError("judge")

    scripted.judge.choose_all = fail
    records = answer_batch(scripted.setup, items(2))
    for record, line in zip(records, clean, strict=False):
        expected = json.loads(line)["record"]
        assert record["answer"] == expected["answer"]
        assert record["error"] is None
        assert record["metrics"] == {**expected["metrics"], "LLM_judge": None}
        assert record["steps"][-1]["error"] == "ValueError: judge"


def test_an_interrupt_in_a_question_ends_the_run_and_writes_no_half_batch(journal):
    scripted = Scripted()

    def interrupted(prompts, *_):
        raise KeyboardInterrupt

    scripted.judge.choose_all = interrupted
    with pytest.raises(KeyboardInterrupt):
        run_loop(OneProcess(scripted.setup), items(COUNT), BATCH, journal)
    assert journal.entries == {}


def test_what_is_in_the_journal_is_not_asked_again(journal):
    first = Scripted()
    run_loop(OneProcess(first.setup), items(COUNT)[:BATCH], BATCH, journal)
    second = Scripted()
    session = run_loop(OneProcess(second.setup), items(COUNT), BATCH, journal)
    assert second.question_numbers() == [4, 5, 6, 7]
    assert (session.questions, session.recomputed) == (4, 0)
    assert list(journal.entries) == list(range(COUNT))
    assert run_loop(OneProcess(Scripted().setup), items(COUNT), BATCH, journal).questions == 0


def test_questions_are_skipped_by_their_place_and_not_by_their_count(journal):
    records = answer_batch(Scripted().setup, items(COUNT))
    journal.append([records[6], records[1]])
    scripted = Scripted()
    session = run_loop(OneProcess(scripted.setup), items(COUNT), BATCH, journal)
    assert sorted(journal.entries) == list(range(COUNT))
    assert (session.questions, session.recomputed, session.not_reproduced) == (6, 2, 0)
    # Both batches are asked for as a whole, so that each keeps its shape.
    assert [len(call) for call in scripted.writer.calls] == [4, 4]


def test_each_batch_is_in_the_journal_before_the_next_is_asked_for(journal):
    progress = []

    def answer(prompt):
        progress.append((number_of(prompt), len(journal.entries)))
        return answer_for(prompt)

    run_loop(OneProcess(Scripted(answer).setup), items(COUNT), BATCH, journal)
    assert progress == [(number, number // BATCH * BATCH) for number in range(COUNT)]
