"""opencoder completion: the scripts complete words in a real shell."""

import shutil
import subprocess
import sys

import pytest

from graph import command_line
from graph.command_line import COMMANDS, run
from graph.support.errors import MissingExtraError

BASH = """
source "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(( $# - 1 ))
function_name=$(complete -p opencoder | sed 's/.*-F \\([^ ]*\\).*/\\1/')
"$function_name"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    """Return the path of a shell's script."""

    def write(shell):
        folder = tmp_path_factory.mktemp("completion")
        with pytest.MonkeyPatch.context() as patch:
            written = []
            patch.setattr("graph.commands.completion_command.print_document", written.append)
            assert run("opencoder", ["completion", shell]) == 0
        path = folder / f"opencoder.{shell}"
        path.write_text("".join(written), encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="module")
def bash_script(script):
    return script("bash")


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize(
    ("words", "completions"),
    [
        (["com"], {"compare", "completion"}),
        ([""], {*COMMANDS}),
        (["ask", "--se"], {"--set", "--seed"}),
        (["eval", "--dry"], {"--dry-run"}),
        (["dataset", "bu"], {"build"}),
        (["dataset", "build", "stacke"], {"stackeval", "stackexchange"}),
        (["draw", "x", "--direction", ""], {"LR", "TD"}),
        (["cache", "clear", "--y"], {"--yes"}),
        (["report", "folder/no"], {"folder/notes.txt"}),
        (["report", "--out", "folder/no"], {"folder/notes.txt"}),
    ],
)
def test_bash_completes_commands_options_choices_and_files(
    bash_script, tmp_path, words, completions
):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "notes.txt").touch()
    ended = subprocess.run(
        ["bash", "--norc", "-c", BASH, "bash", str(bash_script), "opencoder", *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.stderr == ""
    assert {*ended.stdout.split()} - {"-h", "--help", "--version"} == completions


def test_the_script_for_zsh_names_every_command(script):
    text = script("zsh").read_text(encoding="utf-8")
    assert text.startswith("#compdef opencoder\n")
    for name in COMMANDS:
        assert f"    {name}:" in text


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
def test_zsh_reads_the_script(script):
    command = (
        f"autoload -U compinit && compinit -D && source {script('zsh')} && whence _shtab_opencoder"
    )
    ended = subprocess.run(
        ["zsh", "-f", "-c", command], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")


def test_without_a_checkout_its_commands_are_not_completed(monkeypatch, capsys):
    monkeypatch.setattr(command_line, "checkout", lambda: None)
    assert run("opencoder", ["completion", "bash"]) == 0
    text = capsys.readouterr().out
    assert "_shtab_opencoder_ask" in text
    assert "_shtab_opencoder_eval" not in text


def test_without_shtab_the_command_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "shtab", None)
    with pytest.raises(MissingExtraError, match="pip install shtab"):
        run("opencoder", ["completion", "bash"])
