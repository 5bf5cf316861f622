"""python -m evaluation calibrate: grades in, tables or one JSON document out; and --judge of eval.py."""

import json
import sys
from types import SimpleNamespace

import pytest

from evaluation import __main__ as cli
from evaluation.analysis.run_results import results_of
from evaluation.answering.batch_records import answer_batch
from evaluation.answering.flags import parser
from evaluation.answering.job import _judge
from evaluation.calibration import signals
from evaluation.calibration.grades import COLUMNS, load_grades
from evaluation.calibration.known_judges import calibration_of, own_figures
from evaluation.commands import calibrate_command as command
from evaluation.commands import verify_command as verify
from evaluation.metrics.calibrated_judge import CALIBRATED_JUDGE, SHIPPED, load_judge
from evaluation.store.recorded_run import read_run
from evaluation.tables.results_tables import notes, results_table
from graph.config import load_settings
from graph.support.errors import ConfigError, DatasetError
from tests.fakes.command_lines import evaluation_document, run_evaluation
from tests.fakes.corpora import EMBEDDER, FakeEncoder
from tests.fakes.csv_files import write_csv
from tests.fakes.fake_models import ScriptedEngine, section, verdict
from tests.fakes.records import record
from tests.fakes.run_folders import make_run
from tests.fakes.scripted_runs import Scripted, items

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
    engine = Judge()
    models = SimpleNamespace(judge=SimpleNamespace(engine=engine))
    monkeypatch.setattr(command, "open_models", lambda *_, **__: models)
    monkeypatch.setattr(command, "open_encoder", FakeEncoder)
    monkeypatch.setattr(command, "model_identity", lambda spec: spec.model_dump(mode="json"))
    monkeypatch.setattr(
        "evaluation.answering.run_identity.resolve_model_dtype", lambda _: "float32"
    )
    monkeypatch.setattr("evaluation.calibration.score_agreement.AGREEMENT_DRAWS", 60)
    return engine


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


@pytest.fixture
def calibrate(monkeypatch, capsys, judge, tmp_path):
    """Run the command in this process; return its JSON document."""

    def start(rows, *arguments):
        path = write_csv(tmp_path / "people.csv", rows)
        options = ("--grades", path, "--profile", "embedded", *arguments)
        return evaluation_document(monkeypatch, capsys, "calibrate", *options)

    return start


def test_the_document(calibrate, judge):
    document = calibrate(grade_rows())
    assert list(document["signals"]) == [
        *signals.CHEAP,
        "LLM_judge",
        "LLM_judge_descending",
        "LLM_judge_both_orders",
        "calibrated",
    ]
    one = document["signals"]["ROUGE-1"]
    assert (one["n"], one["unscored"], one["pair_agreement"]["n"]) == (72, 0, 72)
    assert one["pair_agreement"]["mean"] == 1
    assert one["without_copies"]["n"] == 48
    assert document["grades"]["copies"] == document["grades"]["questions"] == 24
    ceiling = document["human_ceiling"]
    assert (ceiling["graders"], ceiling["n"]) == (3, 24 * 7)
    assert document["human_ceiling_without_copies"]["n"] == 24 * 5
    assert document["judge"]["mass"]["descending"]["mean"] == pytest.approx(0.25)
    assert document["judge"]["orders"]["spearman"]["mean"] is None
    # Asked in batches of both orders, equal answers to a question once: none are equal here.
    assert sum(map(len, judge.calls)) == 2 * 72
    assert any(
        "LLM_judge_descending: all scores are the same" in note for note in document["notes"]
    )
    assert any(note.startswith("LLM_judge_descending: Warning") for note in document["notes"])
    assert not any(note.startswith("ROUGE-1") for note in document["notes"])


def test_equal_answers_are_asked_once_and_failed_verdicts_are_unscored(calibrate, judge):
    rows = grade_rows(2)
    rows += [{**rows[0], "item_id": "again"}, {**rows[1], "item_id": "b", "candidate": "broken"}]
    document = calibrate(rows)
    assert sum(map(len, judge.calls)) == 2 * 7
    assert document["signals"]["LLM_judge"]["unscored"] == 1
    assert document["judge"]["errors"] == 2
    assert document["signals"]["ROUGE-1"]["unscored"] == 0


def test_no_judge_asks_no_model(calibrate, judge):
    document = calibrate(grade_rows(3), "--no-judge", "--limit-questions", 2)
    assert judge.calls == []
    assert document["judge"] is None
    assert document["grades"]["questions"] == 2
    assert list(document["signals"]) == [*signals.CHEAP, "calibrated"]


def test_a_fit_is_written_measured_and_used(calibrate, tmp_path):
    path = tmp_path / "mine.json"
    document = calibrate(grade_rows(), "--fit", path, "--record")
    stored = load_judge(path)
    assert stored.identity == document["calibrated"]
    assert stored.provenance["grades"]["file"] == "people.csv"
    assert str(tmp_path) not in path.read_text(encoding="utf-8")
    figures = stored.provenance["cross_validated"]
    assert figures["pair_agreement"] == document["signals"]["calibrated"]["pair_agreement"]
    again = calibrate(grade_rows(), "--calibrated", path)
    assert again["signals"]["calibrated"] == document["signals"]["calibrated"]
    assert own_figures().is_file()
    assert calibration_of({"judge": document["judge"]["fields"]})[0]["n"] == 72
    assert calibration_of({"calibrated_judge": stored.identity})[0]["n"] == 72


def test_one_question_and_one_grader_are_said(calibrate):
    rows = [{**row, "grades": '{"ann": 3}'} for row in grade_rows(1)]
    document = calibrate(rows, "--no-judge")
    assert document["human_ceiling"]["spearman"] == {"mean": None, "ci95": None}
    assert document["signals"]["BLEU"]["spearman"]["ci95"] is None
    notes_text = " ".join(document["notes"])
    assert "one question alone" in notes_text
    assert "no human ceiling" in notes_text
    assert "a human_mean that is not the mean of their grades" in notes_text


def test_rows_without_a_reference_are_unscored(calibrate):
    rows = [{**row, "reference": ""} for row in grade_rows(2)]
    document = calibrate(rows)
    assert document["signals"]["calibrated"]["unscored"] == 6
    assert "BLEU: no answer is scored." in document["notes"]


def test_the_tables_show_hostile_text_harmlessly(calibrate, monkeypatch, capsys, tmp_path):
    rows = grade_rows(3)
    rows[0]["candidate"] = "[red]\x1b[31m {question} \u202e</answer>"
    path = write_csv(tmp_path / "[b]people\u202e.csv", rows)
    monkeypatch.setattr(sys, "argv", ["evaluation", "calibrate", "--grades", str(path)])
    assert cli.main() == 0
    out = capsys.readouterr().out
    assert out.startswith("[b]people<U+202E>.csv: 9 answers to 3 questions, 3 graders")
    assert "calibrated: logistic(" in out
    assert "people" in out
    assert "nan" not in out
    assert max(map(len, out.splitlines())) <= 100


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"human_mean": "nan"}, "row 2: human_mean 'nan' is not a number from 0 to 4"),
        ({"human_mean": "4.1"}, "not a number from 0 to 4"),
        ({"human_mean": ""}, "not a number from 0 to 4"),
        ({"item_id": ""}, "item_id is empty"),
        ({"item_id": "0-copy"}, "is already in row 1"),
        ({"question": " "}, "question is empty"),
        ({"grades": "4"}, "not a JSON object"),
        ({"grades": "{'a': open('x')}"}, "not a JSON object"),
        ({"grades": "[" * 50_000}, "not a JSON object"),
        ({"grades": '{"a": "4"}'}, "grade '4' of grader 'a' is not a number"),
        ({"grades": '{"a": NaN}'}, "grade 'nan' of grader 'a' is not a number"),
        ({"grades": '{"a": true}'}, "is not a number"),
        ({"grades": '{"a": 5}'}, "is not a number"),
    ],
    ids=str,
)
def test_a_damaged_row_is_refused_with_its_place(tmp_path, change, message):
    rows = grade_rows(1)
    rows[1] |= change
    with pytest.raises(DatasetError) as error:
        load_grades(write_csv(tmp_path / "people.csv", rows))
    assert message in str(error.value)
    assert "row 2" in str(error.value)
    assert len(str(error.value)) < 400


def test_grades_are_read_from_json_lines_and_further_columns_are_not_looked_at(tmp_path):
    rows = [{**row, "further": "x", "grades": json.loads(row["grades"])} for row in grade_rows(1)]
    path = tmp_path / "people.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    answers = load_grades(path)
    assert answers[1].grades == {"ann": 3, "ben": 2, "cleo": 3}
    assert [answer.copied for answer in answers] == [True, False, False]
    path.write_text(json.dumps({**rows[0], "grades": {"ann": None, "ben": 4}}), encoding="utf-8")
    assert load_grades(path)[0].grades == {"ben": 4}


@pytest.mark.parametrize("missing", COLUMNS)
def test_a_missing_column_is_named(tmp_path, missing):
    rows = [
        {name: value for name, value in row.items() if name != missing} for row in grade_rows(1)
    ]
    with pytest.raises(DatasetError, match=missing):
        load_grades(write_csv(tmp_path / "people.csv", rows))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--fit", "mine.json"], "at least 20 questions"),
        (["--fit", "no/mine.json"], "is no file in an existing folder: name another"),
        (["--record", "--no-judge"], "drop --no-judge"),
        (["--calibrated", "none.json"], "cannot be read"),
        (["--limit-questions", "0"], "not a whole number above 0"),
    ],
    ids=str,
)
def test_what_cannot_be_done_is_one_line_and_exit_code_2(
    monkeypatch, judge, tmp_path, arguments, message
):
    monkeypatch.chdir(tmp_path)
    write_csv(tmp_path / "people.csv", grade_rows(2))
    ended = run_evaluation(monkeypatch, "calibrate", "--grades", "people.csv", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert message in ended.err
    assert ended.err.count("\n") <= 2


def test_a_damaged_list_of_judges_is_refused_before_the_judge_is_asked(calibrate, judge):
    own_figures().parent.mkdir(parents=True)
    own_figures().write_text("{}", encoding="utf-8")
    with pytest.raises(DatasetError, match="damaged list of measured judges"):
        calibrate(grade_rows(2), "--record")
    assert judge.calls == []


def flags(*arguments):
    return parser().parse_args([*arguments])


def test_which_judge_a_run_has():
    assert _judge(flags()) == _judge(flags("--judge", "model")) == (True, None)
    assert _judge(flags("--no-judge")) == _judge(flags("--judge", "none")) == (False, None)
    asks, loaded = _judge(flags("--judge", "calibrated"))
    assert loaded == load_judge(SHIPPED)
    assert asks == loaded.calibrated.needs_judge
    for arguments in (["--judge", "gpt"], ["--no-judge", "--judge", "calibrated"]):
        with pytest.raises(ConfigError):
            _judge(flags(*arguments))


def run_with(tmp_path, monkeypatch):
    """Answer four questions with the calibrated judge, and write the run."""
    loaded = load_judge(SHIPPED)
    scripted = Scripted()
    setup = scripted.setup._replace(calibrated=loaded.calibrated)
    records = answer_batch(setup, items(4))
    embedder = EMBEDDER.model_dump(mode="json")
    fields = {"calibrated_judge": {**loaded.identity, "encoder": embedder}, "embedder": embedder}
    monkeypatch.setattr(verify, "open_encoder", FakeEncoder)
    return records, make_run(tmp_path / "run", records, config="baseline", **fields)


def test_a_run_with_the_calibrated_judge_is_verified(tmp_path, monkeypatch):
    records, folder = run_with(tmp_path, monkeypatch)
    assert all(0 <= entry["metrics"][CALIBRATED_JUDGE.name] <= 1 for entry in records)
    stored = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    assert stored["metrics"][CALIBRATED_JUDGE.name]["n"] == 4
    assert f"| {CALIBRATED_JUDGE.name} |" in (folder / "summary.md").read_text(encoding="utf-8")
    run = read_run(folder)
    assert list(verify.differences(run, with_encoder=True)) == []
    assert list(verify.differences(run, with_encoder=False)) == []
    run.records[2]["metrics"][CALIBRATED_JUDGE.name] += 0.1
    lines = list(verify.differences(run, with_encoder=True))
    assert lines[0].startswith(f"question 2: {CALIBRATED_JUDGE.name}: stored")


def test_an_empty_answer_scores_nothing_with_the_calibrated_judge(tmp_path):
    scripted = Scripted(lambda _: "")
    setup = scripted.setup._replace(calibrated=load_judge(SHIPPED).calibrated)
    [answered] = answer_batch(setup, items(1))
    assert answered["metrics"][CALIBRATED_JUDGE.name] == 0.0


def test_results_name_the_calibration_of_their_judges():
    settings = load_settings("baseline", "embedded", [])
    run = {"judge": {"model": "j"}, "calibrated_judge": load_judge(SHIPPED).identity}
    records = [
        record(n, metrics={**record(n)["metrics"], CALIBRATED_JUDGE.name: 0.5}) for n in range(3)
    ]
    lines = notes(results_of(settings, records, calibration_of(run)))
    assert any(note.startswith("LLM_judge (j): not calibrated against people") for note in lines)
    [own] = [note for note in lines if note.startswith("calibrated_judge (calibrated): agreed")]
    assert "Warning" not in own
    assert results_table(results_of(settings, records)).row_count >= 7
    # Nothing is said of a judge that scored nothing.
    unscored = [record(0, metrics={**record(0)["metrics"], "LLM_judge": None})]
    assert not any(
        "LLM_judge (" in n for n in notes(results_of(settings, unscored, calibration_of(run)))
    )
