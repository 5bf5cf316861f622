"""docs/tour.ipynb: every cell runs, with fewer questions and shorter texts, and its stored outputs are whole."""

import re
from base64 import b64decode

import nbformat
import pytest
from nbclient import NotebookClient

from tests.fakes.project_files import ROOT
from tests.fakes.waiting import FAR

PATH = ROOT / "docs" / "tour.ipynb"
MAX_BYTES = 200_000
MACHINE_PATH = re.compile(r"/(home|root|tmp|Users|work)/|[A-Z]:\\\\")
LINK = re.compile(r"\]\(([^)#:]+)[^)]*\)")


def tour():
    return nbformat.read(PATH, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def texts(cell):
    return [output.text for output in cell.outputs if output.output_type == "stream"]


def kinds(notebook):
    """Return the kinds of the outputs of each cell."""
    return [
        [
            output.get("name") or next(iter(output.get("data", [output.output_type])))
            for output in cell.outputs
        ]
        for cell in code_cells(notebook)
    ]


def test_the_stored_outputs_are_those_of_one_whole_run():
    notebook = tour()
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert {kind for cell in kinds(notebook) for kind in cell} == {"stdout", "image/png"}
    text = PATH.read_text(encoding="utf-8")
    assert MACHINE_PATH.findall(text) == []
    assert "\\u001b" not in text
    assert len(text) < MAX_BYTES


def test_the_links_lead_to_files():
    links = [link for cell in tour().cells for link in LINK.findall(cell.source)]
    assert len(links) >= 5
    assert [link for link in links if not (PATH.parent / link).exists()] == []


@pytest.mark.usefixtures("embedded_models")
def test_every_cell_runs(tmp_path, monkeypatch):
    for entry in ROOT.iterdir():
        if entry.name not in ("docs", "runs", ".git"):
            (tmp_path / entry.name).symlink_to(entry)
    (tmp_path / "docs").mkdir()
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("OPENCODER_TOUR_QUESTIONS", "2")
    monkeypatch.setenv("OPENCODER_TOUR_SET", "generation.max_new_tokens=8 retrieval.top_k=1")
    for name in ("IPYTHONDIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "jupyter"))
    stored, notebook = tour(), tour()
    for cell in code_cells(notebook):
        cell.outputs = []
    resources = {"metadata": {"path": str(tmp_path / "docs")}}
    NotebookClient(notebook, timeout=FAR, kernel_name="python3", resources=resources).execute()
    # A critique may have points or none, and then an answer less.
    assert kinds(notebook) == kinds(stored)
    printed = "\n".join(text for cell in code_cells(notebook) for text in texts(cell))
    assert "`[row] * 3` repeats the *reference* three times" in printed
    assert "semantic, profile embedded: 2 of 2 questions, 0 failed" in printed
    assert "https://wiki.example.com/shopq/retry  (internal)" in printed
    assert printed.rstrip().endswith("it builds a new list for each row [1].")
    for cell in code_cells(notebook):
        for output in cell.outputs:
            if "data" in output:
                assert b64decode(output.data["image/png"]).startswith(b"\x89PNG")
    assert {path.name.split("-")[0] for path in (tmp_path / "runs" / "tour-2").iterdir()} == {
        *("extract", "semantic", "team_posts.csv")
    }
