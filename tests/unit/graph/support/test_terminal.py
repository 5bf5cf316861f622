"""A command line talks on stderr, shows untrusted text harmlessly, and ends with the right code."""

import errno
import json
import logging
import os
import signal
import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given

from graph.support import errors, terminal
from graph.support.logger import log
from graph.support.terminal import safe_text
from tests.fakes.processes import in_child, run_python
from tests.fakes.properties import any_text, examples

ESCAPES = [
    # colours, cursor, screen
    *("\x1b[31m", "\x1b[0m", "\x1b[2J", "\x1b[H", "\x1b[1A", "\x1b[2K", "\x1b[6n", "\x1b[?25l"),
    *(
        "\x1b[?1049h",
        "\x1b[38;5;196m",
        "\x1b[48;2;0;0;0m",
        "\x1b[s\x1b[u",
        "\x1b[10;10H",
        "\x1b[8m",
    ),
    # window title, links, clipboard, palette, unfinished ones
    *("\x1b]0;title\x07", "\x1b]2;title\x1b\\", "\x1b]8;;http://x\x1b\\t\x1b]8;;\x1b\\"),
    *("\x1b]52;c;ZXZpbA==\x07", "\x1b]4;1;red\x07", "\x1b]1337;File=:AA==\x07", "\x1b]0;open"),
    # device control, private messages, resets, character sets
    *("\x1bP+q544e\x1b\\", "\x1b_x\x1b\\", "\x1b^x\x1b\\", "\x1bc", "\x1b7", "\x1b8", "\x1b(0"),
    *("\x1b=", "\x1b>", "\x1bM", "\x1b#8", "\x1b[!p", "\x1b[4h", "\x1b[20l", "\x1b"),
    # the same in single bytes
    *("\x9b31m", "\x9d0;x\x9c", "\x90x\x9c", "\x9ex\x9c", "\x9fx\x9c", "\x84", "\x85", "\x8d"),
    # overwriting what is there
    *("good\rbad", "x\b\b\by", "\x00", "\x07", "\x0b", "\x0c", "\x0e", "\x0f", "\x1a", "\x7f"),
    # direction, line separators, invisible tags, halves of pairs
    *("\u202egnp.exe", "\u2066x\u2069", "\u200f", "\u061c", "\u2028", "\u2029"),
    *("\U000e0041\U000e0042\U000e007f", "\ud800", "\udfff"),
]
DANGEROUS = {"Cc", "Cs", "Zl", "Zp"}


def harmless(text):
    tag = range(0xE0000, 0xE0080)
    return all(
        character in "\n\t"
        or (
            unicodedata.category(character) not in DANGEROUS
            and unicodedata.bidirectional(character)
            not in {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
            and ord(character) not in tag
        )
        for character in text
    )


def test_an_escape_sequence_is_shown_and_does_nothing():
    assert len(set(ESCAPES)) >= 60
    for escape in ESCAPES:
        visible = safe_text(f"a{escape}b")
        assert harmless(visible)
        assert visible[0] + visible[-1] == "ab"
        assert "<U+" in visible


def test_a_control_character_is_shown_by_its_number():
    assert safe_text("a\x1b[1mb\u202ec") == "a<U+001B>[1mb<U+202E>c"


def test_newline_tab_and_every_script_pass():
    text = "a\n\tb é 日本語 العربية עברית 👩‍💻 ½ ﬁ \u00a0"
    assert safe_text(text) == text
    assert safe_text("a\r\nb") == "a\nb"


@examples(200)
@given(text=any_text)
def test_no_text_reaches_the_terminal_unseen(text):
    visible = safe_text(text)
    assert harmless(visible)
    assert safe_text(visible) == visible
    visible.encode()


@pytest.mark.parametrize("escape", ["\n", "\r\n", "\r", *ESCAPES[:8], "\u202e", "\u2028", "\udcff"])
def test_a_line_stays_one_line_whatever_its_path_holds(escape, capsys):
    path = f"runs/a{escape}b"
    terminal.print_line(f"run: {path}")
    terminal.print_text(terminal.console(), f"scores: {path}", wrap=False)
    lines = capsys.readouterr().out.split("\n")
    assert [line[:5] for line in lines] == ["run: ", "score", ""]
    assert all(harmless(line) and line.isprintable() and "<U+" in line for line in lines[:2])


def test_json_is_printable_ascii_and_keeps_every_text(capsys):
    document = {"texts": ESCAPES, "é": "\x7f\x85\u202e\ud800\n"}
    terminal.print_json(document)
    text = capsys.readouterr().out
    assert text.isascii()
    assert text.replace("\n", "").isprintable()
    assert json.loads(text) == document


def ended(main):
    return in_child(lambda: terminal.run(main))


def raising(error):
    def main():
        raise error

    return main


@pytest.mark.parametrize("code", [0, 1])
def test_the_code_of_the_command_is_the_exit_code(code):
    def main():
        sys.stdout.write("result")
        log.info("talk")
        return code

    assert ended(main) == (code, "result", "opencoder: talk\n")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.ConfigError, 2),
        (errors.DatasetError, 2),
        (errors.IndexMismatchError, 2),
        (errors.MissingExtraError, 2),
        (errors.PromptTooLongError, 2),
        (errors.RunLockedError, 3),
    ],
)
def test_a_mistake_is_one_line_and_no_traceback(error, code):
    result = ended(raising(error("a bad\nthing\x1b[31m  happened")))
    assert result == (code, "", "opencoder: error: a bad thing<U+001B>[31m happened\n")


@pytest.mark.parametrize(
    ("stop", "code"),
    [
        (errors.ConfigError("the second config is wrong"), 2),
        (terminal.Interrupted(signal.SIGINT), 130),
        (OSError(28, "No space left on device"), 1),
        (SystemExit(0), 0),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_was_printed_before_is_not_lost(stop, code):
    def main():
        sys.stdout.write("the first result\n")
        raise stop

    result = ended(main)
    assert (result.code, result.out) == (code, "the first result\n")


def test_every_error_of_the_package_is_mapped():
    listed = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.OpenCoderError)
    }
    codes = {name: getattr(errors, name).exit_code for name in listed}
    assert {name: code for name, code in codes.items() if code != 2} == {
        "RunLockedError": 3,
        "FileLostError": 1,
        "EnvironmentFailure": 1,
    }


def signalled(body: str) -> subprocess.CompletedProcess[str]:
    """Run a command line in a new interpreter: native libraries of other tests own the signals here.

    A job in the background and `nohup` ignore signals, and a child would ignore them too.
    """
    code = (
        "import os, signal\nfrom pathlib import Path\nfrom graph.support import terminal\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"signal.signal(signal.SIGHUP, signal.SIG_DFL)\n{body}"
    )
    return run_python("-c", code)


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGHUP, 129), (signal.SIGINT, 130), (signal.SIGTERM, 143)],
)
def test_a_signal_ends_with_its_code(number, code):
    result = signalled(
        f"def main():\n os.kill(os.getpid(), {int(number)})\n signal.pause()\nterminal.run(main)"
    )
    assert (result.returncode, result.stdout, result.stderr) == (code, "", "")


LOST = """
def main():
    try:
        os.kill(os.getpid(), signal.{name})
        signal.pause()
    except BaseException:
        raise terminal.interruption() from None

terminal.run(main)
"""


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM])
def test_a_library_that_loses_the_interrupt_keeps_the_signal(number):
    assert signalled(LOST.format(name=number.name)).returncode == 128 + number


TWICE = """
def main():
    try:
        os.kill(os.getpid(), signal.SIGINT)
        signal.pause()
    finally:
        try:
            os.kill(os.getpid(), signal.{second})
            signal.pause()
        finally:
            Path({folder!r}, "late").touch()
terminal.run(main)
"""


@pytest.mark.parametrize(("second", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_second_signal_ends_at_once(tmp_path, second, code):
    result = signalled(TWICE.format(second=second, folder=str(tmp_path)))
    assert (result.returncode, result.stderr) == (code, "")
    assert list(tmp_path.iterdir()) == []


def test_a_hangup_that_nohup_ignores_stays_ignored():
    result = signalled(
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "def main():\n os.kill(os.getpid(), signal.SIGHUP)\n return 7\nterminal.run(main)"
    )
    assert (result.returncode, result.stderr) == (7, "")


CLEANING_UP = """
def main():
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()
    except Exception:
        Path({folder!r}, "swallowed").touch()
    finally:
        Path({folder!r}, "cleaned").touch()
terminal.run(main)
"""


def test_what_has_to_be_cleaned_up_is_cleaned_up_on_a_signal(tmp_path):
    assert signalled(CLEANING_UP.format(folder=str(tmp_path))).returncode == 143
    assert [path.name for path in tmp_path.iterdir()] == ["cleaned"]


def test_a_reader_that_went_away_is_no_error():
    def main():
        reader, writer = os.pipe()
        os.close(reader)
        os.dup2(writer, 1)
        sys.stdout.write("x" * 100_000)
        return 0

    assert ended(main) == (0, "", "")


@pytest.mark.parametrize(
    ("stop", "code", "line"),
    [
        (0, 0, ""),
        (2, 2, ""),
        (None, 0, ""),
        ("give a name\nor a number", 2, "opencoder: error: give a name or a number\n"),
    ],
)
def test_an_early_stop_keeps_its_code_and_message(stop, code, line):
    result = ended(raising(SystemExit(stop)))
    assert (result.code, result.err) == (code, line)


@pytest.mark.parametrize("number", [errno.ENOENT, errno.EACCES, errno.EISDIR])
def test_the_same_command_is_not_advised_where_it_would_fail_again(number):
    result = ended(raising(OSError(number, "no", "/x")))
    assert (result.code, result.err) == (1, "opencoder: error: no (/x)\n")


def test_a_full_disk_is_a_failed_run_and_one_line():
    result = ended(raising(OSError(28, "No space left on device", "/runs/journal.jsonl")))
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("opencoder: error: No space left on device (/runs/journal.jsonl)")
    assert result.err.count("\n") == 1


def test_log_lines_show_untrusted_text_harmlessly():
    def main():
        log.warning("question %s failed", "\x1b]0;evil\x07\u202e")
        return 0

    assert ended(main).err == ("opencoder: question <U+001B>]0;evil<U+0007><U+202E> failed\n")


def test_the_warnings_of_a_library_are_lines_like_ours():
    def warn():
        terminal.log_libraries("loud")
        logging.getLogger("loud.part").warning("Host: \x1b[2J\nevil")
        logging.getLogger("loud").info("a request")
        return 0

    assert ended(warn).err == "opencoder: Host: <U+001B>[2J<U+000A>evil\n"


def test_nothing_of_this_stays_in_the_parent():
    assert signal.getsignal(signal.SIGTERM) is not terminal._interrupt
    assert not [h for h in log.handlers if isinstance(h.formatter, terminal._SafeFormatter)]
    assert isinstance(logging.getLogger("opencoder"), logging.Logger)


def test_the_signals_of_windows_have_no_hangup_and_a_break(monkeypatch):
    monkeypatch.delattr(signal, "SIGHUP")
    assert terminal._signals() == [signal.SIGINT, signal.SIGTERM]
