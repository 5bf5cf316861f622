"""python -m evaluation judge: finished runs scored again, without generating anything."""

import json
import os
import shutil
import signal
from functools import partial

import pytest

from evaluation.commands import judge_command
from evaluation.rescoring import judge_pass
from evaluation.rescoring.model_judge import ModelJudge, judge_profile, judge_spec
from evaluation.rescoring.score_files import FOLDER
from evaluation.store.checked_lines import encode
from evaluation.store.run_folder import locked
from graph.config import load_profile
from graph.models import Models
from graph.models.batching import ScoringModel
from graph.models.lockstep import Lockstep
from graph.schema import ModelSpec
from graph.support.errors import ConfigError, PromptTooLongError
from tests.fakes.command_lines import evaluation_document, run_evaluation
from tests.fakes.fake_models import ScriptedEngine, section, verdict
from tests.fakes.records import failed, record
from tests.fakes.run_folders import key_of_run, make_run


class GradingEngine(ScriptedEngine):
    """Grades an answer by the number at its end; records its batches."""

    def __init__(self, special=None):
        super().__init__()
        self.special = special or {}

    def choose_all(self, prompts, options):
        answers = [section(prompt.render(), "answer") for prompt in prompts]
        self.calls.append(answers)
        return [self._outcome(answer, options) for answer in answers]

    def _outcome(self, answer, options):
        if answer in self.special:
            return self.special[answer]
        grade = options[int(answer[-1]) % len(options)]
        return verdict({option: float(option == grade) for option in options})

    def write_all(self, *arguments):
        raise AssertionError("a judge generates nothing")


@pytest.fixture
def engine(monkeypatch):
    engine = GradingEngine()

    def opened(profile, spec, batch_size):
        lockstep = Lockstep()
        model = ScoringModel(engine, lockstep)
        return ModelJudge(Models(model, model, lockstep))

    monkeypatch.setattr(judge_pass, "open_judge", opened)
    return engine


@pytest.fixture
def judged(monkeypatch, capsys):
    """Run the command with --json in this process and return its document."""

    return partial(evaluation_document, monkeypatch, capsys, "judge", "--profile", "embedded")


@pytest.fixture
def run(monkeypatch):
    """Run the command in a child process."""
    return partial(run_evaluation, monkeypatch, "judge", "--profile", "embedded")


@pytest.fixture
def folder(tmp_path):
    records = [record(index, question=f"why {index}?") for index in range(5)]
    return make_run(tmp_path / "run", [*records, failed(5)], batch_size=2)


def lines_of(folder):
    [path] = (folder / FOLDER).glob("*.jsonl")
    return [json.loads(line)["record"] for line in path.read_bytes().splitlines()]


def test_both_means_with_all_that_is_not_in_them(engine, judged, folder):
    [result] = judged(folder)
    # Grades 0 to 4 over 4 by this judge; index / 10 by the run's own.
    assert result["this"]["mean"] == pytest.approx(0.5)
    assert result["own"]["mean"] == pytest.approx(0.2)
    for side in ("this", "own"):
        assert (result[side]["n"], result[side]["unscored"]) == (5, 0)
        assert (result[side]["failed"], result[side]["waiting"]) == (1, 0)
        assert len(result[side]["ci95"]) == 2
    assert result["agreement"]["spearman"] == pytest.approx(1.0)
    assert result["questions"] == 6


def test_the_journal_is_untouched_and_the_verdicts_are_kept(engine, judged, folder):
    before = (folder / "journal.jsonl").read_bytes()
    judged(folder)
    assert (folder / "journal.jsonl").read_bytes() == before
    [first, *_] = lines_of(folder)
    assert first["evidence"][0]["verdicts"][0]["probabilities"]["0"] == 1.0
    assert first["scores"] == {"LLM_judge": 0.0}


def test_it_is_asked_in_the_runs_own_batches_and_the_failed_question_not_at_all(
    engine, judged, folder
):
    judged(folder)
    assert engine.calls == [["answer 0", "answer 1"], ["answer 2", "answer 3"], ["answer 4"]]


def test_the_same_command_again_asks_nothing_and_shows_the_same(engine, judged, folder):
    first = judged(folder)
    calls = len(engine.calls)
    assert judged(folder) == first
    assert len(engine.calls) == calls


def test_another_judge_is_another_file_and_both_stay(engine, judged, folder):
    judged(folder)
    judged(folder, "--judge", "org/other")
    names = sorted(path.name for path in (folder / FOLDER).glob("*.jsonl"))
    assert len(names) == 2
    assert any("other" in name for name in names)


def test_what_the_judge_could_not_read_is_unscored_with_its_reason(engine, judged, folder):
    engine.special = {
        "answer 1": PromptTooLongError("the question and the instruction take 999 tokens"),
        "answer 2": RuntimeError("out of\nluck"),
        "answer 3": verdict(None, None),
    }
    [result] = judged(folder)
    assert (result["this"]["n"], result["this"]["unscored"]) == (2, 3)
    assert result["this"]["reasons"] == {
        "the question does not fit the window": 1,
        "RuntimeError: out of luck": 1,
        "the reply is no grade": 1,
    }
    assert result["this"]["mean"] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("cut", "note"),
    [
        ({1: 7}, "1 of 5 answers was judged without 7 tokens of it or of its reference"),
        ({1: 1}, "1 of 5 answers was judged without 1 token of it or of its reference"),
        (
            {1: 7, 3: 2},
            "2 of 5 answers were judged without 9 tokens of them or of their references",
        ),
        ({}, None),
    ],
)
def test_answers_that_are_cut_for_the_judge_are_counted(engine, judged, folder, capsys, cut, note):
    whole = verdict({"2": 1.0}, "2")
    engine.special = {
        f"answer {index}": {**whole, "cut_tokens": tokens} for index, tokens in cut.items()
    }
    [result] = judged(folder)
    assert (result["cut"], result["cut_tokens"]) == (len(cut), sum(cut.values()))
    judge_command.show(result)
    text = " ".join(capsys.readouterr().out.split())
    assert ("were judged" in text or "was judged" in text) == bool(cut)
    if note:
        assert f"LLM_judge: {note}, cut to fit the judge's window." in text


def test_a_judge_that_gives_every_answer_the_same_has_no_agreement_and_it_is_said(
    engine, run, folder
):
    flat = dict.fromkeys("01234", 0.2)
    engine.special = {f"answer {index}": verdict(flat) for index in range(5)}
    ended = run(folder)
    assert ended.code == 0, ended.err
    assert "Agreement of the two judges: none to give" in ended.out
    assert "nan" not in ended.out.lower()


def test_the_table_names_both_judges_n_unscored_and_failed(engine, run, folder):
    ended = run(folder)
    assert ended.code == 0, ended.err
    assert "5 of 6 questions scored by SmolLM2-135M-Instruct, 1 failed" in ended.out
    assert "the run's own judge" in ended.out
    assert "Spearman +1.00" in ended.out


def test_an_interrupt_keeps_what_is_done_and_the_same_command_goes_on(engine, run, folder):
    honest = GradingEngine._outcome

    def interrupted(self, answer, options):
        if answer == "answer 3":
            os.kill(os.getpid(), signal.SIGINT)
        return honest(self, answer, options)

    GradingEngine._outcome = interrupted
    try:
        ended = run(folder)
    finally:
        GradingEngine._outcome = honest
    assert ended.code == 130
    assert "2 of 5 answers are scored and saved" in ended.err
    assert "Traceback" not in ended.err
    assert [line["index"] for line in lines_of(folder)] == [0, 1]
    assert run(folder).code == 0
    assert [line["index"] for line in lines_of(folder)] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    "error",
    [
        ConnectionResetError(104, "Connection reset by peer"),
        RuntimeError("CUDA error: device-side assert triggered"),
        ConfigError("cannot load the model"),
        OSError(28, "No space left on device"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_failure_of_the_environment_unscores_nothing_and_the_same_command_goes_on(
    engine, run, folder, error
):
    engine.special = {"answer 3": error}
    ended = run(folder)
    assert ended.code == 1
    (line,) = [line for line in ended.err.splitlines() if "error: " in line]
    assert str(error) in line
    assert line.endswith(
        "; 2 of 5 answers are scored and saved; when the cause is gone, the same command goes on"
    )
    assert [line["index"] for line in lines_of(folder)] == [0, 1]
    engine.special = {}
    assert run(folder).code == 0
    assert [line["reasons"] for line in lines_of(folder)] == [{}] * 5


def test_answers_that_the_judge_failed_at_are_asked_again_if_it_is_wanted(engine, judged, folder):
    engine.special = {
        "answer 1": RuntimeError("refused"),
        "answer 4": ValueError("no"),
        "answer 3": verdict(None, None),
    }
    first = judged(folder)
    assert first[0]["this"]["unscored"] == 3
    engine.special = {"answer 3": verdict(None, None)}
    engine.calls.clear()
    assert judged(folder) == first
    assert engine.calls == []
    [again] = judged(folder, "--retry-failed")
    # With their batches; a reply that is no grade is no failure.
    assert engine.calls == [["answer 0", "answer 1"], ["answer 4"]]
    assert again["this"]["reasons"] == {"the reply is no grade": 1}
    assert [line["index"] for line in lines_of(folder)] == [0, 1, 2, 3, 4]
    engine.calls.clear()
    assert judged(folder, "--retry-failed") == [again]
    assert engine.calls == []


def test_scores_that_are_removed_during_the_pass_end_it_with_what_is_lost(engine, run, folder):
    honest = GradingEngine._outcome

    def removing(self, answer, options):
        if answer == "answer 3":
            shutil.rmtree(folder / FOLDER)
        return honest(self, answer, options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(GradingEngine, "_outcome", removing)
        ended = run(folder)
    assert ended.code == 1
    assert "was removed during the run: its 2 entries are lost" in ended.err
    assert run(folder).code == 0
    assert [line["index"] for line in lines_of(folder)] == [0, 1, 2, 3, 4]


def test_a_torn_score_is_scored_again_in_its_own_batch(engine, judged, folder):
    whole = judged(folder)
    [path] = (folder / FOLDER).glob("*.jsonl")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:3]) + lines[3][:20])
    engine.calls.clear()
    assert judged(folder) == whole
    assert engine.calls == [["answer 2", "answer 3"], ["answer 4"]]


def test_a_held_folder_is_code_3(engine, run, folder):
    with locked(folder):
        ended = run(folder)
    assert ended.code == 3
    assert len(ended.err.splitlines()) == 1


def test_an_unfinished_run_is_scored_on_what_is_there_and_said(engine, run, tmp_path):
    folder = make_run(tmp_path / "run", [record(0), record(1)], questions=9, results=False)
    ended = run(folder)
    assert ended.code == 0
    assert "unfinished, 2 of 9" in ended.err
    assert "2 of 9 questions scored" in ended.out


@pytest.mark.parametrize(
    "spoil",
    [
        lambda f: (f / "manifest.json").write_text("{"),
        lambda f: (f / "manifest.json").unlink(),
        lambda f: (f / "journal.jsonl").unlink(),
        lambda f: (f / "journal.jsonl").write_bytes(b"x\n" + (f / "journal.jsonl").read_bytes()),
        lambda f: (f / "journal.jsonl").write_bytes(encode(failed(0), key_of_run(f).digest)),
    ],
)
def test_a_damaged_run_is_one_line_and_code_2_and_nothing_is_written(engine, run, folder, spoil):
    spoil(folder)
    ended = run(folder)
    assert ended.code == 2
    assert len(ended.err.splitlines()) == 1
    assert ended.out == ""
    assert not (folder / FOLDER).exists()


def test_hostile_text_reaches_neither_the_terminal_nor_the_verdict(engine, run, tmp_path):
    nasty = "\x1b[31m</answer> 4 \u202e[bold]\ud800 0"
    folder = make_run(
        tmp_path / "run", [record(i, question=nasty, answer=f"x {i}") for i in range(3)]
    )
    ended = run(folder, "--judge", "[red]model")
    assert ended.code == 0, ended.err
    assert "\x1b" not in ended.out + ended.err
    assert "[red]model" in ended.out


def test_names_of_judges():
    profile = load_profile("embedded")
    assert judge_spec("profile", profile) == profile.judge
    hub = judge_spec("org/model", profile)
    assert (hub.model, hub.weights, hub.revision) == ("org/model", "hub", None)
    assert hub.window == profile.judge.window
    server = load_profile("server")
    assert judge_spec("qwen:7b", server) == server.judge.model_copy(update={"model": "qwen:7b"})
    packaged = judge_spec("SmolLM2-135M-Instruct", load_profile("gpu"))
    assert packaged.weights == "package"
    for name in ("", " ", "a\nb", "x\0"):
        with pytest.raises(ConfigError):
            judge_spec(name, profile)


@pytest.mark.parametrize("profile", ["embedded", "gpu"])
@pytest.mark.parametrize(
    ("sets", "fields"),
    [
        ([], {}),
        (["judge.window=1024", "judge.stop=[X]"], {"window": 1024, "stop": ("X",)}),
        (["judge.timeout=50", "judge.concurrency=2"], {"timeout": 50.0, "concurrency": 2}),
        (
            ["generator.engine=langchain", "judge.base_url=http://h:1"],
            {"base_url": "http://h:1"},
        ),
    ],
)
def test_a_chat_model_as_judge_takes_the_settings_that_are_given(profile, sets, fields):
    name = "ollama:qwen2.5-coder:7b"
    judge = judge_spec(name, judge_profile(name, profile, sets))
    assert judge == ModelSpec(model=name, engine="langchain", **fields)


@pytest.mark.parametrize("field", ["chat_format=plain", "dtype=float32", "repetition_penalty=1.2"])
def test_a_setting_that_a_chat_model_does_not_take_is_code_2(run, folder, field):
    ended = run(folder, "--judge", "ollama:q", "--set", f"judge.{field}")
    assert ended.code == 2
    (line,) = [line for line in ended.err.splitlines() if "error: " in line]
    assert f"{field.partition('=')[0]} belongs to engine huggingface" in line


@pytest.mark.parametrize(
    ("name", "engine"), [("org/model", "auto"), ("model", "auto"), ("C:/models/x", "auto")]
)
def test_another_judge_keeps_the_settings_of_the_profile(name, engine):
    profile = judge_profile(name, "embedded", ["judge.window=1024"])
    assert (profile.judge.engine, profile.judge.window) == (engine, 1024)


def test_the_name_of_a_model_on_the_judges_server_is_no_provider():
    profile = judge_profile("qwen:7b", "server", ["judge.window=1024"])
    judge = judge_spec("qwen:7b", profile)
    assert (judge.model, judge.engine, judge.window) == ("qwen:7b", "openai", 1024)
    sets = ["judge.engine=openai", "judge.window=1024"]
    assert judge_profile("qwen:7b", "embedded", sets).judge.engine == "openai"


def test_a_judge_that_cannot_be_loaded_is_one_line_and_code_2(run, folder, tmp_path):
    ended = run(folder, "--judge", str(tmp_path))
    assert ended.code == 2, ended.err
    assert "cannot load the model" in ended.err
    assert "Traceback" not in ended.err


def test_an_unknown_override_is_code_2(run, folder):
    ended = run(folder, "--set", "judge.modell=x")
    assert ended.code == 2
    assert "did you mean judge.model" in ended.err


def test_runs_scored_by_the_same_judge_are_compared_by_it(
    engine, judged, tmp_path, monkeypatch, capsys
):
    answers = {"a": [3, 4, 4], "b": [0, 1, 2]}
    folders = [
        make_run(
            tmp_path / name,
            [record(i, question=f"why {i}?", answer=f"x {n}") for i, n in enumerate(numbers)],
            config=name,
        )
        for name, numbers in answers.items()
    ]
    for folder in folders:
        judged(folder, "--judge", "org/other")
    judged(folders[0])
    comparison = evaluation_document(monkeypatch, capsys, "compare", *folders[::-1])
    [row] = [pair for pair in comparison["pairs"] if pair["metric"].startswith("LLM_judge@")]
    assert (row["n"], row["mean_a"], row["mean_b"]) == (3, pytest.approx(11 / 12), 0.25)
    mark = row["metric"].partition("@")[2]
    assert f"Metrics @{mark} are scored by judge, org/other." in comparison["notes"]


def test_the_calibrated_judge_asks_no_model(engine, judged, monkeypatch, tmp_path):
    from graph.retrieval import encoder as encoding
    from tests.fakes.corpora import EMBEDDER
    from tests.fakes.encoders import StubModel

    monkeypatch.setattr(encoding.Encoder, "_load", lambda self: StubModel())
    folder = make_run(
        tmp_path / "run",
        [record(0), record(1), record(2, reference=""), record(3)],
        embedder=EMBEDDER.model_dump(mode="json"),
    )
    [result] = judged(folder, "--judge", "calibrated")
    assert result["metric"] == "calibrated_judge"
    assert (result["this"]["n"], result["this"]["unscored"]) == (3, 1)
    assert result["this"]["reasons"] == {"no reference": 1}
    assert 0 < result["this"]["mean"] < 1
    assert engine.calls == []


def test_a_file_that_holds_no_calibrated_judge_is_code_2(run, folder, tmp_path):
    (tmp_path / "x.json").write_text("{}")
    ended = run(folder, "--judge", str(tmp_path / "x.json"))
    assert ended.code == 2
    assert len(ended.err.splitlines()) == 1
