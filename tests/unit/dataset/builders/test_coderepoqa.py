"""GitHub issues become questions with the best-liked answer; damaged values are counted."""

import json
import random

import pytest

from dataset import read_questions
from dataset.builders import coderepoqa, json_values
from dataset.builders.issue import Issue, best_answer, parse_issue
from graph.support.errors import DatasetError
from tests.fakes.csv_files import read_csv


def comment(body="an answer", login="helper", kind="User", day=1, **reactions):
    return {
        "user": {"login": login, "type": kind},
        "created_at": f"2024-01-{day:02}T00:00:00Z",
        "author_association": "MEMBER",
        "body": body,
        "reactions": {"url": "x", "total_count": 0, "+1": 0, "heart": 0, "hooray": 0} | reactions,
    }


def issue(number=1, *, repository="numpy/numpy", comments=None, **changes):
    return {
        "url": f"https://api.github.com/repos/{repository}/issues/{number}",
        "repository_url": f"https://api.github.com/repos/{repository}",
        "html_url": f"https://github.com/{repository}/issues/{number}",
        "number": number,
        "title": f"title {number}",
        "user": {"login": "Asker", "type": "User"},
        "author_association": "NONE",
        "body": "body",
        "comments": 2,
        "comments_details": [comment()] if comments is None else comments,
    } | changes


def build(folder, *, name="out.csv", repositories=(), sample=None, seed=0):
    target = folder.parent / name
    counts = coderepoqa.build(folder, target, repositories=repositories, sample=sample, seed=seed)
    return read_csv(target), counts


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "issues"
    path.mkdir()
    return path


def test_an_issue_becomes_a_question_that_the_evaluation_reads(folder):
    (folder / "1.json").write_text(json.dumps(issue(12)), encoding="utf-8")
    rows, counts = build(folder)
    assert rows == [
        {
            "eval_id": "numpy/numpy#12",
            "question": "title 12\n\nbody",
            "answer": "an answer",
            "repository": "numpy/numpy",
            "url": "https://github.com/numpy/numpy/issues/12",
            "issue_number": "12",
        }
    ]
    assert read_questions(folder.parent / "out.csv")[0].reference == "an answer"
    assert counts.summary() == "rows in = kept + rejected: 1 = 1 + 0\nkept: 1 issues\n"


@pytest.mark.parametrize(
    ("comments", "chosen"),
    [
        ([comment("a"), comment("b", **{"+1": 2}), comment("c", heart=1, hooray=2)], "c"),
        ([comment("a", laugh=9, rocket=9, **{"-1": 9}), comment("b", **{"+1": 1})], "b"),
        ([comment("late", day=3, heart=1), comment("early", day=2, heart=1)], "early"),
        ([comment("first", day=2), comment("second", day=2)], "first"),
        ([comment("thanks!", "asker", heart=50), comment("b")], "b"),
        ([comment("a", kind="Bot", heart=5), comment("b")], "b"),
        ([comment("a", "stale[bot]", heart=5), comment("b")], "b"),
        ([comment("a", "k8s-ci-robot", heart=5), comment("b")], "b"),
        ([comment("a", "PyTorchMergeBot", heart=5), comment("b")], "b"),
        ([comment(" \n", heart=5), comment("b")], "b"),
        ([comment("a", heart="many"), comment("b", heart=True), comment("c", heart=3)], "c"),
        ([comment("a") | {"reactions": None}, comment("b", day=2)], "a"),
        ([comment("from a ghost") | {"user": None}], "from a ghost"),
        ([None, "x", {"body": 3}], ""),
        ([comment("thanks", "ASKER")], ""),
        ([], ""),
    ],
)
def test_the_answer_is_the_comment_that_others_found_most_helpful(comments, chosen):
    assert best_answer(issue(comments=comments)) == chosen


def test_without_the_askers_name_only_a_person_of_another_standing_is_another():
    same = comment("same", heart=9) | {"author_association": "NONE"}
    for user in (None, {"login": "ghost"}):
        assert best_answer(issue(comments=[same, comment("other")], user=user)) == "other"
        assert best_answer(issue(comments=[same], user=user)) == ""
    assert best_answer(issue(user=None, author_association="")) == ""


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ([], "not an issue"),
        ("text", "not an issue"),
        ({}, "no repository or number"),
        (issue(True) | {"html_url": "", "url": ""}, "no repository or number"),
        (issue(pull_request={"url": "x"}), "pull request"),
        (issue(issue_or_pr="PR"), "pull request"),
        (issue(title="", body=None), "empty question"),
        (issue(comments=[]), "no answer by another person"),
        (issue(comments=None, comments_details="none"), "no answer by another person"),
        (issue(title="\ud800"), "text that is no Unicode"),
        (issue(repository="other/project"), "repository not wanted"),
    ],
)
def test_what_is_no_usable_issue_has_a_reason(value, reason):
    assert parse_issue(value, ["numpy/numpy"]) == reason


def test_an_address_is_made_and_never_taken_over():
    row = parse_issue(issue(3, html_url="javascript:alert(1)", repository_url=None))
    assert isinstance(row, Issue)
    assert row.url == "https://github.com/numpy/numpy/issues/3"
    assert parse_issue(issue(3) | {"number": None}) == row


def test_every_shape_of_file_is_read(folder):
    (folder / "a.json").write_text(json.dumps(issue(1), indent=2), encoding="utf-8")
    (folder / "b.json").write_text(json.dumps([issue(2), issue(3)], indent=1), encoding="utf-8-sig")
    (folder / "sub").mkdir()
    lines = "\n".join(json.dumps(issue(number)) for number in (4, 5))
    (folder / "sub" / "c.jsonl").write_text(lines, encoding="utf-8")
    (folder / "sub" / "empty_list.json").write_text(" [ ] ", encoding="utf-8")
    (folder / "notes.txt").write_text("not read", encoding="utf-8")
    rows, counts = build(folder)
    assert [int(row["issue_number"]) for row in rows] == [1, 2, 3, 4, 5]
    assert not counts.rejected_by_reason


def test_damage_costs_what_is_damaged_and_is_counted(folder):
    good = json.dumps(issue(1))
    files = {
        "a.jsonl": f"{good}\n{{broken\n{json.dumps(issue(2))}\n".encode(),
        "b.json": json.dumps(issue(3), indent=2).encode()[:200],
        "c.json": f"[{json.dumps(issue(4))},{json.dumps(issue(5))[:99]}".encode(),
        "d.json": b"",
        "e.json": b"\xff\xfe{}",
        "f.json": b"[" * 100_000,
        "g.json": b"[1e99999, " + b"9" * 5000 + b"]",
        "h.json": good.encode(),
        "i.json": json.dumps([issue(6)]).encode()[:-1],
        "j.json": json.dumps(issue(7, title="a\0b")).encode(),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    rows, counts = build(folder)
    assert [int(row["issue_number"]) for row in rows] == [1, 2, 4, 6, 7]
    assert rows[-1]["question"] == "a\0b\n\nbody"
    assert counts.rejected_by_reason == {
        "damaged JSON": 6,
        "empty file": 1,
        "file not UTF-8": 1,
        "not an issue": 1,
        "duplicate issue": 1,
    }
    assert counts.rows_in == counts.kept_by_kind.total() + counts.rejected_by_reason.total()


def test_any_size_of_reads_gives_the_same_issues(folder, monkeypatch):
    texts = [issue(number, body='é"\\{}[],\n' * number) for number in range(1, 8)]
    (folder / "a.json").write_text(json.dumps(texts), encoding="utf-8")
    (folder / "b.jsonl").write_text(
        "\n".join(json.dumps(text | {"number": 9}, ensure_ascii=False) for text in texts[:1])
        + "\n\n{broken\n",
        encoding="utf-8",
    )
    expected = build(folder)[0]
    assert len(expected) == 8
    for chunk in (17, 100, 1000):
        monkeypatch.setattr(json_values, "_CHUNK", chunk)
        rows, counts = build(folder)
        assert rows == expected
        assert counts.rejected_by_reason == {"damaged JSON": 1}


def test_a_value_above_the_cap_is_a_reject(folder, monkeypatch):
    monkeypatch.setattr(json_values, "_CHUNK", 100)
    monkeypatch.setattr(json_values, "MAX_VALUE", 5000)
    lines = [issue(1), issue(2, body="x" * 50_000), issue(3)]
    (folder / "a.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    rows, counts = build(folder)
    assert [row["issue_number"] for row in rows] == ["1", "3"]
    assert counts.rejected_by_reason == {"value above 5000 characters": 1}


def test_a_sample_follows_from_the_seed_and_not_from_the_files(folder, tmp_path):
    issues = [issue(number) for number in range(1, 41)]
    (folder / "all.json").write_text(json.dumps(issues), encoding="utf-8")
    shuffled_folder = tmp_path / "shuffled"
    shuffled_folder.mkdir()
    shuffled = random.Random(1).sample(issues, len(issues))
    for index, value in enumerate(shuffled):
        (shuffled_folder / f"{index}.json").write_text(json.dumps(value), encoding="utf-8")
    first, counts = build(folder, sample=10, seed=3)
    assert build(shuffled_folder, sample=10, seed=3)[0] == first
    assert build(folder, sample=10, seed=4)[0] != first
    assert len({row["eval_id"] for row in first}) == 10
    assert counts.rejected_by_reason == {"not in the sample": 30}
    smaller = build(folder, sample=5, seed=3)[0]
    assert [row for row in first if row in smaller] == smaller
    assert len(build(folder, sample=99)[0]) == 40


def test_python_stands_for_sixteen_repositories():
    assert len(set(coderepoqa.PYTHON_REPOSITORIES)) == 16
    assert (
        parse_issue(issue(repository="Textualize/rich"), coderepoqa.PYTHON_REPOSITORIES)[3]
        == "Textualize/rich"
    )


def test_a_folder_that_leaves_nothing_is_refused(folder):
    (folder.parent / "out.csv").write_text("old", encoding="utf-8")
    with pytest.raises(DatasetError, match=r"holds no \.json or \.jsonl file"):
        build(folder)
    (folder / "a.json").write_text("{", encoding="utf-8")
    with pytest.raises(DatasetError, match=r"none of the 1 issues is kept, .* 1 damaged JSON"):
        build(folder)
    with pytest.raises(DatasetError, match="there is no such folder"):
        build(folder / "none")
    assert (folder.parent / "out.csv").read_text(encoding="utf-8") == "old"
    assert {entry.name for entry in folder.parent.iterdir()} == {"issues", "out.csv"}


@pytest.mark.parametrize(
    "changes",
    [
        {"html_url": "https://github.com/numpy/numpy/pull/7", "issue_or_pr": None},
        {"html_url": "https://github.com/numpy/numpy/pull/7/files#diff-1"},
        {"html_url": None, "url": "https://api.github.com/repos/numpy/numpy/pulls/7"},
        {"html_url": "https://github.com/numpy/numpy/pull/7", "number": None},
        {"issue_or_pr": " PR "},
        {"pull_request": {"url": "x"}},
        {"issue_or_pr": "PullRequest"},
        {"issue_or_pr": "pull-request"},
        {"issue_or_pr": "Pull_Requests"},
        {"html_url": "https://github.com/numpy/numpy/Pull/7"},
        {"html_url": " https://github.com/numpy/numpy/pull/7\n"},
        {"html_url": "https://github.com/numpy/numpy/pull/7.patch"},
        {"html_url": "github.com/numpy/numpy/pull/7/"},
        {"diff_url": "https://github.com/numpy/numpy/pull/7.diff"},
        {"patch_url": "https://example.org/7.patch"},
        {"comments_url": "https://api.github.com/repos/numpy/numpy/pulls/7/comments"},
        {"__typename": "PullRequest"},
        {"type": "PullRequest"},
        {"node_id": "PR_kwDOAA0YD85abcde"},
        {"node_id": "MDExOlB1bGxSZXF1ZXN0MTIz"},
    ],
)
def test_a_pull_request_is_left_out_by_any_of_its_marks(changes):
    assert parse_issue(issue(7) | changes) == "pull request"


@pytest.mark.parametrize(
    "changes",
    [
        {"html_url": "https://github.com/numpy/numpy/discussions/7"},
        {"html_url": None, "url": "https://api.github.com/repos/numpy/numpy/Discussions/7#x"},
        {"comments_url": "https://api.github.com/repos/numpy/numpy/discussions/7/comments"},
        {"type": "Discussion"},
        {"__typename": "Discussion"},
        {"node_id": "D_kwDOAA0YD84AabcD"},
        {"node_id": "MDEwOkRpc2N1c3Npb24xMjM="},
    ],
)
def test_a_discussion_is_left_out_by_any_of_its_marks(changes):
    assert parse_issue(issue(7) | changes) == "discussion"


@pytest.mark.parametrize(
    "changes",
    [
        {"issue_or_pr": "issue", "type": "Bug", "__typename": "Issue"},
        {"node_id": "I_kwDOAA0YD85abcde"},
        {"node_id": "MDU6SXNzdWUxMjM="},
        {"type": {"name": "Bug"}, "diff_url": None, "pull_request": None},
        {"diff_url": "null", "patch_url": " None "},
        {"pull_request": "NaN", "diff_url": ""},
        {"comments_url": "https://api.github.com/repos/numpy/numpy/issues/7/comments"},
        {"body": "see https://github.com/numpy/numpy/pull/7"},
        {"labels": ["pull request", "discussion"]},
    ],
)
def test_an_issue_stays_one_whatever_its_other_fields_say(changes):
    assert isinstance(parse_issue(issue(7) | changes), Issue)


def test_what_is_no_issue_is_counted_by_its_kind(folder):
    values = [issue(1), issue(2, type="PullRequest"), issue(3, type="Discussion")]
    (folder / "a.json").write_text(json.dumps(values), encoding="utf-8")
    rows, counts = build(folder)
    assert [row["issue_number"] for row in rows] == ["1"]
    assert counts.rejected_by_reason == {"pull request": 1, "discussion": 1}


@pytest.mark.parametrize(
    "name", ["pull/request", "issues/pull", "pulls/7", "discussions/7", "PR_1/D_2"]
)
def test_a_repository_named_like_a_pull_request_is_none(name):
    assert isinstance(parse_issue(issue(7, repository=name)), Issue)


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_the_line_ends_of_githubs_web_form_become_lf(tmp_path, caplog, end):
    text = "I run\n\n```\nx = 1\n```\n\nWhy?"
    texts = {"body": text.replace("\n", end), "comments": [comment(text.replace("\n", end))]}
    (tmp_path / "i.json").write_text(json.dumps([issue(1, **texts)]), encoding="utf-8")
    target = tmp_path / "out.csv"
    coderepoqa.build(tmp_path, target, repositories=(), sample=None, seed=0)
    (question,) = read_questions(target)
    assert (question.body, question.reference) == (f"title 1\n\n{text}", text)
    assert "texts with CRLF or CR line ends, read as LF: 2" in caplog.text
