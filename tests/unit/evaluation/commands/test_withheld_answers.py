"""A run that withholds weak answers: they are unscored everywhere, with the reason, and counted."""

import csv
import json
import os
import shutil
from pathlib import Path

import pytest

from evaluation.analysis.passage_quality import outcome_of
from evaluation.commands import eval_command as cli
from evaluation.commands import verify_command as verify
from evaluation.metrics.criteria import CRITERIA as CRITERIA_METRIC
from evaluation.metrics.registry import METRIC_NAMES
from evaluation.rescoring import judge_pass
from evaluation.rescoring.model_judge import ModelJudge
from evaluation.rescoring.score_files import read_scores
from evaluation.store.journal import Journal
from evaluation.store.recorded_run import read_run
from graph.models import Models
from graph.models.batching import ScoringModel
from graph.models.lockstep import Lockstep
from graph.reranking.formula import Expectation, Formula, Reranker, Term, save_reranker
from graph.support.question_folds import FOLDS
from nodes.state import WITHHELD, is_withheld
from tests.fakes.command_lines import evaluation_document, run_evaluation
from tests.fakes.corpora import SUBJECTS, FakeEncoder, row, write_corpus
from tests.fakes.encoders import StubModel
from tests.fakes.fake_models import ScriptedEngine
from tests.fakes.json_files import strict_json
from tests.fakes.processes import in_child
from tests.fakes.scripted_runs import command, without_weights

CRITERIA_NAME = CRITERIA_METRIC.name
WEAK = {1: "Which boat crosses rivers?", 3: "Best boats, rivers and lakes?"}
"""Questions without an answer: keyword retrieval finds no post for one, and poor ones for the other."""
QUESTIONS = [
    WEAK.get(number, f"Best way: {subject}?") for number, subject in enumerate(SUBJECTS[:6])
]
CRITERIA = json.dumps({"keywords": ["lock", "nested"]})


def write_reranker(path):
    """Write a formula that expects of an answer its cosine with the question."""
    terms = {"question_cosine": Term(1.0, 0.0, 1.0)}
    formula = Formula(terms, Expectation(0.0, terms))
    save_reranker(path, Reranker(formula, (formula,) * FOLDS, frozenset(), {}))
    return path


def write_questions(path):
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["question", "answer", "relevant_question_ids", "criteria"])
        for number, question in enumerate(QUESTIONS):
            writer.writerow([question, f"Do this: {question[:-1]}.", str(number + 1), CRITERIA])
    return path


class Commands:
    """The command of one run, whose config withholds the answers to two of six questions."""

    def __init__(self, monkeypatch, folder):
        self.monkeypatch = monkeypatch
        self.runs = folder / "runs"
        rows = [
            row(number, f"How to {subject}?", answer_body=f"<p>Best way: {subject} so.</p>")
            for number, subject in enumerate(SUBJECTS, 1)
        ]
        self.arguments = (
            *("--profile", "embedded", "--config", "keyword_pick", "--batch_size", "2"),
            *("--dataset", write_questions(folder / "questions.csv"), "--no-report"),
            *("--corpus", write_corpus(folder / "corpus.csv", rows), "--runs", self.runs),
            *("--set", "answer.abstain=0.5"),
            f"rerank.reranker={write_reranker(folder / 'reranker.json')}",
        )
        without_weights(monkeypatch)
        # Equal runs are equal byte for byte without a clock.
        for node in ("retrieve", "extract", "learned"):
            monkeypatch.setattr(f"nodes.{node}.perf_counter", lambda: 0.0)

    def eval(self):
        command(self.monkeypatch, *self.arguments)
        return cli.main()

    @property
    def folder(self):
        (folder,) = self.runs.iterdir()
        return folder

    def results(self):
        names = ("journal.jsonl", "metrics.json", "summary.md")
        return {name: (self.folder / name).read_bytes() for name in names}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The commands of a finished run, which no test changes."""
    with pytest.MonkeyPatch.context() as patch:
        commands = Commands(patch, tmp_path_factory.mktemp("withheld"))
        assert commands.eval() == 0
        yield commands


@pytest.fixture
def run(finished):
    return read_run(finished.folder)


@pytest.fixture
def copy(finished, tmp_path):
    """A copy of the run, which a test may score again."""
    return Path(shutil.copytree(finished.folder, tmp_path / finished.folder.name))


def split(run):
    """Return the withheld records and the others."""
    withheld = [record for record in run.records if is_withheld(record["steps"])]
    return withheld, [record for record in run.records if record not in withheld]


def test_the_answers_to_questions_that_no_post_answers_are_withheld(run):
    withheld, others = split(run)
    assert {record["index"] for record in withheld} == WEAK.keys()
    answers = [record["answer"] for record in withheld]
    nearest = "No answer was found. The nearest posts: [1], [2], [3], [4], [5]."
    assert answers == ["No answer was found.", nearest]
    for record in withheld:
        assert [step["node"] for step in record["steps"]][-2:] == ["abstain", "judge"]
    assert [record["answer"].startswith("Best way: ") for record in others] == [True] * 4


def test_a_withheld_answer_is_unscored_in_every_metric_and_its_candidates_are_not(run):
    withheld, others = split(run)
    for record in withheld:
        assert record["metrics"] == dict.fromkeys([*METRIC_NAMES, CRITERIA_NAME])
        assert record["error"] is None
    for record in others:
        assert None not in record["metrics"].values()
    for record in run.records:
        scores = [candidate["metrics"] for candidate in record["candidates"]]
        assert scores
        assert all(None not in (s["BLEU"], s["ROUGE-1"], s[CRITERIA_NAME]) for s in scores)


def test_the_judge_is_not_asked_about_a_withheld_answer(run):
    withheld, others = split(run)
    assert {bool(record["steps"][-1].get("verdicts")) for record in withheld} == {False}
    assert {len(record["steps"][-1]["verdicts"]) for record in others} == {1}


def test_the_results_count_the_withheld_answers_and_no_stage_of_abstain(finished, run):
    results = strict_json((finished.folder / "metrics.json").read_text())
    assert results["withheld"] == 2
    assert (results["n"], results["failed"], results["empty_answers"]) == (6, 0, 0)
    for summary in results["metrics"].values():
        assert (summary["n"], summary["unscored"]) == (4, 2)
    assert results["judge_errors"] == {}
    assert "abstain" not in results["stages"]
    assert "abstain" not in results["added"]
    # The abstention cites the posts by their numbers, and uses none of them.
    outcomes = [outcome_of(record) for record in split(run)[0]]
    assert outcomes == ["not retrieved", "retrieved, not used"]
    summary = " ".join((finished.folder / "summary.md").read_text().split())
    assert "2 of 6 answers were withheld (answer.abstain), and unscored in every metric" in summary


def test_verify_finds_no_difference_and_names_a_score_of_a_withheld_answer(run, monkeypatch):
    monkeypatch.setattr(verify, "open_encoder", FakeEncoder)
    assert list(verify.differences(run, with_encoder=True)) == []
    assert list(verify.differences(run, with_encoder=False)) == []
    split(run)[0][0]["metrics"]["BLEU"] = 0.25
    lines = list(verify.differences(run, with_encoder=False))
    assert lines[0] == "question 1: BLEU: stored 0.25, recomputed None"


def test_a_pass_leaves_withheld_answers_unscored_with_the_reason(copy, monkeypatch):
    engine = ScriptedEngine()

    def opened(profile, spec, batch_size):
        lockstep = Lockstep()
        model = ScoringModel(engine, lockstep)
        return ModelJudge(Models(model, model, lockstep))

    monkeypatch.setattr(judge_pass, "open_judge", opened)
    ended = run_evaluation(monkeypatch, "judge", "--profile", "embedded", copy, "--json")
    assert ended.code == 0, ended.err
    [result] = json.loads(ended.out)
    assert (result["this"]["n"], result["this"]["unscored"]) == (4, 2)
    assert result["this"]["reasons"] == {WITHHELD: 2}
    run = read_run(copy)
    [recorded] = read_scores(run)
    assert sorted(recorded.scores) == list(range(6))
    for index in WEAK:
        score = recorded.scores[index]
        assert score["scores"] == {"LLM_judge": None}
        assert score["reasons"] == {"LLM_judge": WITHHELD}
        assert score["evidence"] == []
    # Everything is scored: the same command asks nothing.
    again = run_evaluation(monkeypatch, "judge", "--profile", "embedded", copy, "--json")
    assert json.loads(again.out) == [result]
    assert "every answer is scored already" in again.err


def test_the_calibrated_judge_of_a_pass_leaves_them_unscored_too(copy, monkeypatch, capsys):
    monkeypatch.setattr("graph.retrieval.encoder.Encoder._load", lambda self: StubModel())
    arguments = ("judge", "--profile", "embedded", copy, "--judge", "calibrated")
    [result] = evaluation_document(monkeypatch, capsys, *arguments)
    assert (result["this"]["n"], result["this"]["unscored"]) == (4, 2)
    assert result["this"]["reasons"] == {WITHHELD: 2}


def test_the_export_gives_the_reason_in_each_row(copy, monkeypatch, tmp_path):
    target = tmp_path / "rows.jsonl"
    ended = run_evaluation(monkeypatch, "export", copy, "--to", "jsonl", "--out", target)
    assert ended.code == 0, ended.err
    rows = [json.loads(line) for line in target.read_text().splitlines()]
    withheld = [entry for entry in rows if entry["status"] == "unscored"]
    assert len(withheld) == 2 * (len(METRIC_NAMES) + 1)
    assert {(entry["score"], entry["error"]) for entry in withheld} == {(None, WITHHELD)}
    assert {entry["error"] for entry in rows if entry["status"] == "scored"} == {None}


def test_risk_ends_before_the_withheld_answers(copy, monkeypatch, capsys):
    monkeypatch.setattr("evaluation.analysis.risk_coverage.LEAST_RELIABLE", 5)
    document = evaluation_document(monkeypatch, capsys, "risk", copy)
    curves = document["runs"]["keyword_pick"]
    assert (curves["withheld"], curves["no_confidence"]) == (2, 0)
    assert max(point["questions"] for point in curves["points"]) == 4
    assert all(point["threshold"] >= 0.5 for point in curves["points"])


def test_a_run_that_is_killed_and_resumed_has_the_same_results(finished, monkeypatch, tmp_path):
    commands = Commands(monkeypatch, tmp_path)
    real = Journal.append

    def append(self, records):
        real(self, records)
        os._exit(9)

    def killed():
        Journal.append = append
        commands.eval()

    assert in_child(killed).code == 9
    assert len(read_run(commands.folder).records) == 2
    assert commands.eval() == 0
    results, expected = commands.results(), finished.results()
    journals = [
        [json.loads(line)["record"] for line in of["journal.jsonl"].splitlines()]
        for of in (results, expected)
    ]
    assert journals[0] == journals[1]
    assert results["metrics.json"] == expected["metrics.json"]
    assert results["summary.md"] == expected["summary.md"]
