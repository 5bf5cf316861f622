"""A stream that is closed, full, narrow or without a reader costs no work and no exit code."""

import os
import sys
from io import BytesIO, FileIO, TextIOWrapper

import pytest

from graph.support import streams, terminal
from graph.support.logger import log
from tests.fakes.processes import in_child, run_python

BOX = "┏━┓ … 日本 \u202e \udc80 \x1b[31m"


def without_reader(number):
    reader, writer = os.pipe()
    os.close(reader)
    os.dup2(writer, number)


def closed(number):
    os.close(number)
    setattr(sys, ("stdin", "stdout", "stderr")[number], None)


def closed_under_it(number):
    os.close(number)


def of_encoding(encoding):
    def replace(number):
        stream = TextIOWrapper(FileIO(number, "w", closefd=False), encoding=encoding)
        setattr(sys, ("stdin", "stdout", "stderr")[number], stream)

    return replace


def ended(done, changes, code=0):
    """Run a command that prints much and then works; `changes` is applied to the streams before."""

    def main():
        for number in range(2000):
            terminal.print_line(f"{number} {BOX}")
            log.info("talk %s", BOX)
        terminal.print_text(terminal.console(), BOX)
        terminal.print_json({"text": BOX})
        sys.stdout.flush()
        done.touch()
        return code

    def action():
        for number, change in changes.items():
            change(number)
        terminal.run(main)

    return in_child(action)


CHANGES = {
    "no reader": without_reader,
    "closed": closed,
    "closed under it": closed_under_it,
    "ascii": of_encoding("ascii"),
    "latin-1": of_encoding("latin-1"),
    "cp1252": of_encoding("cp1252"),
    "utf-8": of_encoding("utf-8"),
}


@pytest.mark.parametrize("numbers", [(1,), (2,), (1, 2)], ids=str)
@pytest.mark.parametrize("change", CHANGES)
def test_no_stream_costs_the_work_or_its_code(tmp_path, change, numbers):
    result = ended(tmp_path / "done", dict.fromkeys(numbers, CHANGES[change]), code=7)
    assert result.code == 7
    assert (tmp_path / "done").exists()
    assert "Traceback" not in result.out + result.err


def test_a_full_disk_under_stdout_is_told_after_the_work(tmp_path):
    def full(number):
        os.dup2(os.open("/dev/full", os.O_WRONLY), number)

    result = ended(tmp_path / "done", {1: full})
    assert (tmp_path / "done").exists()
    assert result.code == 1
    last = result.err.splitlines()[-1]
    assert last == "opencoder: error: stdout cannot be written: No space left on device"


def test_what_a_narrow_terminal_cannot_show_is_an_escape():
    def main():
        terminal.print_line("é … 日 \udc80 \x1b\n")
        return 0

    def action():
        of_encoding("ascii")(1)
        terminal.run(main)

    assert in_child(action).out == "\\xe9 \\u2026 \\u65e5 <U+DC80> <U+001B><U+000A>\n"


def test_a_pipe_that_does_not_block_loses_nothing():
    reader, writer = os.pipe()
    os.set_blocking(writer, False)

    def main():
        for number in range(50_000):
            terminal.print_line(str(number))
        return 0

    def action():
        os.close(reader)
        os.dup2(writer, 1)
        terminal.run(main)

    pid = os.fork()
    if pid == 0:
        try:
            action()
        finally:
            os._exit(99)
    os.close(writer)
    with open(reader, encoding="utf-8") as file:
        lines = file.read().splitlines()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert lines == [str(number) for number in range(50_000)]


@pytest.mark.parametrize(
    "environment",
    [
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "latin-1"},
        {"PYTHONIOENCODING": "ascii:strict"},
        {"PYTHONIOENCODING": "utf-8:strict"},
    ],
    ids=str,
)
def test_a_real_interpreter_of_every_encoding_shows_everything(environment):
    code = (
        "from graph.support import terminal\n"
        f"terminal.run(lambda: terminal.print_line({BOX!a}) or 0)"
    )
    result = run_python("-c", code, env={**os.environ, **environment})
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.endswith("<U+202E> <U+DC80> <U+001B>[31m\n")


def test_a_console_of_windows_keeps_the_stream_that_takes_unicode(monkeypatch):
    class Console(TextIOWrapper):
        def isatty(self):
            return True

    console = Console(BytesIO(), encoding="ascii")
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", console)
        patch.setattr(sys, "stderr", console)
        patch.setattr(streams, "_UNICODE_CONSOLE", True)
        streams.replace_streams()
        assert sys.stdout is sys.stderr is console
    console.write("\u2026")
    console.flush()
    assert console.buffer.getvalue() == b"\\u2026"
