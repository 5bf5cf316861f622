"""python -m evaluation slices: run folders in, tables or one JSON document out."""

from functools import partial

import pytest

from graph.support.errors import DatasetError
from tests.fakes.command_lines import evaluation_document, evaluation_output
from tests.fakes.records import record
from tests.fakes.run_folders import contents, make_run, scored

MARKUP = "[bold]x[/]\x1b[31m"


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch):
    monkeypatch.setattr("evaluation.statistics.intervals.MEAN_RESAMPLES", 50)


@pytest.fixture
def sliced(monkeypatch, capsys):
    """Run the command with --json in this process and return its document."""
    return partial(evaluation_document, monkeypatch, capsys, "slices")


@pytest.fixture
def printed(monkeypatch, capsys):
    """Run the command in this process and return what it prints."""
    return partial(evaluation_output, monkeypatch, capsys, "slices")


def folder(tmp_path, name, values, **changes):
    records = [
        {**entry, "tags": [MARKUP if index % 2 else "plain"]}
        for index, entry in enumerate(scored(values))
    ]
    return make_run(tmp_path / name, records, config=name, results=False, **changes)


@pytest.fixture
def control(tmp_path):
    return folder(tmp_path, "extract", [0.1, 0.2, 0.3, 0.4])


@pytest.fixture
def better(tmp_path):
    return folder(tmp_path, "semantic", [0.2, 0.4, 0.4, 0.9])


def tag_slices(result):
    (dimension,) = [d for d in result["dimensions"] if d["name"] == "tag"]
    return dimension["slices"]


def test_one_run_gives_means_and_no_note_on_differences(sliced, control):
    document = sliced(control)
    assert list(document) == ["runs", "means", "differences", "notes"]
    assert (document["differences"], document["notes"]) == ([], [])
    (means,) = document["means"]
    assert (means["a"], means["b"]) == ("extract", None)
    assert [d["name"] for d in means["dimensions"]] == [
        "length",
        "code",
        "type",
        "retrieval",
        "tag",
    ]
    by_name = {part["name"]: part["metrics"]["BLEU"]["mean"] for part in tag_slices(means)}
    assert by_name == {f"[{MARKUP}]": pytest.approx(0.3), "[plain]": pytest.approx(0.2)}


def test_several_runs_give_the_differences_from_the_control_wherever_it_is_named(
    sliced, control, better
):
    for order in ([control, better], [better, control]):
        document = sliced(*order)
        (differences,) = document["differences"]
        assert (differences["a"], differences["b"]) == ("semantic", "extract")
        by_name = {
            part["name"]: part["metrics"]["BLEU"]["mean"] for part in tag_slices(differences)
        }
        assert by_name == {f"[{MARKUP}]": pytest.approx(0.35), "[plain]": pytest.approx(0.1)}
        # Two slices in six metrics.
        assert document["notes"] == [
            "6 intervals of differences, not adjusted for their number: by chance alone one in 20 would "
            "not hold 0 if the runs did not differ. A slice that gains is a question for another run, "
            "not a result."
        ]


def test_the_tables_show_counts_marks_and_untrusted_tags_as_text(printed, control):
    before = contents(control)
    out = printed(control)
    assert "extract, profile embedded: 4 of 4 questions, 0 failed" in out
    assert "[plain]" in out
    assert "[[bold]x[/]" in out.replace("\n", "")
    assert "\x1b[31m" not in out
    assert out.count("\n 2, 0") == out.count("\n fewer than 20") == 2
    assert "type is left out: all questions are in one slice, concept." in out
    assert contents(control) == before


def test_the_tables_of_several_runs_name_the_pair_and_the_chance(printed, control, better):
    out = " ".join(printed(control, better).split())
    assert "a = semantic, b = extract" in out
    assert "+.350" in out
    assert "note: 6 intervals of differences" in out


def test_runs_without_a_shared_question_and_a_run_without_one_are_refused(
    sliced, control, tmp_path
):
    other = make_run(tmp_path / "o", [record(0, question="another?")], config="keyword")
    with pytest.raises(DatasetError, match="share no finished question"):
        sliced(control, other)
    empty = make_run(tmp_path / "e", [], config="baseline", questions=2)
    with pytest.raises(DatasetError, match="there is nothing to slice"):
        sliced(empty)


def test_an_unfinished_run_is_sliced_on_what_is_finished(sliced, tmp_path):
    document = sliced(make_run(tmp_path / "u", scored([0.1, 0.2]), questions=4))
    assert document["notes"] == [
        "semantic: unfinished, 2 of 4 questions are done: every figure is of those alone."
    ]
