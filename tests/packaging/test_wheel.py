"""The wheel: its content, and its use where nothing else of the project is."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

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


def test_the_wheel_holds_exactly_graph_nodes_and_prompts(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == {"graph", "nodes", "prompts"}
    tracked = subprocess.run(
        ["git", "ls-files", "graph", "nodes", "prompts"], cwd=ROOT, capture_output=True, text=True
    ).stdout.split()
    assert set(tracked) <= set(names)
    assert "graph/configs/semantic_cot.yaml" in names


def test_the_installed_wheel_answers_from_an_empty_folder(wheel, tmp_path):
    environment = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    python = environment / "bin" / "python"
    constraints = ("--constraint", str(ROOT / "constraints.txt"))
    subprocess.run(
        [str(python), "-m", "pip", "install", "--quiet", str(wheel), *constraints],
        check=True,
        capture_output=True,
    )
    empty = tmp_path / "empty"
    empty.mkdir()
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def run(program, *arguments):
        command = [str(environment / "bin" / program), *arguments]
        return subprocess.run(command, cwd=empty, capture_output=True, text=True, env=clean)

    use = run("python", "-c", USE)
    assert use.stdout == "answered\n", use.stderr
    draw = run("opencoder", "draw", "semantic")
    assert "retrieve" in draw.stdout, draw.stderr
    ask = run("opencoder", "ask", "How do I sort?", "--profile", "embedded")
    assert ask.returncode == 2
    assert "--corpus PATH" in ask.stderr
    assert "Traceback" not in ask.stderr
