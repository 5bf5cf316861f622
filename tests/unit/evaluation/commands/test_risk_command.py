"""python -m evaluation risk: run folders in, tables or one JSON document out."""

from functools import partial

import pytest

from evaluation.analysis.risk_coverage import run_curves
from evaluation.rescoring.score_files import PassSpec, ScoreFile, fingerprint
from evaluation.store.recorded_run import read_run
from tests.fakes.candidate_pools import draft, passage
from tests.fakes.command_lines import evaluation_document, evaluation_output, run_evaluation
from tests.fakes.records import record
from tests.fakes.run_folders import contents, make_run, scored


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch):
    monkeypatch.setattr("evaluation.statistics.intervals.MEAN_RESAMPLES", 50)
    monkeypatch.setattr("evaluation.analysis.risk_coverage.DRAWS", 50)


@pytest.fixture
def document(monkeypatch, capsys):
    """Run the command with --json in this process and return its document."""
    return partial(evaluation_document, monkeypatch, capsys, "risk")


@pytest.fixture
def printed(monkeypatch, capsys):
    """Run the command in this process and return what it prints."""
    return partial(evaluation_output, monkeypatch, capsys, "risk")


def chosen(expected, *, withheld=False):
    """Return the steps of a question whose answer was chosen by learned reranking."""
    steps = [
        {
            "node": "rerank_passages",
            "candidates": [draft("an answer")],
            "scores": [{"score": 1.0, "expected": expected, "features": {}}],
            "chosen": 0,
            "answer": "an answer",
        }
    ]
    if withheld:
        steps.append(
            {"node": "abstain", "expected_score": expected, "withheld": True, "answer": "none"}
        )
    return steps


def with_expected(tmp_path, name="hybrid_pick", *, withheld=0, count=20):
    """Write a run in which a question's confidence is its score; the least confident are withheld."""
    records = [
        {**entry, "steps": chosen(index / count, withheld=index < withheld)}
        for index, entry in enumerate(scored([index / count for index in range(count)]))
    ]
    return make_run(tmp_path / name, records, config=name, results=False)


def with_passages(tmp_path, name="semantic", count=20):
    records = scored([0.5] * count)
    for index, entry in enumerate(records):
        entry["passages"] = [passage(1, "text", score=index / count)]
    return make_run(tmp_path / name, records, config=name, results=False)


def test_the_document_has_the_curves_of_each_run_and_changes_nothing(document, tmp_path):
    pick, semantic = with_expected(tmp_path), with_passages(tmp_path)
    before = contents(pick)
    result = document(pick, semantic)
    assert list(result) == ["runs", "notes"]
    assert result["notes"] == {"hybrid_pick": [], "semantic": []}
    assert result["runs"]["hybrid_pick"] == run_curves(read_run(pick))
    kinds = {name: run["confidence_kind"] for name, run in result["runs"].items()}
    assert kinds == {"hybrid_pick": "expected score", "semantic": "retrieval score"}
    assert contents(pick) == before


def test_the_table_has_a_row_for_each_coverage_and_says_how_to_use_a_threshold(printed, tmp_path):
    out = printed(with_expected(tmp_path))
    lines = [line.rstrip() for line in out.splitlines()]
    assert lines[0] == "hybrid_pick: 20 questions, 0 failed; confidence: expected score"
    for coverage in range(10, 101, 10):
        assert sum(line.lstrip(" │").startswith(f"{coverage}%") for line in lines) == 1
    text = " ".join(out.split())
    assert "BLEU: the more confident half minus all +.250 (95 % +" in text
    assert "n 10); AURC .287, random .525, best possible .287" in text
    assert "A threshold of the expected score is the answer.abstain that gives" in text
    # Six metrics with their intervals fit: a table and no blocks.
    assert "questions: " not in out
    assert max(map(len, lines)) <= 110


def test_retrieval_scores_are_no_thresholds_of_abstain(printed, tmp_path):
    out = " ".join(printed(with_passages(tmp_path)).split())
    assert "confidence: retrieval score" in out
    assert "coverage: the share of the questions that are answered" in out
    assert "answer.abstain" not in out


def test_withheld_answers_and_questions_without_a_confidence_are_counted(printed, tmp_path):
    folder = with_expected(tmp_path, withheld=5)
    first = printed(folder).splitlines()[0:2]
    assert " ".join(first).startswith(
        "hybrid_pick: 20 questions, 0 failed, 5 withheld: the table ends before the first of them; "
        "confidence: expected score"
    )
    out = printed(folder)
    assert "AURC ." not in out
    records = [*scored([0.5] * 20), record(20, question="no passage?")]
    for index, entry in enumerate(records[:20]):
        entry["passages"] = [passage(1, "text", score=index / 20)]
    mixed = make_run(tmp_path / "mixed", records, results=False)
    assert "1 without a confidence, left out" in printed(mixed)


def test_a_few_questions_have_no_table(printed, document, tmp_path):
    folder = with_expected(tmp_path, count=19)
    out = printed(folder)
    assert "fewer than 20 answered questions: no curve" in out
    assert "AURC ." not in out
    assert "coverage" not in out
    assert document(folder)["runs"]["hybrid_pick"]["points"] == []


def test_the_metric_of_a_pass_has_a_curve_of_its_own(document, tmp_path):
    folder = with_expected(tmp_path)
    run = read_run(folder)
    spec = PassSpec("judge", "org/other", ("LLM_judge",), {"kind": "judge", "judge": "org/other"})
    file = ScoreFile(run, spec)
    file.append(
        [
            {
                "index": entry["index"],
                "of": fingerprint(entry),
                "scores": {"LLM_judge": 1 - entry["index"] / 20},
                "reasons": {},
                "evidence": [],
            }
            for entry in run.answered
        ]
    )
    file.close()
    result = document(folder)
    [name] = [name for name in result["runs"]["hybrid_pick"]["metrics"] if "@" in name]
    curve = result["runs"]["hybrid_pick"]["metrics"][name]
    assert curve["half_gain"]["mean_difference"] == pytest.approx(-0.25)
    [note] = result["notes"]["hybrid_pick"]
    assert "org/other" in note


def test_a_run_without_a_confidence_and_a_missing_folder_are_one_line_and_code_2(
    monkeypatch, tmp_path
):
    plain = make_run(tmp_path / "baseline", scored([0.5] * 20), config="baseline", results=False)
    ended = run_evaluation(monkeypatch, "risk", plain)
    assert (ended.code, ended.out) == (2, "")
    assert "name a run that retrieves passages, such as hybrid_pick" in ended.err
    missing = run_evaluation(monkeypatch, "risk", tmp_path / "missing")
    assert missing.code == 2
    assert "Traceback" not in ended.err + missing.err
    twice = run_evaluation(monkeypatch, "risk", plain, plain)
    assert twice.code == 2
    assert "are the same run: name each run once" in twice.err


def test_a_printed_threshold_is_reached_by_every_question_of_its_row(printed, document, tmp_path):
    folder = with_expected(tmp_path, count=21)
    out = printed(folder)
    points = document(folder)["runs"]["hybrid_pick"]["points"]
    rows = [line.strip(" │").split()[:2] for line in out.splitlines()]
    thresholds = {row[0]: float(row[1]) for row in rows if len(row) == 2 and row[0].endswith("%")}
    assert len(thresholds) == len(points) == 10
    for point in points:
        printed_threshold = thresholds[f"{point['coverage']:.0%}"]
        assert point["threshold"] - 0.001 < printed_threshold <= point["threshold"]
    # The nearest number with three decimals is above it.
    assert points[-1]["threshold"] == 19 / 21
    assert thresholds["10%"] == 0.904


def test_a_row_of_few_questions_says_so(printed, tmp_path):
    words = printed(with_expected(tmp_path, count=40)).replace("│", " ").split()
    assert words[words.index("16,") + 1] == "few"
    assert "20," not in words
