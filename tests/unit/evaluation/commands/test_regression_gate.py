"""compare --fail-if-worse: exit code 1 where a test says worse, 0 where none does, 2 without a test."""

import json
import shutil

import pytest

from evaluation.metrics.registry import METRIC_NAMES
from tests.fakes.command_lines import run_evaluation
from tests.fakes.records import failed
from tests.fakes.run_folders import make_run, scored

SCORES = [n % 7 / 10 + 0.2 for n in range(40)]
LOWER = [score * 0.8 for score in SCORES]


@pytest.fixture
def gate(monkeypatch):
    """Run compare with --fail-if-worse in a child process."""

    def run(metrics, *arguments):
        return run_evaluation(monkeypatch, "compare", *arguments, "--fail-if-worse", metrics)

    return run


@pytest.fixture
def run_of(tmp_path):
    def make(name, records, **changes):
        return make_run(tmp_path / name, records, config=changes.pop("config", name), **changes)

    return make


def with_metric(values, metric):
    """Return records with these values of one metric, and SCORES for all others."""
    return [
        {**entry, "metrics": {**entry["metrics"], metric: value}}
        for entry, value in zip(scored(SCORES), values, strict=True)
    ]


def test_equal_runs_pass(gate, run_of):
    ended = gate(
        "ROUGE-1,BLEU", run_of("keyword", scored(SCORES)), run_of("semantic", scored(SCORES))
    )
    assert ended.code == 0, ended.err
    assert "no test of 2 found a run worse than keyword" in " ".join(ended.out.split())
    assert "This does not show that the runs are equal." in " ".join(ended.out.split())


def test_a_copy_of_the_baseline_passes(gate, run_of, tmp_path):
    baseline = run_of("keyword", scored(SCORES))
    shutil.copytree(baseline, tmp_path / "copy")
    assert gate("ROUGE-1", baseline, tmp_path / "copy").code == 0


def test_one_folder_named_twice_is_refused(gate, run_of):
    baseline = run_of("keyword", scored(SCORES))
    ended = gate("ROUGE-1", baseline, baseline.parent / "." / baseline.name)
    assert ended.code == 2
    assert "name each run once" in ended.err


def test_a_worse_run_fails_with_n_and_power(gate, run_of):
    ended = gate("ROUGE-1", run_of("keyword", scored(SCORES)), run_of("semantic", scored(LOWER)))
    assert ended.code == 1, ended.err
    text = " ".join(ended.out.split())
    assert "semantic against keyword by ROUGE-1: worse; 40 questions, 0 unscored, 0 failed" in text
    assert "40 such questions show a difference of ." in text
    assert "in a single test at .05, before Holm's adjustment." in text
    assert "1 of 1 test found a run worse than keyword" in text


def test_a_better_run_passes(gate, run_of):
    runs = run_of("keyword", scored(LOWER)), run_of("semantic", scored(SCORES))
    assert gate("ROUGE-1", *runs).code == 0


def test_only_the_named_metrics_are_tested(gate, run_of):
    runs = (
        run_of("keyword", scored(SCORES)),
        run_of("semantic", with_metric(LOWER, "ROUGE-1")),
    )
    ended = gate("ROUGE-1, BLEU,BLEU", *runs, "--json")
    document = json.loads(ended.out)
    assert ended.code == 1
    assert [row["metric"] for row in document["pairs"]] == ["ROUGE-1", "BLEU"]
    assert document["gate"] == {
        "baseline": "keyword",
        "metrics": ["ROUGE-1", "BLEU"],
        "tests": 2,
        "worse": [["semantic", "ROUGE-1"]],
    }
    assert gate("BLEU", *runs).code == 0


def test_every_later_run_is_tested_against_the_first_alone(gate, run_of):
    runs = [
        run_of("keyword", scored(LOWER)),
        run_of("semantic", scored(SCORES)),
        run_of("hybrid", scored(LOWER)),
    ]
    ended = gate("ROUGE-1", *runs, "--json")
    assert ended.code == 0
    pairs = [(row["a"], row["b"]) for row in json.loads(ended.out)["pairs"]]
    assert pairs == [("semantic", "keyword"), ("hybrid", "keyword")]
    assert gate("ROUGE-1", runs[1], runs[0], runs[2]).code == 1


def test_holm_decides_over_the_tests_of_the_gate(gate, run_of):
    # 6 of 7 questions worse: p is 4 / 128, below .05 alone and above it as one of two tests.
    runs = (
        run_of("keyword", scored([0.5] * 7)),
        run_of("semantic", scored([0.4, 0.3, 0.2, 0.1, 0.4, 0.3, 0.51])),
    )
    assert gate("ROUGE-1", *runs).code == 1
    assert gate("ROUGE-1,BLEU", *runs).code == 0


@pytest.mark.parametrize(
    ("questions", "metrics", "code"),
    [(5, "ROUGE-1", 2), (6, "ROUGE-1", 0), (6, "ROUGE-1,BLEU", 2), (7, "ROUGE-1,BLEU", 0)],
)
def test_a_gate_that_cannot_fail_is_no_pass(gate, run_of, questions, metrics, code):
    runs = (
        run_of("keyword", scored(SCORES[:questions])),
        run_of("semantic", scored(SCORES[:questions])),
    )
    ended = gate(metrics, *runs)
    assert ended.code == code
    assert ("cannot find a run worse, whatever its scores" in ended.err) is (code == 2)


@pytest.mark.parametrize("metrics", ["ROUGE-1", "BLEU,ROUGE-1"])
def test_a_test_that_cannot_fail_is_no_pass(gate, run_of, metrics):
    few = with_metric([*LOWER[:5], *[None] * 35], "ROUGE-1")
    ended = gate(metrics, run_of("keyword", scored(SCORES)), run_of("semantic", few))
    assert (ended.code, ended.out) == (2, "")
    assert "ROUGE-1 of semantic has 5 questions (35 unscored, 0 failed)" in ended.err


def test_scores_of_other_code_are_refused(gate, run_of):
    runs = (
        run_of("keyword", scored(SCORES)),
        run_of("semantic", scored(LOWER), metrics="45"),
    )
    ended = gate("ROUGE-1", *runs)
    assert (ended.code, ended.out) == (2, "")
    assert "other code of the metrics scored semantic than keyword" in ended.err


@pytest.mark.parametrize(
    "other",
    [
        scored(SCORES[:30]),
        scored([*SCORES, 0.5]),
        [{**entry, "question": f"how {entry['index']}?"} for entry in scored(SCORES)],
        [{**scored(SCORES)[0], "reference": "another"}, *scored(SCORES)[1:]],
    ],
    ids=["fewer", "more", "other questions", "another reference"],
)
def test_runs_of_other_questions_do_not_pair(gate, run_of, other):
    ended = gate("ROUGE-1", run_of("keyword", scored(SCORES)), run_of("semantic", other))
    assert (ended.code, ended.out) == (2, "")
    assert "do not hold the same questions: they share" in ended.err
    assert len(ended.err.splitlines()) == 1


def test_an_unfinished_run_does_not_pair(gate, run_of):
    runs = (
        run_of("keyword", scored(SCORES), questions=41, results=False),
        run_of("semantic", scored(SCORES), questions=41, results=False),
    )
    ended = gate("ROUGE-1", *runs)
    assert ended.code == 2
    assert "is unfinished, 40 of 41 questions are done" in ended.err


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        ("rouge1", "there is no metric 'rouge1'; did you mean ROUGE-1?"),
        ("BLUE", "did you mean BLEU?"),
        ("LLM_judge", "no run has a score of it; the runs have scores of BLEU, ROUGE-1"),
        ("BLEU,,ROUGE-1", "is no list of metrics"),
        ("", "is no list of metrics"),
    ],
)
def test_a_metric_that_cannot_be_tested_is_refused(gate, run_of, metrics, message):
    unjudged = with_metric([None] * 40, "LLM_judge")
    ended = gate(metrics, run_of("keyword", unjudged), run_of("semantic", unjudged))
    assert (ended.code, ended.out) == (2, "")
    assert message in ended.err


def test_scores_of_another_judge_are_refused(gate, run_of):
    judge = {"model": "k", "weights": "hub", "revision": "r1", "dtype": "float32"}
    runs = (
        run_of("keyword", scored(SCORES)),
        run_of("semantic", scored(SCORES), judge=judge),
    )
    ended = gate("LLM_judge", *runs)
    assert ended.code == 2
    assert "another judge measured it" in ended.err
    assert gate("BLEU", *runs).code == 0


def test_a_run_whose_questions_failed_is_no_pass(gate, run_of):
    lost = [{**failed(entry["index"]), "question": entry["question"]} for entry in scored(SCORES)]
    ended = gate("ROUGE-1", run_of("keyword", scored(SCORES)), run_of("semantic", lost))
    assert ended.code == 2
    assert (
        "0 questions have a score in both semantic and keyword (unscored 0, failed 40)" in ended.err
    )


def test_failed_questions_are_counted_beside_the_decision(gate, run_of):
    some = [
        {**failed(entry["index"]), "question": entry["question"]} if entry["index"] < 3 else entry
        for entry in scored(SCORES)
    ]
    ended = gate("ROUGE-1", run_of("keyword", scored(SCORES)), run_of("semantic", some))
    assert ended.code == 0
    assert "37 questions, 0 unscored, 3 failed" in " ".join(ended.out.split())


def test_every_metric_can_be_named(gate, run_of):
    runs = run_of("keyword", scored(SCORES)), run_of("semantic", scored(LOWER))
    document = json.loads(gate(",".join(METRIC_NAMES), *runs, "--json").out)
    assert [metric for _, metric in document["gate"]["worse"]] == list(METRIC_NAMES)
