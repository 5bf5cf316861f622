"""eval.py writes the report at the end of each run, and never loses a run over it."""

import logging
import os
import sys

import pytest

from evaluation.calibration.known_judges import own_figures
from evaluation.commands import eval_command as cli
from evaluation.report import report_file
from graph.support import terminal
from graph.support.errors import DatasetError
from tests.fakes.command_lines import run_evaluation
from tests.fakes.corpora import small_corpus
from tests.fakes.processes import in_child
from tests.fakes.report_pages import index_of, parsed
from tests.fakes.scripted_runs import command, without_weights, write_dataset


@pytest.fixture
def evaluate(tmp_path, monkeypatch):
    small_corpus(tmp_path / "corpus.csv")
    write_dataset(tmp_path / "questions.csv", 3)
    monkeypatch.chdir(tmp_path)
    without_weights(monkeypatch)

    def run(*arguments):
        data = ["--dataset", "questions.csv", "--corpus", "corpus.csv"]
        command(monkeypatch, "--profile", "embedded", *data, *arguments)
        return cli.main()

    return run


def test_a_run_ends_with_its_report(evaluate, tmp_path, caplog):
    caplog.set_level(logging.INFO, "opencoder")
    assert evaluate("--config", "baseline") == 0
    [page] = tmp_path.glob("runs/*/report.html")
    assert len(index_of(parsed(page))["rows"]) == 3
    assert f"report: {page.relative_to(tmp_path)}" in caplog.messages
    assert list(tmp_path.glob("runs/report-*.html")) == []


def test_several_configs_have_one_report_together(evaluate, tmp_path):
    for _ in range(2):
        assert evaluate("--config", "baseline,keyword") == 0
        assert len(list(tmp_path.glob("runs/*/report.html"))) == 2
        [page] = tmp_path.glob("runs/report-*.html")
    assert len(index_of(parsed(page))["rows"][0][3]) == 2


def test_without_a_report_none_is_written(evaluate, tmp_path):
    assert evaluate("--config", "baseline", "--no-report") == 0
    assert list(tmp_path.rglob("report*.html")) == []
    assert len(list(tmp_path.glob("runs/*/metrics.json"))) == 1


def test_a_report_that_fails_is_a_warning_and_the_run_stays(
    evaluate, tmp_path, monkeypatch, caplog, capsys
):
    def fail(folders, out):
        raise RuntimeError("no\nroom")

    monkeypatch.setattr(report_file, "write_report", fail)
    assert evaluate("--config", "baseline") == 0
    assert "no report was written (RuntimeError: no room)" in caplog.messages
    [folder] = tmp_path.glob("runs/*")
    assert (folder / "metrics.json").exists()
    assert f"run: {folder.relative_to(tmp_path)}" in capsys.readouterr().out


def change_journal(folder):
    path = folder / "journal.jsonl"
    path.write_bytes(path.read_bytes().rsplit(b"\n", 2)[0] + b"\n")


def add_scores(folder):
    (folder / "scores").mkdir()
    (folder / "scores" / "judge.jsonl").touch()


def measure_judge(folder):
    path = own_figures()
    path.parent.mkdir(parents=True)
    path.write_text('{"judges": []}', encoding="utf-8")


@pytest.mark.parametrize("date", [0, 4_000_000_000], ids=["old", "of the future"])
def test_a_finished_run_keeps_its_report(evaluate, tmp_path, date):
    evaluate("--config", "baseline")
    [page] = tmp_path.glob("runs/*/report.html")
    os.utime(page, (date, date))
    evaluate("--config", "baseline")
    assert page.stat().st_mtime == date


@pytest.mark.parametrize("change", [change_journal, add_scores, measure_judge])
@pytest.mark.parametrize("date", [0, 4_000_000_000], ids=["old", "of the future"])
def test_a_report_of_other_content_is_written_again(evaluate, tmp_path, monkeypatch, change, date):
    monkeypatch.setenv("OPENCODER_CACHE", str(tmp_path / "cache"))
    evaluate("--config", "baseline")
    [page] = tmp_path.glob("runs/*/report.html")
    change(page.parent)
    os.utime(page, (date, date))
    report_file.report_on([page.parent], page)
    assert page.stat().st_mtime != date


@pytest.mark.parametrize("name", ["journal.jsonl", "manifest.json"])
@pytest.mark.parametrize("change", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/dev/zero")])
def test_a_file_of_a_run_that_is_no_regular_file_is_refused(evaluate, tmp_path, name, change):
    evaluate("--config", "baseline")
    [page] = tmp_path.glob("runs/*/report.html")
    (page.parent / name).unlink()
    change(page.parent / name)
    with pytest.raises(DatasetError):
        report_file.write_report([page.parent], page)


def test_a_report_of_another_run_is_written_again(evaluate, tmp_path):
    evaluate("--config", "baseline,keyword")
    first, second = sorted(tmp_path.glob("runs/*/report.html"))
    first.write_bytes(second.read_bytes())
    report_file.report_on([first.parent], first)
    assert first.read_bytes() != second.read_bytes()


def without_reader():
    reader, writer = os.pipe()
    os.close(reader)
    os.dup2(writer, 1)


def closed():
    os.close(1)
    sys.stdout = None


def full():
    os.dup2(os.open("/dev/full", os.O_WRONLY), 1)


@pytest.mark.parametrize(("change", "code"), [(without_reader, 0), (closed, 0), (full, 1)])
def test_a_stdout_that_takes_nothing_costs_no_result(evaluate, tmp_path, change, code):
    def action():
        change()
        terminal.run(lambda: evaluate("--config", "baseline,keyword"))

    ended = in_child(action)
    assert ended.code == code
    assert "Traceback" not in ended.err
    for name in ("metrics.json", "summary.md", "report.html"):
        assert len(list(tmp_path.glob(f"runs/*/{name}"))) == 2
    assert len(list(tmp_path.glob("runs/report-*.html"))) == 1


def test_everything_is_on_disk_before_anything_is_printed(evaluate, tmp_path, monkeypatch):
    def fail(*arguments):
        raise RuntimeError("printing")

    monkeypatch.setattr(cli, "_show", fail)
    with pytest.raises(RuntimeError, match="printing"):
        evaluate("--config", "baseline")
    names = {path.name for path in tmp_path.glob("runs/*/*")}
    assert {"metrics.json", "summary.md", "report.html"} <= names


def test_a_run_in_a_folder_of_any_name_can_be_shown_and_verified(evaluate, tmp_path, monkeypatch):
    runs = tmp_path / "a\x1b[31m\udcff\nb"
    for _ in range(2):
        assert evaluate("--config", "baseline", "--runs", runs) == 0
    assert len(list(runs.glob("*/report.html"))) == 1
    [folder] = runs.iterdir()
    ended = run_evaluation(monkeypatch, "verify", folder, "--no-encoder")
    assert ended.code == 0, ended.err
    ended = run_evaluation(monkeypatch, "report", folder, "--out", runs / "out.html")
    assert ended.code == 0, ended.err
    assert ended.out == f"report: {tmp_path}/a<U+001B>[31m<U+DCFF><U+000A>b/out.html\n"
