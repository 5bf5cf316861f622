"""Scores beside a run: what is written is read again, and nothing is mixed up or lost."""

import json

import pytest

from evaluation.rescoring.pass_summary import metric_in_pass, summarise_pass, with_scores
from evaluation.rescoring.score_files import (
    FOLDER,
    PassSpec,
    ScoreFile,
    fingerprint,
    read_scores,
    score_of,
)
from evaluation.statistics.agreement import rank_correlation
from evaluation.store.checked_lines import encode
from evaluation.store.recorded_run import read_run
from graph.support.errors import DatasetError
from tests.fakes.records import failed, record
from tests.fakes.run_folders import contents, make_run

SPEC = PassSpec("judge", "org/model", ("LLM_judge",), {"kind": "judge", "judge": "org/model"})


def score(scored_record, value, reason=None):
    return {
        "index": scored_record["index"],
        "of": fingerprint(scored_record),
        "scores": {"LLM_judge": value},
        "reasons": {} if reason is None else {"LLM_judge": reason},
        "evidence": [],
    }


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path / "run", [record(0), record(1), record(2), failed(3)])


def write(folder, *scores, spec=SPEC):
    file = ScoreFile(read_run(folder), spec)
    file.append(list(scores))
    file.close()
    return folder / FOLDER / f"{spec.name}.jsonl"


def test_what_is_written_is_read_again_and_the_journal_stays(run):
    before = (run / "journal.jsonl").read_bytes()
    write(run, score(record(0), 0.5), score(record(1), None, "no"))
    [recorded] = read_scores(read_run(run))
    assert (recorded.spec, recorded.name) == (SPEC, SPEC.name)
    assert recorded.scores[0]["scores"] == {"LLM_judge": 0.5}
    assert recorded.scores[1]["reasons"] == {"LLM_judge": "no"}
    assert (run / "journal.jsonl").read_bytes() == before


def test_a_run_without_scores_has_none(run):
    assert read_scores(read_run(run)) == []


def test_scores_of_a_metric_that_is_no_longer_computed_are_read_and_shown(run):
    spec = PassSpec("ragas", "no_model", ("ragas_rouge", "ragas_chrf"), {"kind": "ragas"})
    values = {"ragas_rouge": 0.5, "ragas_chrf": 0.25}
    write(run, {**score(record(0), 0.0), "scores": values}, spec=spec)
    [recorded] = read_scores(read_run(run))
    metrics = with_scores(read_run(run), [recorded]).records[0]["metrics"]
    assert {name: metrics[metric_in_pass(recorded, name)] for name in values} == values


def test_another_identity_is_another_file(run):
    other = SPEC._replace(identity={**SPEC.identity, "dtype": "float16"})
    write(run, score(record(0), 0.5))
    write(run, score(record(0), 0.75), spec=other)
    values = {p.name: p.scores[0]["scores"]["LLM_judge"] for p in read_scores(read_run(run))}
    assert values == {SPEC.name: 0.5, other.name: 0.75}


@pytest.mark.parametrize(
    "label", ["../../etc/passwd", "a/b\\c", "x\0y", "\u202egnp.exe", "-" * 500, "", ".hidden", "名"]
)
def test_no_name_of_a_model_leads_out_of_the_folder(run, label):
    spec = SPEC._replace(label=label)
    path = write(run, score(record(0), 0.5), spec=spec)
    assert path.parent == run / FOLDER
    assert path.exists()
    assert path.name.isascii()
    assert len(path.name) < 100
    assert [recorded.spec.label for recorded in read_scores(read_run(run))] == [label]


def test_a_torn_end_is_cut_off_kept_and_scored_again(run):
    path = write(run, score(record(0), 0.5), score(record(1), 0.25))
    path.write_bytes(path.read_bytes()[:-9])
    [recorded] = read_scores(read_run(run))
    assert list(recorded.scores) == [0]
    file = ScoreFile(read_run(run), SPEC)
    assert list(file.scores) == [0]
    file.append([score(record(1), 0.75)])
    file.close()
    assert path.with_suffix(".torn").exists()
    assert read_scores(read_run(run))[0].scores[1]["scores"] == {"LLM_judge": 0.75}


def test_reading_changes_nothing(run):
    path = write(run, score(record(0), 0.5), score(record(1), 0.25))
    path.write_bytes(path.read_bytes()[:-9])
    before = contents(run / FOLDER)
    read_scores(read_run(run))
    assert contents(run / FOLDER) == before


def test_a_flipped_byte_before_good_lines_is_refused_with_a_way_out(run):
    path = write(run, score(record(0), 0.5), score(record(1), 0.25))
    path.write_bytes(path.read_bytes().replace(b"0.5", b"0.6", 1))
    with pytest.raises(DatasetError, match=r"line 1 is damaged.*remove it"):
        ScoreFile(read_run(run), SPEC)
    with pytest.raises(DatasetError, match="line 1 is damaged"):
        read_scores(read_run(run))


@pytest.mark.parametrize(
    "edit",
    [
        lambda h: {**h, "identity": {"judge": "another"}},
        lambda h: {**h, "label": "another"},
        lambda h: {**h, "metrics": [1]},
        lambda h: {k: v for k, v in h.items() if k != "digest"},
        lambda h: {**h, "identity": 3},
        lambda h: [],
        lambda h: {**h, "versions": None},
    ],
)
def test_a_header_that_is_not_of_its_file_is_refused(run, edit):
    path = write(run, score(record(0), 0.5)).with_suffix(".json")
    path.write_text(json.dumps(edit(json.loads(path.read_text()))))
    with pytest.raises(DatasetError, match="is damaged"):
        read_scores(read_run(run))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scores": {"LLM_judge": "1"}}, "holds no scores of a question (scores.LLM_judge: "),
        ({"scores": {"LLM_judge": True}}, "holds no scores of a question (scores.LLM_judge: "),
        ({"of": 1}, "holds no scores of a question (of: "),
        ({"reasons": []}, "holds no scores of a question (reasons: "),
        ({"reasons": {"LLM_judge": None}}, "holds no scores of a question (reasons.LLM_judge: "),
        ({"evidence": {}}, "holds no scores of a question (evidence: "),
        ({"index": True}, "holds no scores of a question (index: "),
        ({"index": 0.0}, "holds no scores of a question (index: "),
        ({"index": 4}, "is of question 4, and the run has the questions 0 to 3"),
        ({"index": -1}, "is of question -1, and the run has the questions 0 to 3"),
        ({"index": 10**40}, "is of question 10000000000000000000, and the run has the"),
    ],
)
def test_a_sound_line_that_holds_no_scores_of_the_run_is_refused(run, changes, message):
    path = write(run, score(record(0), 0.5))
    owner = f"{read_run(run).digest} {SPEC.name}"
    path.write_bytes(encode({**score(record(0), 0.5), **changes}, owner))
    for read in (read_scores, lambda recorded: ScoreFile(recorded, SPEC)):
        with pytest.raises(DatasetError) as caught:
            read(read_run(run))
        assert f"{path}: line 1 {message}" in str(caught.value)


def test_scores_that_could_not_be_read_again_are_not_written(run):
    path = write(run, score(record(0), 0.5))
    before = path.read_bytes()
    with pytest.raises(ValueError, match="holds no scores of a question"):
        write(run, {**score(record(1), 0.5), "of": None})
    assert path.read_bytes() == before


@pytest.mark.parametrize("other", ["another run", "another pass", "no owner"])
def test_scores_from_elsewhere_are_refused(run, tmp_path, other):
    path = write(run, score(record(0), 0.5))
    owner = {
        "another run": f"{'f' * 64} {SPEC.name}",
        "another pass": f"{read_run(run).digest} {SPEC._replace(label='x').name}",
        "no owner": "",
    }[other]
    path.write_bytes(path.read_bytes() + encode(score(record(1), 0.9), owner))
    before = path.read_bytes()
    for read in (read_scores, lambda recorded: ScoreFile(recorded, SPEC)):
        with pytest.raises(DatasetError, match="line 2 belongs to another run "):
            read(read_run(run))
    assert path.read_bytes() == before


def test_scores_of_another_answer_are_refused(run):
    write(run, score(record(0), 0.5))
    [recorded] = read_scores(read_run(run))
    assert score_of(record(0), recorded.scores) is not None
    with pytest.raises(DatasetError, match="another answer"):
        score_of(record(0, answer="another"), recorded.scores)
    assert score_of(record(1), recorded.scores) is None


def test_a_summary_counts_all_that_is_not_in_the_mean(run):
    write(run, score(record(0), 0.5), score(record(1), None, "no window"))
    summary = summarise_pass(read_run(run), read_scores(read_run(run))[0].scores, "LLM_judge")
    assert (summary["mean"], summary["n"], summary["unscored"]) == (0.5, 1, 1)
    assert (summary["failed"], summary["waiting"]) == (1, 1)
    assert summary["reasons"] == {"no window": 1}


def test_scores_stand_beside_the_runs_own_under_a_name_of_what_scored(run):
    write(run, score(record(0), 0.9))
    [recorded] = read_scores(read_run(run))
    name = metric_in_pass(recorded, "LLM_judge")
    records = with_scores(read_run(run), [recorded]).records
    assert records[0]["metrics"]["LLM_judge"] == 0.0
    assert records[0]["metrics"][name] == 0.9
    assert name not in records[1]["metrics"]
    assert records[3]["metrics"] == {}
    assert name.startswith("LLM_judge@")


def test_rank_correlation_by_hand():
    # Ranks 1 2 3 4 5 against 2 1 3 5 4: squared differences sum to 4, so 1 - 6 * 4 / 120.
    correlation = rank_correlation([0.1, 0.2, 0.3, 0.4, 0.5], [0.2, 0.1, 0.3, 0.9, 0.8])
    assert correlation["spearman"] == pytest.approx(0.8)
    assert correlation["n"] == 5
    low, high = correlation["ci95"]
    assert -1 <= low <= 0.8 <= high <= 1


@pytest.mark.parametrize(
    ("ours", "theirs", "why"),
    [
        ([0.5, 0.5, 0.5], [0.1, 0.2, 0.3], "same score"),
        ([0.1, 0.2, 0.3], [0.5, 0.5, 0.5], "same score"),
        ([0.1, None, 0.3], [0.1, 0.2, 0.3], "fewer than three"),
        ([], [], "fewer than three"),
    ],
)
def test_where_there_is_no_correlation_it_is_said_and_not_nan(ours, theirs, why):
    correlation = rank_correlation(ours, theirs)
    assert (correlation["spearman"], correlation["ci95"]) == (None, None)
    assert why in correlation["why_none"]
