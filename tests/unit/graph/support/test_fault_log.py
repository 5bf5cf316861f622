"""An error that no code expected is one line and a log file without secrets."""

import stat
import sys

import pytest

from graph.support import fault_log, terminal
from graph.support.fault_log import describe_fault, without_secrets
from tests.fakes.processes import in_child
from tests.fakes.waiting import at_most_cpu_seconds


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENCODER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def logs(cache):
    return sorted((cache / "errors").glob("*.log"))


class Panic(BaseException):
    """As the panic of a library in Rust."""


def deep():
    return deep()


def divide():
    return 1 // 0


def no_memory():
    raise MemoryError


def panic():
    raise Panic("index out of bounds\nnote: run with RUST_BACKTRACE=1 \x1b[2J")


@pytest.mark.parametrize(
    ("main", "name"),
    [
        (divide, "ZeroDivisionError: integer division or modulo by zero"),
        (deep, "RecursionError: maximum recursion depth exceeded"),
        (no_memory, "MemoryError"),
        (
            panic,
            "tests.unit.graph.support.test_fault_log.Panic: index out of bounds note: run with",
        ),
    ],
)
def test_an_unknown_error_is_one_line_with_the_place_of_its_traceback(cache, main, name):
    result = in_child(lambda: terminal.run(main))
    [log] = logs(cache)
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith(f"opencoder: error: {name}")
    assert result.err.endswith(f"; a fault of OpenCoder: the traceback is in {log}\n")
    assert result.err.count("\n") == 1
    assert "\x1b" not in result.err
    assert f"in {main.__name__}\n" in log.read_text(encoding="utf-8")
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert stat.S_IMODE(log.parent.stat().st_mode) == 0o700


def test_without_a_place_for_the_log_the_line_is_still_printed(cache):
    cache.write_text("no folder", encoding="utf-8")
    result = in_child(lambda: terminal.run(divide))
    assert result == (
        1,
        "",
        "opencoder: error: ZeroDivisionError; no log file could be written (FileExistsError)\n",
    )


def test_only_the_newest_logs_stay(cache):
    for number in range(fault_log._MAX_FILES + 5):
        describe_fault(ValueError(f"error {number}"))
    assert len(logs(cache)) == fault_log._MAX_FILES
    assert "error 24" in logs(cache)[-1].read_text(encoding="utf-8")


def test_a_log_is_short_whatever_the_error_says(cache):
    describe_fault(ValueError("x" * 10_000_000))
    assert logs(cache)[0].stat().st_size < 110_000


def test_an_error_that_cannot_be_printed_is_logged(cache):
    class Mute(Exception):
        def __str__(self):
            raise RuntimeError("no text")

    assert "Mute" in describe_fault(Mute())
    describe_fault(ValueError("\udc80 \x00"))
    assert len(logs(cache)) == 2


@pytest.mark.parametrize(
    "text",
    [
        "connection to postgresql://user:hunter2!!@db.example/x failed",
        "https://me:hunter2!!@host/path",
        "redis://:hunter2!!@host",
        "host=db password=hunter2!! user=me",
        "password='hunter2!! and more'",
        '{"api_key": "hunter2!!"}',
        "TOKEN=hunter2!!",
        "?access_token=hunter2!!&x=1",
    ],
)
def test_no_password_of_a_message_is_written(text):
    assert "hunter2" not in without_secrets(text)
    assert "***" in without_secrets(text)


def test_a_secret_that_begins_with_another_one_leaves_no_rest(monkeypatch):
    monkeypatch.setenv("FIRST_TOKEN", "secret")
    monkeypatch.setenv("SECOND_TOKEN", "secretlonger99")
    assert without_secrets("x secretlonger99 y") == "x *** y"


def test_a_new_cache_folder_can_be_read_by_its_owner_only(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENCODER_CACHE", str(tmp_path / "cache"))
    describe_fault(ValueError("x"))
    assert (tmp_path / "cache").stat().st_mode & 0o777 == 0o700


def test_a_long_message_takes_linear_time():
    with at_most_cpu_seconds(5):
        without_secrets("a://b:c" * 20_000)


def test_no_secret_of_the_environment_or_the_command_line_is_written(cache, monkeypatch):
    for name in ("HF_TOKEN", "OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY", "OPENCODER_POSTGRES"):
        monkeypatch.setenv(name, f"canary {name}")
    monkeypatch.setattr(sys, "argv", ["eval.py", "--x=postgresql://u:canary-argument@h/db"])
    said = describe_fault(ValueError("canary HF_TOKEN, canary OPENCODER_POSTGRES"))
    written = logs(cache)[0].read_text(encoding="utf-8")
    assert "canary" not in said + written
    assert "eval.py" in written
