"""CodeAssistBench and StackEval become datasets; all their entries here are made up."""

import json
import sys

import pytest

from dataset import __main__ as cli
from dataset import read_questions
from dataset.builders import codeassistbench, stackeval
from graph.support.errors import DatasetError
from tests.fakes.csv_files import read_csv
from tests.fakes.processes import in_child

URL = "https://github.com/acme/kettle/issues/7"


def reply(user, body):
    return {"user": user, "created_at": "2025-01-01T00:00:00Z", "body": body}


def issue(**changes):
    return {
        "task_id": "cab_1",
        "number": 7,
        "title": "Kettle never boils",
        "url": URL,
        "body": 'It says "cold" \\o/ at line 3.',
        "author": "asker",
        "comments": [
            reply("helper", "Set `heat=True`."),
            reply("Asker", "Thanks!"),
            reply("stale[bot]", "Closing."),
            reply("other", "It is in the manual."),
        ],
        "satisfaction_conditions": ["Names the setting", " Works without a restart ", ""],
        "dockerfile": "FROM scratch",
        "language": "python",
    } | changes


def asked(**changes):
    return {
        "questionId": "a1",
        "question": "How do I boil water?\\nIt stays cold.\n",
        "questionMetadata": {"type": "debugging", "level": "beginner", "tag": "bash/shell"},
        "answer": "Turn it on.\n",
    } | changes


def write_lines(path, *values):
    lines = (value if isinstance(value, str) else json.dumps(value) for value in values)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_an_issue_becomes_a_question_with_the_replies_and_a_rubric(tmp_path):
    source = write_lines(tmp_path / "cab.jsonl", issue())
    counts = codeassistbench.build(source, tmp_path / "out.csv")
    assert read_csv(tmp_path / "out.csv") == [
        {
            "eval_id": URL,
            "question": 'Kettle never boils\n\nIt says "cold" \\o/ at line 3.',
            "answer": "Set `heat=True`.\n\n---\n\nIt is in the manual.",
            "satisfaction_conditions": '["Names the setting", "Works without a restart"]',
            "language": "python",
            "url": URL,
        }
    ]
    [question] = read_questions(tmp_path / "out.csv")
    assert question.rubric == ("Names the setting", "Works without a restart")
    assert counts.summary() == "rows in = kept + rejected: 1 = 1 + 0\nkept: 1 questions\n"


def test_the_older_form_of_an_issue_is_read_too(tmp_path):
    older = {
        "id": "x1",
        "first_question": {"title": "T", "body": "B", "user": "asker"},
        "comments": [reply("asker", "me again"), reply("helper", "so")],
        "user_satisfaction_condition": ["C"],
    }
    (tmp_path / "cases").mkdir()
    (tmp_path / "cases" / "a.json").write_text(json.dumps([older]), encoding="utf-8")
    codeassistbench.build(tmp_path / "cases", tmp_path / "out.csv")
    [row] = read_csv(tmp_path / "out.csv")
    assert (row["eval_id"], row["question"], row["answer"]) == ("x1", "T\n\nB", "so")


def test_an_empty_list_of_conditions_does_not_hide_the_older_one(tmp_path):
    values = [
        issue(
            satisfaction_conditions=[],
            user_satisfaction_condition=["C"],
            url=f"https://x/{n}",
            body=f"body {n}",
        )
        for n in range(2)
    ]
    counts = codeassistbench.build(write_lines(tmp_path / "a.jsonl", *values), tmp_path / "out.csv")
    assert "kept: 2 questions" in counts.summary()


def test_issues_without_an_id_are_told_apart_by_their_whole_text(tmp_path):
    body = "the same start " * 20
    values = [issue(url=None, task_id=None, body=f"{body}{end}") for end in ("one", "two")]
    counts = codeassistbench.build(write_lines(tmp_path / "a.jsonl", *values), tmp_path / "out.csv")
    assert "kept: 2 questions" in counts.summary()


def test_a_number_is_an_id_of_stackeval_too(tmp_path):
    stackeval.build(write_lines(tmp_path / "a.jsonl", asked(questionId=11)), tmp_path / "out.csv")
    assert read_csv(tmp_path / "out.csv")[0]["eval_id"] == "11"


def test_questions_of_stackeval_keep_their_kind_and_level(tmp_path):
    source = write_lines(tmp_path / "stack-eval.jsonl", asked())
    stackeval.build(source, tmp_path / "out.csv")
    assert read_csv(tmp_path / "out.csv") == [
        {
            "eval_id": "a1",
            "question": "How do I boil water?\\nIt stays cold.",
            "answer": "Turn it on.",
            "language": "bash/shell",
            "question_type": "debugging",
            "level": "beginner",
        }
    ]


@pytest.mark.parametrize(
    ("builder", "entry", "reason"),
    [
        (codeassistbench, "{", "damaged JSON"),
        (codeassistbench, [1], "not an issue"),
        (codeassistbench, issue(title="", body=None), "empty question"),
        (codeassistbench, issue(satisfaction_conditions=[" ", 3]), "no satisfaction conditions"),
        (codeassistbench, issue(satisfaction_conditions="a\nb"), "no satisfaction conditions"),
        (codeassistbench, issue(body="\ud800", url="u"), "text that is no Unicode"),
        (stackeval, {"Id": 1, "Completion": "x"}, "no question of StackEval"),
        (stackeval, asked(questionId=" "), "no id"),
        (stackeval, asked(questionId="b", question=""), "empty question"),
        (stackeval, asked(questionId="b", answer=None), "no answer"),
        (stackeval, asked(), "duplicate question"),
    ],
)
def test_an_entry_that_is_left_out_is_counted_with_its_reason(tmp_path, builder, entry, reason):
    good = issue() if builder is codeassistbench else asked()
    # A list holds any value; lines hold objects.
    if isinstance(entry, list):
        source = tmp_path / "in.json"
        source.write_text(json.dumps([good, *entry]), encoding="utf-8")
    else:
        source = write_lines(tmp_path / "in.jsonl", good, entry)
    counts = builder.build(source, tmp_path / "out.csv")
    assert dict(counts.rejected_by_reason) == {reason: 1}
    assert len(read_csv(tmp_path / "out.csv")) == 1


def test_without_any_question_nothing_is_written(tmp_path):
    source = write_lines(tmp_path / "in.jsonl", asked(answer=""))
    with pytest.raises(DatasetError, match=r"none of the 1 entries is kept.*1 no answer"):
        stackeval.build(source, tmp_path / "out.csv")
    assert [entry.name for entry in tmp_path.iterdir()] == ["in.jsonl"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nothing.jsonl", "there is no such file; give a .json or .jsonl file"),
        ("folder", "holds no .json or .jsonl file"),
        ("other.csv", "unknown kind of file; give .json or .jsonl"),
    ],
)
def test_another_source_is_one_line_and_exit_code_2(tmp_path, monkeypatch, source, message):
    (tmp_path / "folder").mkdir()
    (tmp_path / "other.csv").write_text("a,b\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    arguments = ["dataset", "build", "stackeval", source, "--out", "out.csv"]
    monkeypatch.setattr(sys, "argv", arguments)
    done = in_child(cli.main)
    assert done.code == 2
    assert message in done.err
    assert done.err.count("\n") == 1
