"""InfiBench's cases become questions with criteria; all cases here are made up."""

import json
import sys

import pytest

from dataset import __main__ as cli
from dataset import read_questions
from dataset.builders import infibench
from dataset.criteria import NotScorable, read_criteria
from graph.support.errors import DatasetError
from tests.fakes.csv_files import read_csv, write_csv
from tests.fakes.processes import in_child

KEYWORDS = r"""# Corresponding to post https://stackoverflow.com/questions/1234567
id: 9-1
# for case self identification
prompt_path: prompt_9-1.txt
type: code debugging
lang: python
grading:
grading:
  max_score: 2.0
  keywords:
    - content:
        or:
          - content: "\\bjoin\\("
            regex: true
          - content: "say \"wait\""
      to_lower: true
    - daemon
    - content:
        content: timeout
        cond: "context[-1].startswith('match')"
"""
SIMILARITY = """id: 9-2
prompt_path: prompt_9-2.txt
type: knowledge question-answering
lang: bash
grading:
  similarity:
    - metric: rouge1
      references:
        - path: answer_9-2.txt
"""
TESTS = """id: 9-3
prompt_path: prompt_9-3.txt
lang: r
grading:
  unit_test:
    tests: [{path: test_9-3.r}]
"""
HANDLER = "id: 9-4\nlang: go\ngrading:\n  customized: {module: cases.handler, func: handle}\n"


def case(spec, prompt="How do I wait for a thread?\n", **files):
    name = spec.split("\n")[1].removeprefix("id: ") if spec.startswith("#") else spec[4:7]
    path = f"cases/eval_{name}.yaml"
    dependencies = json.dumps(files)
    return {
        "": 0,
        "case_path": path,
        "prompt": prompt,
        "eval_spec": spec,
        "dependencies": dependencies,
    }


def suite(folder, *cases):
    return write_csv(folder / "suite.csv", cases)


@pytest.fixture
def table(tmp_path):
    reference = {"answer_9-2.txt": "Run it\nin the background."}
    return suite(
        tmp_path,
        case(KEYWORDS),
        case(SIMILARITY, "What is a job?", **reference),
        case(TESTS, "Write f.", **{"test_9-3.r": "\nf(1)"}),
        case(HANDLER),
    )


def test_cases_become_questions_with_criteria(table, tmp_path):
    counts = infibench.build(table, tmp_path / "out.csv")
    rows = read_csv(tmp_path / "out.csv")
    assert rows[0] == {
        "eval_id": "9-1",
        "question": "How do I wait for a thread?",
        "answer": "",
        "criteria": rows[0]["criteria"],
        "language": "python",
        "question_type": "code debugging",
        "url": "https://stackoverflow.com/questions/1234567",
    }
    assert [row["answer"] for row in rows] == ["", "Run it\nin the background.", "", ""]
    assert counts.summary() == (
        "rows in = kept + rejected: 4 = 4 + 0\n"
        "kept: 2 scored without running code, 1 unscored (needs unit tests), "
        "1 unscored (needs a Python function of the benchmark)\n"
    )


def test_the_table_is_read_by_the_evaluation_and_its_criteria_score(table, tmp_path):
    infibench.build(table, tmp_path / "out.csv")
    first, second, third, _ = read_questions(tmp_path / "out.csv")
    criteria = read_criteria(json.loads(first.criteria))
    # The join and the timeout after no match: 1 of 2 points; with the daemon 3 points, of 2.
    assert criteria.score("thread.join() has a timeout") == 0.5
    assert criteria.score('Say "WAIT", as a daemon with a timeout') == 1.0
    assert read_criteria(json.loads(second.criteria)).score("run it in the background") == 1.0
    with pytest.raises(NotScorable):
        read_criteria(json.loads(third.criteria))


def test_the_criteria_of_a_table_have_no_escaped_quotes(table, tmp_path):
    infibench.build(table, tmp_path / "out.csv")
    assert '\\"' not in (tmp_path / "out.csv").read_text(encoding="utf-8")


def test_a_folder_of_cases_gives_the_same_table(table, tmp_path):
    cases = tmp_path / "cases"
    cases.mkdir()
    for row in read_csv(table):
        spec = row["eval_spec"]
        if "prompt_path" not in spec:
            spec += "prompt_path: prompt_9-4.txt\n"
        name = row["case_path"].removeprefix("cases/")
        files = {name: spec, name.replace("eval", "prompt")[:-4] + "txt": row["prompt"]}
        for file, text in {**files, **json.loads(row["dependencies"])}.items():
            (cases / file).write_text(text, encoding="utf-8")
    infibench.build(table, tmp_path / "table.csv")
    infibench.build(tmp_path, tmp_path / "folder.csv")
    assert (tmp_path / "folder.csv").read_bytes() == (tmp_path / "table.csv").read_bytes()


def test_a_case_reads_no_file_outside_its_folder(tmp_path):
    cases = tmp_path / "cases"
    cases.mkdir()
    (tmp_path / "secret.txt").write_text("secret", encoding="utf-8")
    (cases / "prompt_9-2.txt").write_text("What is a job?", encoding="utf-8")
    spec = SIMILARITY.replace("answer_9-2.txt", "../secret.txt")
    (cases / "eval_9-2.yaml").write_text(spec, encoding="utf-8")
    counts = infibench.build(cases, tmp_path / "out.csv")
    assert "secret" not in read_csv(tmp_path / "out.csv")[0]["answer"]
    assert [*counts.kept_by_kind] == ["unscored (a reference of a similarity is no text)"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (case(KEYWORDS) | {"eval_spec": "id: [\n"}, "case that is no YAML"),
        (case(KEYWORDS) | {"eval_spec": "a: &a [x]\nb: *a\n"}, "case that is no YAML"),
        (case(KEYWORDS) | {"eval_spec": "id: 1\ngrading: soon\n"}, "case without grading"),
        (case(KEYWORDS) | {"prompt": " "}, "empty question"),
        (
            case(KEYWORDS) | {"eval_spec": "grading: {keywords: [.inf]}\n"},
            "grading that is no JSON",
        ),
        (case(SIMILARITY), "duplicate question"),
    ],
)
def test_a_case_that_is_left_out_is_counted_with_its_reason(tmp_path, row, reason):
    path = suite(tmp_path, case(SIMILARITY, "What is a job?"), row)
    counts = infibench.build(path, tmp_path / "out.csv")
    assert dict(counts.rejected_by_reason) == {reason: 1}
    assert len(read_csv(tmp_path / "out.csv")) == 1


def test_without_any_case_nothing_is_written(tmp_path):
    path = suite(tmp_path, case(KEYWORDS, prompt=" "))
    with pytest.raises(DatasetError, match=r"none of the 1 entries is kept.*1 empty question"):
        infibench.build(path, tmp_path / "out.csv")
    assert [entry.name for entry in tmp_path.iterdir()] == ["suite.csv"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nothing.csv", "there is no such file"),
        ("folder", "holds no eval_*.yaml"),
        ("other.csv", "column 'case_path', 'eval_spec' missing"),
    ],
)
def test_another_source_is_one_line_and_exit_code_2(tmp_path, monkeypatch, source, message):
    (tmp_path / "folder").mkdir()
    write_csv(tmp_path / "other.csv", [{"prompt": "x", "answer": "y"}])
    monkeypatch.chdir(tmp_path)
    arguments = ["dataset", "build", "infibench", source, "--out", "out.csv"]
    monkeypatch.setattr(sys, "argv", arguments)
    done = in_child(cli.main)
    assert done.code == 2
    assert message in done.err
    assert done.err.count("\n") == 1
    assert not (tmp_path / "out.csv").exists()
