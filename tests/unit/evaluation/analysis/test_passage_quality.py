"""Retrieval of the relevant posts, and the use of their passages in the answer."""

import pytest

from evaluation.analysis.passage_quality import outcome_of, retrieval_quality
from evaluation.analysis.run_results import results_of
from evaluation.statistics.summaries import summarise
from evaluation.tables.results_tables import outcomes_line, results_table, write_results
from graph.config import load_settings
from tests.fakes.records import failed, record

SETTINGS = load_settings("semantic", "embedded", [])
LONG = "one two three four five six seven eight nine"


def passage(number, question_id, text="a passage"):
    return {
        "number": number,
        "question_id": question_id,
        "title": "",
        "text": text,
        "answer_chars": len(text),
        "score": 0.5,
        "url": "",
        "licence": "",
    }


def answered(index, relevant, retrieved, answer="an answer"):
    passages = [passage(number, name) for number, name in enumerate(retrieved, 1)]
    return record(index, relevant_question_ids=relevant, passages=passages, answer=answer)


RECORDS = [
    answered(1, ["7"], ["7", "8", "9"], "use it [1]"),
    answered(2, ["7", "8"], ["1", "8", "9"], "no idea [1]"),
    answered(3, ["7"], ["1", "2", "3"], "see [1]"),
    answered(4, [], ["1", "2", "3"]),
]


def test_hit_rate_recall_and_reciprocal_rank_by_hand():
    quality = retrieval_quality(RECORDS)
    assert (quality["n"], quality["unscored"]) == (3, 1)
    assert quality["hit_rate"] == summarise([1.0, 1.0, 0.0])
    assert quality["recall"] == summarise([1.0, 0.5, 0.0])
    assert quality["MRR"] == summarise([1.0, 0.5, 0.0])


def test_answers_are_split_by_what_became_of_the_relevant_passage():
    outcomes = retrieval_quality(RECORDS)["outcomes"]
    assert {name: group["n"] for name, group in outcomes.items()} == {
        "retrieved and used": 1,
        "retrieved, not used": 1,
        "not retrieved": 1,
    }
    assert outcomes["retrieved and used"]["metrics"]["ROUGE-1"]["mean"] == 0.1
    assert outcomes["not retrieved"]["metrics"]["BLEU"] == summarise([0.3])


@pytest.mark.parametrize(
    ("answer", "text", "used"),
    [
        ("see [1]", "a passage", True),
        ("see [2], [11] and 1", "a passage", False),
        (f"so: {LONG.upper()}!", f"well, {LONG}", True),
        ("two three four, five six seven eight nine", LONG, True),
        ("three four five six seven eight nine", LONG, False),
        ("", "a passage", False),
        ("an answer", "", False),
    ],
)
def test_a_passage_is_used_when_it_is_cited_or_quoted(answer, text, used):
    answered_record = record(
        relevant_question_ids=["7"], passages=[passage(1, "7", text)], answer=answer
    )
    assert outcome_of(answered_record) == ("retrieved and used" if used else "retrieved, not used")


def test_a_post_with_two_passages_is_one_relevant_post():
    quality = retrieval_quality([answered(0, ["7", "7", "8"], ["7", "7"])])
    assert quality["recall"]["mean"] == 0.5


def test_without_relevant_posts_there_is_nothing_to_say():
    assert retrieval_quality([]) is None
    assert retrieval_quality([answered(0, [], ["7"])]) is None


def test_results_leave_out_failed_questions_and_configs_that_retrieve_nothing():
    broken = {**failed(9), "relevant_question_ids": ["7"]}
    results = results_of(SETTINGS, [*RECORDS, broken])
    assert results["retrieval"] == retrieval_quality(RECORDS)
    assert results_of(load_settings("baseline", "embedded", []), RECORDS)["retrieval"] is None


def test_table_and_summary_show_it(tmp_path):
    results = results_of(SETTINGS, RECORDS)
    first = results_table(results).columns[0]
    assert list(first.cells)[-3:] == ["hit rate", "recall of the passages", "MRR"]
    write_results(tmp_path, results)
    text = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert "| hit rate | 0.667 |" in text
    assert outcomes_line(results["retrieval"]) in text
    assert outcomes_line(results["retrieval"]) == (
        "Of 3 questions with known relevant posts: retrieved and used 1 (ROUGE-1 0.100); "
        "retrieved, not used 1 (ROUGE-1 0.200); not retrieved 1 (ROUGE-1 0.300)."
    )
