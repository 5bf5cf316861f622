"""python -m evaluation calibrate: grades in, tables or one JSON document out; and --judge of eval.py."""

import csv
import json
import sys
from types import SimpleNamespace

import pytest

from evaluation import __main__ as cli
from evaluation.analysis.run_results import results_of
from evaluation.answering.flags import parser
from evaluation.answering.job import _judge
from evaluation.answering.loop import answer_batch
from evaluation.calibration import known_judges as known
from evaluation.calibration import signals
from evaluation.calibration.grades import COLUMNS, load_grades
from evaluation.calibration.known_judges import calibration_of
from evaluation.commands import calibrate_command as command
from evaluation.commands import verify_command as verify
from evaluation.metrics.calibrated_judge import SHIPPED, load_judge
from evaluation.metrics.registry import CALIBRATED_JUDGE
from evaluation.store.recorded_run import read_run
from evaluation.tables.results_tables import notes, results_table
from graph.config import load_settings
from graph.support import terminal
from graph.support.errors import ConfigError, DatasetError
from tests.fakes.corpora import EMBEDDER, FakeEncoder
from tests.fakes.fake_models import ScriptedEngine, section, verdict
from tests.fakes.machines import Scripted, items
from tests.fakes.processes import in_child
from tests.fakes.records import record
from tests.fakes.run_folders import make_run

GRADES = {"0": 0.1, "1": 0.1, "2": 0.1, "3": 0.1, "4": 0.6}


class Judge(ScriptedEngine):
    """Grades long answers well when grades are named from 0 to 4, and knows nothing otherwise."""

    name = "judge"

    def choose_all(self, prompts, options):
        self.calls.append([prompt.template.template[-20:] for prompt in prompts])
        outcomes = []
        for prompt in prompts:
            text = prompt.template.format(**prompt.whole, **prompt.cuttable)
            answer = section(text, "answer")
            if "broken" in answer:
                outcomes.append(ValueError("no\nlogits"))
                continue
            high = min(len(answer), 20) / 20 if text.endswith("0 to 4.") else 0.5
            outcomes.append(
                verdict({"0": 1 - high, "1": 0.0, "2": 0.0, "3": 0.0, "4": high}, mass=high / 2)
            )
        return outcomes


@pytest.fixture
def judge(monkeypatch):
    made = Judge()
    models = SimpleNamespace(judge=SimpleNamespace(engine=made))
    monkeypatch.setattr(command, "open_models", lambda *_, **__: models)
    monkeypatch.setattr(command, "open_encoder", FakeEncoder)
    monkeypatch.setattr(command, "model_identity", lambda spec: spec.model_dump(mode="json"))
    monkeypatch.setattr("evaluation.answering.run_identity.resolve_dtype", lambda _: "float32")
    monkeypatch.setattr("evaluation.calibration.score_agreement.AGREEMENT_DRAWS", 60)
    return made


def grade_rows(questions=24):
    rows = []
    for number in range(questions):
        reference = f"use solution number {number}"
        answers = {
            "copy": (reference, {"ann": 4, "ben": 4}),
            "near": (
                f"use solution number {number} perhaps twice",
                {"ann": 3, "ben": 2, "cleo": 3},
            ),
            "off": ("no idea", {"ann": 0, "ben": 1}),
        }
        for name, (candidate, grades) in answers.items():
            rows.append(
                {
                    "item_id": f"{number}-{name}",
                    "question": f"how {number}?",
                    "reference": reference,
                    "candidate": candidate,
                    "human_mean": str(sum(grades.values()) / len(grades)),
                    "grades": json.dumps(grades),
                }
            )
    return rows


def write(path, rows):
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture
def calibrate(monkeypatch, capsys, judge, tmp_path):
    """Run the command in this process; return its JSON document."""

    def start(rows, *arguments):
        path = write(tmp_path / "people.csv", rows)
        given = ["calibrate", "--grades", path, "--profile", "embedded", "--json", *arguments]
        monkeypatch.setattr(sys, "argv", ["evaluation", *map(str, given)])
        assert cli.main() == 0

        def refuse(name):
            raise AssertionError(f"{name} is not JSON")

        return json.loads(capsys.readouterr().out, parse_constant=refuse)

    return start


def test_the_document(calibrate, judge):
    found = calibrate(grade_rows())
    assert list(found["signals"]) == [
        *signals.CHEAP,
        "LLM_judge",
        "LLM_judge_descending",
        "LLM_judge_both_orders",
        "calibrated",
    ]
    one = found["signals"]["ROUGE-1"]
    assert (one["n"], one["unscored"], one["pair_agreement"]["n"]) == (72, 0, 72)
    assert one["pair_agreement"]["mean"] == 1
    assert one["without_copies"]["n"] == 48
    assert found["grades"]["copies"] == found["grades"]["questions"] == 24
    ceiling = found["human_ceiling"]
    assert (ceiling["graders"], ceiling["n"]) == (3, 24 * 7)
    assert found["human_ceiling_without_copies"]["n"] == 24 * 5
    assert found["judge"]["mass"]["descending"]["mean"] == pytest.approx(0.25)
    assert found["judge"]["orders"]["spearman"]["mean"] is None
    # Asked in batches of both orders, equal answers to a question once: none are equal here.
    assert sum(map(len, judge.calls)) == 2 * 72
    assert any("LLM_judge_descending: all scores are the same" in note for note in found["notes"])
    assert any(note.startswith("LLM_judge_descending: Warning") for note in found["notes"])
    assert not any(note.startswith("ROUGE-1") for note in found["notes"])


def test_equal_answers_are_asked_once_and_failed_verdicts_are_unscored(calibrate, judge):
    rows = grade_rows(2)
    rows += [{**rows[0], "item_id": "again"}, {**rows[1], "item_id": "b", "candidate": "broken"}]
    found = calibrate(rows)
    assert sum(map(len, judge.calls)) == 2 * 7
    assert found["signals"]["LLM_judge"]["unscored"] == 1
    assert found["judge"]["errors"] == 2
    assert found["signals"]["ROUGE-1"]["unscored"] == 0


def test_no_judge_asks_no_model(calibrate, judge):
    found = calibrate(grade_rows(3), "--no-judge", "--limit-questions", 2)
    assert judge.calls == []
    assert found["judge"] is None
    assert found["grades"]["questions"] == 2
    assert list(found["signals"]) == [*signals.CHEAP, "calibrated"]


def test_a_fit_is_written_measured_and_used(calibrate, tmp_path, monkeypatch):
    monkeypatch.setattr(command, "KNOWN", tmp_path / "known.json")
    monkeypatch.setattr(known, "KNOWN", tmp_path / "known.json")
    path = tmp_path / "mine.json"
    found = calibrate(grade_rows(), "--fit", path, "--record")
    made = load_judge(path)
    assert made.identity == found["calibrated"]
    assert made.provenance["grades"]["file"] == "people.csv"
    assert str(tmp_path) not in path.read_text(encoding="utf-8")
    figures = made.provenance["cross_validated"]
    assert figures["pair_agreement"] == found["signals"]["calibrated"]["pair_agreement"]
    again = calibrate(grade_rows(), "--calibrated", path)
    assert again["signals"]["calibrated"] == found["signals"]["calibrated"]
    fields = {**found["judge"]["fields"]}
    assert calibration_of({"judge": fields})[0]["n"] == 72
    assert calibration_of({"calibrated_judge": made.identity})[0]["n"] == 72


def test_one_question_and_one_grader_are_said(calibrate):
    rows = [{**row, "grades": '{"ann": 3}'} for row in grade_rows(1)]
    found = calibrate(rows, "--no-judge")
    assert found["human_ceiling"]["spearman"] == {"mean": None, "ci95": None}
    assert found["signals"]["BLEU"]["spearman"]["ci95"] is None
    said = " ".join(found["notes"])
    assert "one question alone" in said
    assert "no human ceiling" in said
    assert "another human_mean" in said


def test_rows_without_a_reference_are_unscored(calibrate):
    rows = [{**row, "reference": ""} for row in grade_rows(2)]
    found = calibrate(rows)
    assert found["signals"]["calibrated"]["unscored"] == 6
    assert "BLEU: no answer is scored." in found["notes"]


def test_the_tables_show_hostile_text_harmlessly(calibrate, monkeypatch, capsys, tmp_path):
    rows = grade_rows(3)
    rows[0]["candidate"] = "[red]\x1b[31m {question} \u202e</answer>"
    path = write(tmp_path / "[b]people\u202e.csv", rows)
    monkeypatch.setattr(sys, "argv", ["evaluation", "calibrate", "--grades", str(path)])
    assert cli.main() == 0
    out = capsys.readouterr().out
    assert out.startswith("[b]people<U+202E>.csv: 9 answers to 3 questions, 3 graders")
    assert "calibrated: logistic(" in out
    assert "people" in out
    assert "nan" not in out
    assert max(map(len, out.splitlines())) <= 100


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"human_mean": "nan"}, "row 2: human_mean 'nan' is no number from 0 to 4"),
        ({"human_mean": "4.1"}, "no number from 0 to 4"),
        ({"human_mean": ""}, "no number from 0 to 4"),
        ({"item_id": ""}, "item_id is empty"),
        ({"item_id": "0-copy"}, "stands in row 1 already"),
        ({"question": " "}, "question is empty"),
        ({"grades": "4"}, "not a JSON object"),
        ({"grades": "{'a': open('x')}"}, "not a JSON object"),
        ({"grades": "[" * 50_000}, "not a JSON object"),
        ({"grades": '{"a": "4"}'}, "grade '4' of grader 'a' is no number"),
        ({"grades": '{"a": NaN}'}, "grade 'nan' of grader 'a' is no number"),
        ({"grades": '{"a": true}'}, "is no number"),
        ({"grades": '{"a": 5}'}, "is no number"),
    ],
    ids=str,
)
def test_a_damaged_row_is_refused_with_its_place(tmp_path, change, says):
    rows = grade_rows(1)
    rows[1] |= change
    with pytest.raises(DatasetError) as error:
        load_grades(write(tmp_path / "people.csv", rows))
    assert says in str(error.value)
    assert "row 2" in str(error.value)
    assert len(str(error.value)) < 400


def test_grades_are_read_from_json_lines_and_further_columns_are_not_looked_at(tmp_path):
    rows = [{**row, "further": "x", "grades": json.loads(row["grades"])} for row in grade_rows(1)]
    path = tmp_path / "people.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    found = load_grades(path)
    assert found[1].grades == {"ann": 3, "ben": 2, "cleo": 3}
    assert [row.copied for row in found] == [True, False, False]
    path.write_text(json.dumps({**rows[0], "grades": {"ann": None, "ben": 4}}), encoding="utf-8")
    assert load_grades(path)[0].grades == {"ben": 4}


@pytest.mark.parametrize("missing", COLUMNS)
def test_a_missing_column_is_named(tmp_path, missing):
    rows = [
        {name: value for name, value in row.items() if name != missing} for row in grade_rows(1)
    ]
    with pytest.raises(DatasetError, match=missing):
        load_grades(write(tmp_path / "people.csv", rows))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--fit", "mine.json"], "at least 20 questions"),
        (["--fit", "no/mine.json"], "at least 20 questions"),
        (["--record", "--no-judge"], "drop --no-judge"),
        (["--calibrated", "none.json"], "cannot be read"),
        (["--limit-questions", "0"], "not a whole number above 0"),
    ],
    ids=str,
)
def test_what_cannot_be_done_is_one_line_and_exit_code_2(
    monkeypatch, judge, tmp_path, arguments, says
):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "people.csv", grade_rows(2))
    given = ["calibrate", "--grades", "people.csv", *arguments]
    monkeypatch.setattr(sys, "argv", ["evaluation", *given])
    ended = in_child(lambda: terminal.run(cli.main))
    assert (ended.code, ended.out) == (2, "")
    assert says in ended.err
    assert ended.err.count("\n") <= 2


def flags(*given):
    return parser().parse_args([*given])


def test_which_judge_a_run_has():
    assert _judge(flags()) == _judge(flags("--judge", "model")) == (True, None)
    assert _judge(flags("--no-judge")) == _judge(flags("--judge", "none")) == (False, None)
    asks, loaded = _judge(flags("--judge", "calibrated"))
    assert loaded == load_judge(SHIPPED)
    assert asks == loaded.calibrated.needs_judge
    for given in (["--judge", "gpt"], ["--no-judge", "--judge", "calibrated"]):
        with pytest.raises(ConfigError):
            _judge(flags(*given))


def run_with(tmp_path, monkeypatch):
    """Answer four questions with the calibrated judge, and write the run."""
    loaded = load_judge(SHIPPED)
    scripted = Scripted()
    machine = scripted.machine._replace(calibrated=loaded.calibrated)
    records = answer_batch(machine, items(4))
    embedder = EMBEDDER.model_dump(mode="json")
    fields = {"calibrated_judge": {**loaded.identity, "encoder": embedder}, "embedder": embedder}
    monkeypatch.setattr(verify, "open_encoder", FakeEncoder)
    return records, make_run(tmp_path / "run", records, config="baseline", **fields)


def test_a_run_with_the_calibrated_judge_is_verified(tmp_path, monkeypatch):
    records, folder = run_with(tmp_path, monkeypatch)
    assert all(0 <= each["metrics"][CALIBRATED_JUDGE] <= 1 for each in records)
    stored = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    assert stored["metrics"][CALIBRATED_JUDGE]["n"] == 4
    assert f"| {CALIBRATED_JUDGE} |" in (folder / "summary.md").read_text(encoding="utf-8")
    found = read_run(folder)
    assert list(verify.differences(found, encoder=True)) == []
    assert list(verify.differences(found, encoder=False)) == []
    found.records[2]["metrics"][CALIBRATED_JUDGE] += 0.1
    lines = list(verify.differences(found, encoder=True))
    assert lines[0].startswith(f"question 2: {CALIBRATED_JUDGE}: stored")


def test_an_empty_answer_scores_nothing_with_the_calibrated_judge(tmp_path):
    scripted = Scripted(lambda _: "")
    machine = scripted.machine._replace(calibrated=load_judge(SHIPPED).calibrated)
    [found] = answer_batch(machine, items(1))
    assert found["metrics"][CALIBRATED_JUDGE] == 0.0


def test_results_name_the_calibration_of_their_judges():
    settings = load_settings("baseline", "embedded", [])
    run = {"judge": {"model": "j"}, "calibrated_judge": load_judge(SHIPPED).identity}
    records = [record(n, metrics={**record(n)["metrics"], CALIBRATED_JUDGE: 0.5}) for n in range(3)]
    said = notes(results_of(settings, records, calibration_of(run)))
    assert any(note.startswith("LLM_judge (j): not calibrated against people") for note in said)
    [own] = [note for note in said if note.startswith("calibrated_judge (calibrated): agreed")]
    assert "Warning" not in own
    assert results_table(results_of(settings, records)).row_count >= 7
    # Nothing is said of a judge that scored nothing.
    unscored = [record(0, metrics={**record(0)["metrics"], "LLM_judge": None})]
    assert not any(
        "LLM_judge (" in n for n in notes(results_of(settings, unscored, calibration_of(run)))
    )
