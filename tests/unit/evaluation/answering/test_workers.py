"""Workers as the answerer of a run, without Ray: the pool here does all tasks in this process."""

import json

import pytest

from evaluation.answering import workers
from evaluation.commands import eval_command as cli
from graph.support.errors import EnvironmentFailure, OpenCoderError
from tests.fakes.corpora import small_corpus
from tests.fakes.scripted_runs import command, without_weights, write_dataset

pytestmark = pytest.mark.usefixtures("_models_of_this_test")


class Pool:
    """A pool of one worker in this process, which records what happened to it."""

    def __init__(self, options):
        self.options, self.events = options, []
        pools.append(self)

    def start(self):
        self.events.append("start")

    def map(self, open_work, tasks, on_wait):
        work = open_work()
        for label, content in tasks:
            self.events.append(label)
            on_wait(1)
            yield work(content)

    def close(self):
        self.events.append("close")


pools: list[Pool] = []


@pytest.fixture
def _models_of_this_test(monkeypatch):
    without_weights(monkeypatch)
    workers._models.cache_clear()
    pools.clear()
    monkeypatch.setattr(cli, "WorkerPool", Pool)


@pytest.fixture
def evaluate(tmp_path, monkeypatch):
    """Run eval.py on ten questions; return its exit code."""
    dataset = write_dataset(tmp_path / "questions.csv", 10)

    def run(*arguments, runs="runs", config="baseline"):
        command(
            monkeypatch,
            *("--config", config, "--profile", "embedded", "--dataset", dataset),
            *("--runs", tmp_path / runs, "--batch_size", 4, "--no-report", *arguments),
        )
        return cli.main()

    return run


def files_of(folder):
    (run,) = folder.iterdir()
    return {name: (run / name).read_bytes() for name in ("journal.jsonl", "metrics.json")}


def test_a_run_with_workers_writes_the_bytes_of_one_process(evaluate, tmp_path):
    assert evaluate("--no-cache", runs="alone") == 0
    assert pools == []
    assert evaluate("--no-cache", "--workers", 3) == 0
    assert files_of(tmp_path / "runs") == files_of(tmp_path / "alone")
    (pool,) = pools
    assert pool.options.workers == 3
    assert pool.events == ["start", "batch 1 of 3", "batch 2 of 3", "batch 3 of 3", "close"]


def test_a_run_goes_on_with_workers_and_a_finished_one_starts_none(evaluate, tmp_path):
    assert evaluate("--no-cache") == 0
    whole = files_of(tmp_path / "runs")
    (run,) = (tmp_path / "runs").iterdir()
    lines = whole["journal.jsonl"].splitlines(keepends=True)
    (run / "journal.jsonl").write_bytes(b"".join(lines[:5]))
    assert evaluate("--no-cache", "--workers", 2) == 0
    assert evaluate("--no-cache", "--workers", 2) == 0
    assert [pool.events for pool in pools] == [
        ["start", "batch 2 of 3", "batch 3 of 3", "close"],
        ["close"],
    ]
    assert files_of(tmp_path / "runs") == whole


def test_workers_use_the_cache_of_model_calls_unless_it_is_switched_off(evaluate, monkeypatch):
    cached = []

    def record(*arguments, **options):
        cached.append(options["cached"])
        return workers.open_in_worker(*arguments, **options)

    monkeypatch.setattr(cli, "open_in_worker", record)
    assert evaluate("--workers", 2) == 0
    assert evaluate("--workers", 2, "--no-cache", "--fresh") == 0
    assert cached == [True, False]


def test_the_workers_of_several_configs_share_their_models(evaluate, monkeypatch, tmp_path):
    opened = []
    open_models = workers.open_models

    def count(*arguments, **options):
        opened.append(options)
        return open_models(*arguments, **options)

    monkeypatch.setattr(workers, "open_models", count)
    corpus = small_corpus(tmp_path / "corpus.csv")
    assert evaluate("--workers", 2, "--corpus", corpus, config="baseline,keyword") == 0
    assert len(opened) == 1
    assert len(pools) == 1


def test_a_worker_that_would_make_another_run_is_refused(evaluate, monkeypatch, tmp_path):
    identity_of = workers.identity_of
    monkeypatch.setattr(
        workers, "identity_of", lambda choices: {**identity_of(choices), "nodes": "other code"}
    )
    with pytest.raises(OpenCoderError, match="would make another run, as its nodes differs"):
        evaluate("--workers", 2)
    assert pools[0].events[-1] == "close"


@pytest.mark.parametrize("name", ["code of graph", "Python", "torch"])
def test_a_worker_with_other_code_or_packages_is_refused(evaluate, monkeypatch, name):
    own = workers.program_digests()
    monkeypatch.setattr(workers, "program_digests", lambda: {**own, name: "another"})
    with pytest.raises(OpenCoderError, match=f"would make another run, as its {name} differs"):
        evaluate("--workers", 2)


def test_paths_are_absolute_in_workers(evaluate, monkeypatch, tmp_path):
    jobs = []

    def record(job, *arguments, **options):
        jobs.append(job)
        return workers.open_in_worker(job, *arguments, **options)

    monkeypatch.setattr(cli, "open_in_worker", record)
    monkeypatch.chdir(tmp_path)
    small_corpus(tmp_path / "corpus.csv")
    options = ("--corpus", "corpus.csv", "--index", "index", "--dataset", "questions.csv")
    write_dataset(tmp_path / "questions.csv", 10)
    command(
        monkeypatch,
        *("--config", "keyword", "--profile", "embedded", "--runs", "runs", "--no-report"),
        *("--workers", 2, *options),
    )
    assert cli.main() == 0
    (job,) = jobs
    paths = (job.choices.corpus, job.index, job.choices.dataset)
    assert paths == (tmp_path / "corpus.csv", tmp_path / "index", tmp_path / "questions.csv")


def test_the_damaged_batches_of_all_workers_are_counted(evaluate, monkeypatch, caplog):
    answer_batch = workers.answer_batch

    def damage(setup, batch):
        opened[-1].count_damaged()
        return answer_batch(setup, batch)

    default_cache, opened = workers.default_cache, []
    monkeypatch.setattr(
        workers, "default_cache", lambda: opened.append(default_cache()) or opened[-1]
    )
    monkeypatch.setattr(workers, "answer_batch", damage)
    assert evaluate("--workers", 2) == 0
    assert "3 stored batches of model calls were damaged" in caplog.text


def test_commits_stay_when_a_later_batch_loads_no_model(evaluate, monkeypatch, tmp_path):
    commits = iter([{"judge": None}, {"judge": "abc"}, {"judge": None}])
    monkeypatch.setattr(workers, "commits_of", lambda models: next(commits))
    assert evaluate("--workers", 2) == 0
    (run,) = (tmp_path / "runs").iterdir()
    timings = json.loads((run / "timings.json").read_text(encoding="utf-8"))
    assert timings["sessions"][0]["commits"] == {"judge": "abc"}


def test_workers_end_before_the_judge_of_ragas_loads(evaluate, monkeypatch):
    monkeypatch.setattr(cli, "open_ragas", lambda: None)
    monkeypatch.setattr(cli, "check_judge", lambda profile: None)
    monkeypatch.setattr(cli, "show_ragas", lambda result: None)
    events = []

    def score(folder, profile, engine):
        events.append(pools[0].events[-1])
        return True

    monkeypatch.setattr(cli, "score_with_ragas", score)
    assert evaluate("--workers", 2, "--ragas") == 0
    assert events == ["close"]


def test_one_worker_with_a_gpu_is_a_worker(evaluate):
    assert evaluate("--workers", 1) == 0
    assert pools == []
    assert evaluate("--workers", 1, "--gpus-per-worker", 1, "--fresh") == 0
    assert pools[0].options.gpus_per_worker == 1


def test_a_failure_in_a_worker_keeps_the_batches_before_it_and_says_how_to_go_on(
    evaluate, monkeypatch, tmp_path
):
    answer_batch = workers.answer_batch

    def fail(setup, batch):
        if batch[0].index == 8:
            raise EnvironmentFailure("the disk is full")
        return answer_batch(setup, batch)

    monkeypatch.setattr(workers, "answer_batch", fail)
    with pytest.raises(
        EnvironmentFailure,
        match=r"the run stopped: the disk is full; 8 of 10 questions are recorded; .*--workers 2",
    ):
        evaluate("--workers", 2)
    (run,) = (tmp_path / "runs").iterdir()
    lines = (run / "journal.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["record"]["index"] for line in lines] == list(range(8))


def test_the_commits_of_the_models_are_those_of_the_workers(evaluate, monkeypatch, tmp_path):
    commits = {"generator": "abc", "judge": None}
    monkeypatch.setattr(workers, "commits_of", lambda models: commits)
    assert evaluate("--workers", 2) == 0
    (run,) = (tmp_path / "runs").iterdir()
    timings = json.loads((run / "timings.json").read_text(encoding="utf-8"))
    assert timings["sessions"][0]["commits"] == commits
