"""Retrieval of the relevant posts, and the use of their passages in the answer."""

import pytest

from evaluation.analysis.passage_quality import USE, outcome_of, retrieval_quality
from evaluation.analysis.run_results import results_of
from evaluation.statistics.summaries import summarise
from evaluation.tables.results_tables import (
    notes,
    outcomes_line,
    results_table,
    retrieval_rows,
    write_results,
)
from graph.config import load_settings
from tests.fakes.project_files import ROOT
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
        ("", "", False),
        ("```\nfirst = row[0]; second = row[1]\n```", "a passage", False),
        ("see [1, 2]", "a passage", False),
        ("Use sorted(d, key=d.get).", "use sorted(d, key=d.get)", True),
        ("No.", "No.", True),
        ("**Zu** groß", "zu GROSS", True),
        ("cafe\u0301", "caf\u00e9", True),
        ("Use sorted(d).", "Use sorted(d, key=d.get).", False),
    ],
)
def test_a_passage_is_used_when_it_is_cited_or_quoted(answer, text, used):
    answered_record = record(
        relevant_question_ids=["7"], passages=[passage(1, "7", text)], answer=answer
    )
    assert outcome_of(answered_record) == ("retrieved and used" if used else "retrieved, not used")


def test_the_documentation_defines_use_as_the_code_does():
    text = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert f"An answer *uses* a passage if it {USE}." in " ".join(text.split())


def test_a_copy_of_the_answer_in_a_passage_uses_it():
    text = "Use sorted(d).\n\nIt was asked:\nHow to sort?"
    source = {**passage(1, "7", text), "answer_chars": len("Use sorted(d).")}
    copied = record(relevant_question_ids=["7"], passages=[source], answer="Use `sorted(d)`")
    assert outcome_of(copied) == "retrieved and used"


def test_a_number_of_another_passage_is_no_use():
    records = [answered(0, ["8"], ["7", "8", "9"], f"see {cited}") for cited in ("[1]", "[1-3]")]
    assert [outcome_of(r) for r in records] == ["retrieved, not used", "retrieved and used"]


OUTSIDE = [
    record(5, relevant_question_ids=["99"], relevant_not_in_corpus=["99"]),
    answered(6, ["7", "99"], ["7", "8"]) | {"relevant_not_in_corpus": ["99"]},
    record(7, relevant_question_ids=["98", "99"], relevant_not_in_corpus=["98", "99"]),
]


def test_a_relevant_post_outside_the_corpus_leaves_its_question_unscored():
    quality = retrieval_quality([*RECORDS, *OUTSIDE])
    assert (quality["n"], quality["unscored"], quality["not_in_corpus"]) == (3, 4, 3)
    for measure in ("hit_rate", "recall", "MRR", "outcomes"):
        assert quality[measure] == retrieval_quality(RECORDS)[measure], measure
    [note] = [n for n in notes(results_of(SETTINGS, [*RECORDS, *OUTSIDE])) if "corpus" in n]
    assert note.startswith("3 questions name a relevant post that retrieval cannot return")
    assert note.endswith("their hit rate, recall and MRR are unscored.")


@pytest.mark.parametrize("count", [1, 2, 3])
def test_where_no_relevant_post_is_in_the_corpus_nothing_is_zero(count):
    results = results_of(SETTINGS, OUTSIDE[:count])
    rows = dict(retrieval_rows(results["retrieval"]))
    assert {name: row["mean"] for name, row in rows.items()} == {
        "hit rate": None,
        "recall of the passages": None,
        "MRR": None,
    }
    assert {row["unscored"] for row in rows.values()} == {count}


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
        "Of 3 questions whose relevant posts are all in the corpus: retrieved and used 1 (ROUGE-1 0.100); "
        "retrieved, not used 1 (ROUGE-1 0.200); not retrieved 1 (ROUGE-1 0.300)."
    )
