"""Windows, macOS and Python 3.14, as far as Linux can tell: imports, a run, and the wheels of the lock."""

import os
import subprocess
import sys
import tomllib

import pytest
from packaging.utils import canonicalize_name

from tests.fakes.processes import run_python
from tests.fakes.project_files import ROOT

IMPORTS = """
from tests.fakes import without_posix

import importlib, pkgutil
import bench, dataset, evaluation, graph, nodes, prompts, serving

# ragas itself takes ten seconds, and is no code of this project. The SDK of MCP imports fcntl on Linux,
# and only there.
LEFT_OUT = ("__main__", ".ragas", "serving.mcp_server", "serving.mcp_http")
count = 0
for package in (bench, dataset, evaluation, graph, nodes, prompts, serving):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not any(name in module.name for name in LEFT_OUT):
            importlib.import_module(module.name)
            count += 1
print(count)
"""
RUN = """
from tests.fakes import without_posix

import sys
from pathlib import Path

from pytest import MonkeyPatch

from evaluation.commands import eval_command as cli
from graph.support import terminal
from tests.fakes.corpora import small_corpus
from tests.fakes.scripted_runs import answer_for, command, number_of, without_weights, write_dataset

folder, monkeypatch = Path(sys.argv[1]), MonkeyPatch()
small_corpus(folder / "corpus.csv")
write_dataset(folder / "q.csv", 5)
line = ["--config", "semantic_cot", "--profile", "embedded", "--batch_size", 2]
line += ["--corpus", folder / "corpus.csv", "--dataset", folder / "q.csv", "--runs", folder / "runs"]


def fails_at_the_fourth(prompt):
    if number_of(prompt) == 3:
        raise KeyboardInterrupt
    return answer_for(prompt)


without_weights(monkeypatch, fails_at_the_fourth)
command(monkeypatch, *line)
try:
    cli.main()
except KeyboardInterrupt:
    print("interrupted")
[run] = (folder / "runs").iterdir()
print(len((run / "journal.jsonl").read_bytes().splitlines()))
without_weights(monkeypatch)
command(monkeypatch, *line)
assert cli.main() == 0
print(len((run / "journal.jsonl").read_bytes().splitlines()))
command(monkeypatch, *line, "--fresh")
assert cli.main() == 0
print(len(list((folder / "runs").iterdir())))
command(monkeypatch, *line)
terminal.run(cli.main)
"""
TARGETS = [("windows", "3.11"), ("aarch64-apple-darwin", "3.13"), ("x86_64-manylinux_2_28", "3.14")]
"""Systems as uv calls them, each with a version of Python."""
OF_LINUX = ("nvidia-", "cuda-", "triton")
"""What PyPI's torch brings on Linux."""


def test_all_modules_are_imported_without_what_windows_lacks():
    result = run_python("-c", IMPORTS)
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) > 250


def test_a_run_is_made_and_resumed_without_what_windows_lacks(tmp_path):
    result = run_python(
        "-c", RUN, tmp_path, env={**os.environ, "OPENCODER_CACHE": str(tmp_path / "cache")}
    )
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert [line for line in lines if line == "interrupted" or line.isdigit()] == [
        *("interrupted", "2", "5", "2")
    ]
    assert "its file system has no locks" in result.stderr
    assert "Traceback" not in result.stderr


def resolve(*arguments):
    """Resolve the lock with uv, by the public index's metadata; return the lines name==version."""
    environment = {"SSL_CERT_FILE": "/etc/ssl/certs/ca-certificates.crt", **os.environ}
    # torch needs macOS 14. What is not in the index must not be fetched from elsewhere.
    environment |= {"MACOSX_DEPLOYMENT_TARGET": "14.0", "UV_PYTHON_DOWNLOADS": "never"}
    command = [sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml", "--quiet"]
    # These two have no wheels at all, and no code to compile.
    wheels = ["--only-binary=:all:", "--no-binary=rouge-score", "--no-binary=forbiddenfruit"]
    options = ["--constraint=constraints.txt", "--no-annotate", "--no-header", "--no-sources"]
    result = subprocess.run(
        [*command, *wheels, *options, *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    if "error sending request" in result.stderr or "Failed to fetch" in result.stderr:
        pytest.skip("the package index does not answer")
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


@pytest.mark.parametrize(("system", "python"), TARGETS)
def test_the_lock_has_wheels_for_other_systems(system, python):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [extra for extra in project["optional-dependencies"] if extra not in ("gpu", "dev")]
    target = [f"--python-platform={system}", f"--python-version={python}"]
    packages = resolve(*target, *(f"--extra={extra}" for extra in extras))
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()[1:]
    locked = {
        f"{canonicalize_name(name)}=={number}" for name, number in (p.split("==") for p in pins)
    }
    assert {line for line in packages if not line.startswith(OF_LINUX)} - locked == set()
    assert ("ragas==0.4.3" in packages) == (python < "3.14")


def test_make_eval_installs_few_packages_and_with_the_build_of_torch_for_cpus_no_cuda():
    packages = resolve("--extra=cpu", "--extra=embedded", "--python-version=3.11")
    own = [line for line in packages if not line.startswith(OF_LINUX)]
    # With the two packages of the models, pip, and this project.
    assert len(own) + 4 <= 115
    assert not [line for line in own if line.startswith(("diskcache", "levenshtein"))]
