"""Whole runs whose models are on a server: eval.py, the scoring of a finished run, and a lost server."""

import json
from itertools import count
from types import SimpleNamespace

import openai
import pytest
from langchain_core.prompts import PromptTemplate

import graph.models
from evaluation.commands import eval_command as cli
from evaluation.report.run_facts import facts_of
from evaluation.rescoring.judge_pass import judge_run
from evaluation.store.recorded_run import read_run
from graph.config import load_settings
from graph.models.engines import ENGINES, chat_models, describe, openai_server, request_failures
from graph.support import terminal
from graph.support.errors import ConfigError
from nodes.model import Prompt
from tests.fakes.model_servers import (
    DROP,
    HANG,
    MODEL,
    ModelServer,
    Page,
    answer_by_prompt,
    answer_by_schema,
    completion,
    error,
)
from tests.fakes.processes import in_child
from tests.fakes.scripted_runs import command, without_weights, write_dataset
from tests.fakes.waiting import Clock
from tests.integration.loopback import allow_this_machine

COUNT, BATCH = 6, 2
KEY = "sk-secret-of-the-environment"


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    """Replace the fixture of all tests, which allows no connection to this machine either."""
    allow_this_machine(monkeypatch)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    # The pauses between the tries of the client take no time in a test.
    base = openai._base_client.BaseClient
    monkeypatch.setattr(base, "_calculate_retry_timeout", lambda *_, **__: 0)
    clock = Clock()
    monkeypatch.setattr(request_failures, "monotonic", clock.monotonic)
    monkeypatch.setattr(request_failures, "sleep", clock.sleep)


@pytest.fixture
def server():
    with ModelServer() as server:
        yield server


def prepare(monkeypatch, server, folder, name, *flags, sets=(), dataset=None):
    """Set the command line of a run on the server, and its environment."""
    dataset = dataset or write_dataset(folder / "questions.csv", COUNT)
    without_weights(monkeypatch)
    monkeypatch.setattr(cli, "open_models", graph.models.open_models)
    monkeypatch.setenv("OPENCODER_CACHE", str(folder / f"cache-{name}"))
    address = server.address
    command(
        monkeypatch,
        *("--config", "baseline", "--profile", "server", "--batch_size", BATCH),
        *("--dataset", dataset, "--runs", folder / name, "--no-report", *flags),
        *("--set", f"generator.base_url={address}", f"judge.base_url={address}", *sets),
    )


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The folder of a run whose server stays.

    It runs in this process, so that each child starts with all modules loaded.
    """
    folder = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as patch, ModelServer() as server:
        allow_this_machine(patch)
        prepare(patch, server, folder, "runs")
        assert cli.main() == 0
    # Another server may get the same port.
    openai_server.open_chat.cache_clear()
    openai_server.served_model.cache_clear()
    return folder_of(folder, "runs")


@pytest.fixture
def evaluate(monkeypatch, tmp_path, server, undisturbed):
    """Run eval.py on the server in a child process and return its end."""

    def evaluate(name, *flags, **changes):
        prepare(monkeypatch, server, tmp_path, name, *flags, **changes)
        return in_child(lambda: terminal.run(cli.main))

    return evaluate


def asking() -> Prompt:
    return Prompt(PromptTemplate.from_template("{q}"), {"q": "why?"})


def folder_of(tmp_path, name):
    (folder,) = (tmp_path / name).iterdir()
    return folder


def results(folder):
    return {name: (folder / name).read_bytes() for name in ("metrics.json", "summary.md")}


def test_a_run_has_verdicts_with_probabilities_and_the_tokens_of_the_server(
    server, evaluate, tmp_path
):
    ended = evaluate("runs")
    assert ended.code == 0, ended.err
    folder = folder_of(tmp_path, "runs")
    run = read_run(folder)
    assert len(run.records) == COUNT
    for record in run.records:
        assert record["error"] is None
        [draft, judged] = record["steps"]
        [reply], [verdict] = draft["replies"], judged["verdicts"]
        assert reply["prompt_tokens"] == len(reply["prompt"])
        assert reply["tokens_estimated"] is verdict["tokens_estimated"] is False
        assert sum(verdict["probabilities"].values()) == pytest.approx(1)
        assert 0 < verdict["mass"] < 1
    reported = SimpleNamespace(key="a", recorded=run)
    for name in ("generator", "judge"):
        identity = run.identity[name]
        assert identity["model"] == MODEL
        assert identity["served"] == {"id": MODEL, "owned_by": "stub"}
        assert (identity["verdicts"], identity["top_logprobs"]) == ("log-probabilities", 20)
        assert (identity["refused"], identity["revision"]) == ([], None)
        assert not {"base_url", "concurrency", "timeout"} & set(identity)
    facts = {fact.name: fact.values for fact in facts_of([reported], [{}])}
    assert facts["judge"] == ["stub-model (openai, verdicts by log-probabilities)"]


def test_the_key_stands_in_no_file_and_no_output(server, evaluate, tmp_path):
    ended = evaluate("runs")
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.name == "manifest.json" for path in files)
    for path in files:
        assert KEY.encode() not in path.read_bytes(), path
    server.answer = lambda body: error(401, f"the key {KEY} was revoked")
    refused = evaluate("others")
    assert refused.code == 2
    assert "refuses the key: set OPENAI_API_KEY" in refused.err
    assert KEY not in ended.out + ended.err + refused.out + refused.err
    assert {header["authorization"] for header in server.headers} == {f"Bearer {KEY}"}


@pytest.mark.parametrize(
    "loss",
    [
        *(DROP, HANG, error(429), error(500), {"choices": []}),
        *(Page("<html>", kind="text/html"), Page('{"choices": [{"mess')),
    ],
    ids=["dropped", "hangs", "429", "500", "no choice", "HTML", "half a JSON"],
)
def test_a_server_that_is_lost_costs_no_question(
    server, evaluate, undisturbed, tmp_path, monkeypatch, loss
):
    monkeypatch.setattr(openai_server, "MAX_RETRIES", 1)

    def until_lost(body):
        # One probe, two answers and two grades, and one answer of the second batch.
        return answer_by_prompt(body) if len(server.bodies) <= 6 else loss

    server.answer = until_lost
    ended = evaluate("runs", sets=["generator.timeout=1", "judge.timeout=1"])
    assert ended.code == 1, ended.err
    (line,) = [line for line in ended.err.splitlines() if "error: " in line]
    assert f"the run stopped: the server at {server.address}: " in line
    assert (
        "; 2 of 6 questions are recorded; when the cause is gone, the same command goes on" in line
    )
    assert len(read_run(folder_of(tmp_path, "runs")).records) == 2
    server.answer = answer_by_prompt
    server.bodies.clear()
    ended = evaluate("runs")
    assert ended.code == 0, ended.err
    # The probe, and two requests for each question that was not recorded.
    assert len(server.bodies) <= 1 + 2 * (COUNT - BATCH)
    whole, resumed = read_run(undisturbed), read_run(folder_of(tmp_path, "runs"))
    assert [record["answer"] for record in resumed.records] == [
        record["answer"] for record in whole.records
    ]
    assert results(resumed.folder) == results(whole.folder)


@pytest.mark.parametrize(
    ("failure", "reason"),
    [(error(500, "crashed"), "Error code: 500"), (error(403, "flagged"), "Error code: 403")],
)
def test_a_question_that_a_server_fails_at_is_recorded_and_can_be_asked_again(
    server, evaluate, undisturbed, tmp_path, failure, reason
):
    server.answer = lambda body: failure if "question <3>" in str(body) else answer_by_prompt(body)
    ended = evaluate("runs")
    assert ended.code == 1, ended.err
    assert "1 of 6 questions failed" in ended.out
    records = read_run(folder_of(tmp_path, "runs")).records
    assert [record["index"] for record in records if record["error"]] == [3]
    assert records[3]["error"]["type"] == "FailedRequestError"
    assert reason in records[3]["error"]["message"]
    assert server.address not in records[3]["error"]["message"]
    server.answer = answer_by_prompt
    ended = evaluate("runs", "--retry-failed")
    assert ended.code == 0, ended.err
    assert results(folder_of(tmp_path, "runs")) == results(undisturbed)


def test_an_empty_account_stops_the_run_and_the_same_command_goes_on(
    server, evaluate, undisturbed, tmp_path
):
    numbers = count(1)

    def empty(body):
        # One probe; two answers and two grades of each of the first two questions.
        if len(server.bodies) <= 5:
            return answer_by_prompt(body)
        return error(400, f"Your credit balance is too low (request req_0{next(numbers)}a)")

    server.answer = empty
    dataset = write_dataset(tmp_path / "more.csv", 12)
    ended = evaluate("runs", dataset=dataset)
    assert ended.code == 1, ended.err
    (line,) = [line for line in ended.err.splitlines() if "error: " in line]
    assert "the run stopped: 8 questions in a row failed with OpenAIInvalidRequestError: " in line
    assert "Your credit balance is too low" in line
    assert "; 2 of 12 questions are recorded; when the cause is gone, the same command goes" in line
    server.answer = answer_by_prompt
    assert evaluate("runs", dataset=dataset).code == 0
    records = read_run(folder_of(tmp_path, "runs")).records
    assert [record["error"] for record in records] == [None] * 12


def test_an_answer_that_the_judge_is_refused_is_unscored_and_can_be_judged_again(
    server, evaluate, undisturbed, tmp_path
):
    server.answer = lambda body: (
        error(400, "flagged")
        if body.get("logprobs") and "question <3>" in str(body)
        else answer_by_prompt(body)
    )
    ended = evaluate("runs")
    assert ended.code == 0, ended.err
    text = " ".join(ended.out.split())
    assert (
        "LLM_judge: 1 answer is unscored, since the judge failed (OpenAIInvalidRequestError: "
        in text
    )
    server.answer = answer_by_prompt
    server.bodies.clear()
    ended = evaluate("runs", "--retry-failed")
    assert ended.code == 0, ended.err
    # The probe and a grade; everything else comes from the cache of calls.
    assert len(server.bodies) == 2
    assert results(folder_of(tmp_path, "runs")) == results(undisturbed)


def test_another_address_and_other_limits_are_the_same_run(server, evaluate, tmp_path):
    assert evaluate("runs").code == 0
    server.bodies.clear()
    ended = evaluate("runs", sets=["generator.concurrency=2", "judge.timeout=50"])
    assert ended.code == 0, ended.err
    assert "this run is finished" in ended.err
    assert len({path.name for path in (tmp_path / "runs").iterdir()}) == 1
    server.entries[0]["root"] = "/another/model"
    assert evaluate("runs").code == 0
    assert len({path.name for path in (tmp_path / "runs").iterdir()}) == 2


def test_a_way_of_verdicts_is_part_of_a_run(server, evaluate, tmp_path):
    assert evaluate("runs").code == 0
    server.answer = answer_by_schema
    ended = evaluate("runs")
    assert ended.code == 0, ended.err
    ways = {
        read_run(folder).identity["judge"]["verdicts"] for folder in (tmp_path / "runs").iterdir()
    }
    assert ways == {"log-probabilities", "JSON schema"}


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        (["generator.model=other"], "has no model 'other': name one of its models: stub-model"),
        (["judge.base_url=http://127.0.0.1:1/v1"], "no server answers at http://127.0.0.1:1/v1 ("),
        (["generator.base_url=http://u:p4ssword@h/v1"], "give the address alone"),
        (["generator.base_url=http://h/v1?key=p4ssword"], "give the address alone"),
        (["generator.base_url=localhost:8000"], "give the address of a server, as http://"),
        (["generator.dtype=float32"], "dtype belongs to engine huggingface"),
        (
            ["generator.window=200", "generation.max_new_tokens=100"],
            "generator: the window of 200 tokens is too small: prompt and reply need at least 228",
        ),
    ],
)
def test_a_wrong_setting_is_one_line_before_the_run(server, evaluate, tmp_path, sets, message):
    server.answer = lambda body: (
        answer_by_prompt(body) if body["model"] == MODEL else error(404, "no such model")
    )
    ended = evaluate("runs", sets=sets)
    assert ended.code == 2
    lines = [line for line in ended.err.splitlines() if "error: " in line]
    assert len(lines) == 1
    assert message in lines[0]
    assert "p4ssword" not in ended.err
    assert not (tmp_path / "runs").exists()


def test_a_server_with_too_small_a_window_is_one_line_before_the_run(server, evaluate, tmp_path):
    server.props = {"default_generation_settings": {"n_ctx": 200}}
    ended = evaluate("runs")
    assert ended.code == 2
    (line,) = [line for line in ended.err.splitlines() if "error: " in line]
    assert "generator: the window of 200 tokens is too small: prompt and reply need at " in line
    assert not (tmp_path / "runs").exists()


def test_a_question_that_is_too_long_for_the_window_is_no_answer(server, evaluate, tmp_path):
    server.entries[0]["max_model_len"] = 1_000
    dataset = write_dataset(tmp_path / "long.csv", COUNT)
    text = dataset.read_text(encoding="utf-8").replace("step 3 fail", f"{'step 3 ' * 900}fail")
    dataset.write_text(text, encoding="utf-8")
    ended = evaluate("runs", dataset=dataset)
    assert ended.code == 1
    records = read_run(folder_of(tmp_path, "runs")).records
    assert [record["index"] for record in records if record["error"]] == [3]
    assert records[3]["error"]["type"] == "PromptTooLongError"
    assert not [text for text in server.texts() if "question <3>" in text]


def test_ragas_refuses_a_judge_on_a_server_before_the_run(evaluate, tmp_path):
    pytest.importorskip("ragas", reason="ragas is not installed: pip install '.[ragas]'")
    ended = evaluate("runs", "--ragas")
    assert ended.code == 2
    assert "ragas needs a judge of engine huggingface" in ended.err
    assert not (tmp_path / "runs").exists()


def test_another_judge_on_a_server_scores_a_finished_run(server, evaluate, tmp_path):
    assert evaluate("runs").code == 0
    folder = folder_of(tmp_path, "runs")
    server.entries.append({"id": "another"})
    sets = [f"judge.base_url={server.address}"]
    profile = load_settings("baseline", "server", sets).profile
    with pytest.raises(ConfigError, match="has several models: name one of its models"):
        judge_run(folder, "model", profile)
    server.bodies.clear()
    # The server was asked which models it has, but for another name of the model.
    judged = judge_run(folder, "another", profile)
    assert (judged["judge"], judged["this"]["n"]) == ("another", COUNT)
    assert judged["this"]["mean"] == judged["own"]["mean"]
    assert {body["model"] for body in server.bodies} == {"another"}


def test_langchains_own_client_reaches_the_server(server, evaluate, tmp_path, monkeypatch):
    server.answer = lambda body: completion("2" if "Reply with exactly" in str(body) else "because")
    engine = [f"{role}.engine=langchain" for role in ("generator", "judge")]
    models = [f"{role}.model=openai:{MODEL}" for role in ("generator", "judge")]
    ended = evaluate("runs", sets=[*engine, *models])
    assert ended.code == 0, ended.err
    run = read_run(folder_of(tmp_path, "runs"))
    assert run.identity["generator"]["served"] == {"class": "ChatOpenAI"}
    assert {record["metrics"]["LLM_judge"] for record in run.records} == {0.5}
    [body] = [body for body in server.bodies if "Reply with" not in str(body)][:1]
    assert (body["temperature"], body["max_completion_tokens"]) == (0.0, 256)
    assert "seed" in body


def test_a_chat_model_is_opened_once(server):
    sets = ["judge.engine=langchain", "judge.model=openai:x", f"judge.base_url={server.address}"]
    judge = load_settings("baseline", "embedded", sets).profile.judge
    assert describe(judge).verdicts == "text"
    assert chat_models.open_chat_model(judge) is chat_models.open_chat_model(judge)
    assert json.dumps(describe(judge).identity)


@pytest.mark.parametrize(
    ("model", "temperature"),
    [("gpt-5-mini", None), ("o3-mini", None), ("o1", 1), ("gpt-4o-mini", 0.0)],
)
def test_langchains_own_client_sends_no_temperature_to_a_model_that_takes_none(
    server, model, temperature
):
    def answer(body):
        if body.get("temperature", 1) != 1 and model != "gpt-4o-mini":
            return error(400, "Unsupported parameter: 'temperature' is not supported")
        return completion("A")

    server.answer = answer
    sets = [f"judge.base_url={server.address}", "judge.engine=langchain"]
    judge = load_settings("baseline", "embedded", [*sets, f"judge.model=openai:{model}"]).profile
    engine = ENGINES["langchain"](judge.judge, batch_size=8, seed=0, cache=None)
    [verdict] = engine.choose_all([asking()], ("A", "B"))
    assert verdict["choice"] == "A"
    assert server.bodies[-1].get("temperature") == temperature


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (error(401, "Incorrect API key provided"), "AuthenticationError: Error code: 401"),
        (error(404, "The model does not exist"), "Error code: 404"),
        (error(400, "max_tokens is too large"), "max_tokens is too large"),
        (DROP, "Connection error"),
        ({"choices": []}, ""),
    ],
)
def test_a_chat_model_that_cannot_be_asked_is_one_line_before_the_run(
    server, evaluate, tmp_path, answer, message
):
    server.answer = lambda body: answer
    engine = [f"{role}.engine=langchain" for role in ("generator", "judge")]
    models = [f"{role}.model=openai:{MODEL}" for role in ("generator", "judge")]
    ended = evaluate("runs", sets=[*engine, *models])
    assert ended.code == 2, ended.err
    (line,) = [line for line in ended.err.splitlines() if "error: " in line]
    assert f"the model 'openai:{MODEL}' refuses a first request: " in line
    assert message in line
    assert KEY not in ended.err
    assert not (tmp_path / "runs").exists()
