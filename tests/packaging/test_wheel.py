"""The wheel: its content, and its use where nothing else of the project is."""

import os
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterable, Iterator
from email import message_from_bytes
from functools import cache
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.fakes.project_files import ROOT

pytestmark = pytest.mark.packaging

USE = """
import sys
from langchain_core.documents import Document
from langchain_core.language_models import FakeListLLM
from langchain_core.retrievers import BaseRetriever
from graph import build_graph

heavy = {"torch", "transformers", "faiss"} & set(sys.modules)
assert not heavy, heavy

class Fixed(BaseRetriever):
    def _get_relevant_documents(self, query, *, run_manager):
        return [Document(page_content="Use sorted().", metadata={"title": "Sorting"})]

model = FakeListLLM(responses=["a draft", "1. too short", "use sorted()"])
graph = build_graph("semantic", model=model, retriever=Fixed())
result = graph.invoke({"question": "How do I sort?"})
assert result["answer"] == "use sorted()", result
assert result["passages"][0]["title"] == "Sorting", result
print("answered")
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(ROOT)],
        check=True,
        capture_output=True,
    )
    return next(folder.glob("*.whl"))


def test_the_wheel_holds_exactly_its_four_packages(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == {"graph", "nodes", "prompts", "serving"}
    tracked = subprocess.run(
        ["git", "ls-files", *sorted(tops)], cwd=ROOT, capture_output=True, text=True
    ).stdout.split()
    assert set(tracked) <= set(names)
    assert {"graph/configs/semantic_cot.yaml", "serving/page/assets/page.html"} <= set(names)


def declared(requirements: Iterable[str], extras: Iterable[str] = ()) -> Iterator[Distribution]:
    """Yield the installed distributions that requirements name, and in turn those that they name."""
    for requirement in map(Requirement, requirements):
        marker = requirement.marker
        if marker and not any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            continue
        installed = distribution(requirement.name)
        assert requirement.specifier.contains(installed.version, prereleases=True), requirement
        yield installed
        yield from declared_once(installed.name, tuple(sorted(requirement.extras)))


@cache
def declared_once(name: str, extras: tuple[str, ...]) -> tuple[Distribution, ...]:
    return tuple(declared(distribution(name).requires or (), extras))


def link_declared(wheel: Path, site: Path) -> None:
    """Link what the wheel declares as its dependencies, and nothing else, into a folder."""
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        requirements = message_from_bytes(archive.read(metadata)).get_all("Requires-Dist")
    for installed in declared(requirements):
        for top in {path.parts[0] for path in installed.files} - {"..", "__pycache__"}:
            if not (site / top).exists():
                (site / top).symlink_to(installed.locate_file(top))


def test_the_installed_wheel_answers_from_an_empty_folder(wheel, tmp_path):
    environment = tmp_path / "venv"
    venv.create(environment, with_pip=False, symlinks=True)
    python = environment / "bin" / "python"
    # Links take a second; to download and unpack the same packages again takes minutes.
    link_declared(wheel, next(environment.glob("lib/python*/site-packages")))
    pip = (sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet")
    subprocess.run([*pip, "--no-index", "--no-deps", str(wheel)], check=True, capture_output=True)
    empty = tmp_path / "empty"
    empty.mkdir()
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def run(program, *arguments):
        command = [str(environment / "bin" / program), *arguments]
        return subprocess.run(command, cwd=empty, capture_output=True, text=True, env=clean)

    use = run("python", "-c", USE)
    assert use.stdout == "answered\n", use.stderr
    assert "Only in a checkout" in run("opencoder", "--help").stdout
    evaluate = run("opencoder", "eval")
    assert evaluate.returncode == 2
    assert evaluate.stderr.startswith("opencoder: error: eval needs the checkout")
    # The extras are missing: doctor names what the default profile lacks.
    doctor = run("opencoder", "doctor")
    assert (doctor.returncode, doctor.stderr) == (1, "")
    assert "semantic retrieval has no FAISS" in doctor.stdout
    assert "pip install 'opencoder[postgres]'" in doctor.stdout
    completion = run("opencoder", "completion", "bash")
    assert "complete" in completion.stdout, completion.stderr
    draw = run("opencoder", "draw", "semantic")
    assert "retrieve" in draw.stdout, draw.stderr
    ask = run("opencoder", "ask", "How do I sort?", "--profile", "embedded")
    assert ask.returncode == 2
    assert "--corpus PATH" in ask.stderr
    assert "Traceback" not in ask.stderr
