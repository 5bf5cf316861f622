"""The Markdown files: their links lead somewhere, their commands parse, and no page is missing from the index."""

import json
import re
import shlex
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest

from graph import command_line
from graph.support.arguments import checkout_project
from tests.fakes.markdown_reader import targets, tokens
from tests.fakes.project_files import ROOT

README = ROOT / "README.md"
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md"), *DOCS.glob("*.ipynb")])
OLDER_SPELLINGS = {
    "python eval.py": "opencoder eval",
    "python -m graph": "opencoder",
    "python -m evaluation": "opencoder",
    "python -m dataset": "opencoder dataset",
}
COMMAND = re.compile(rf"(?:^|[ (/])((?:opencoder|{'|'.join(OLDER_SPELLINGS)}) (?!-- ).+)")


parser_of = cache(command_line.parser_of)


@cache
def markdown(page: Path) -> str:
    """Return the Markdown of a page or a notebook."""
    text = page.read_text(encoding="utf-8")
    if page.suffix == ".md":
        return text
    cells = json.loads(text)["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


@cache
def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives the headings of a page."""
    names: Counter[str] = Counter()
    all_anchors = set()
    is_heading = False
    for token in tokens(markdown(page)):
        if token.type == "inline" and is_heading:
            text = "".join(child.content for child in token.children or ())
            name = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
            all_anchors.add(f"{name}-{names[name]}" if names[name] else name)
            names[name] += 1
        is_heading = token.type == "heading_open"
    return all_anchors


def broken_links(page: Path) -> Iterator[str]:
    for target in targets(markdown(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = unquote(target).partition("#")
        file = (page.parent / path).resolve() if path else page
        if (
            not file.exists()
            or not file.is_relative_to(ROOT)
            or (anchor and anchor not in anchors(file))
        ):
            yield target


def commands(page: Path) -> Iterator[str]:
    """Yield the commands of OpenCoder in the blocks of a page, in their present spelling."""
    for token in tokens(markdown(page)):
        if (token.type, token.info) not in (("fence", "bash"), ("code_block", "")):
            continue
        for line in token.content.splitlines():
            if match := COMMAND.search(line):
                command = match[1]
                for older, name in OLDER_SPELLINGS.items():
                    command = command.replace(older, name)
                yield command


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_to_a_file_and_a_heading(page):
    assert list(broken_links(page)) == []


def test_a_broken_link_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(f"{__name__}.ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text(
        "# `a_b`, or not\n## Twice\n## Twice\n[1](#a_b-or-not) [2](page.md#twice-1) [3](https://x.example)\n"
        "[4](#twice-2) [5](none.md) [6](../) ![7](none.png)\n",
        encoding="utf-8",
    )
    assert list(broken_links(page)) == ["#twice-2", "none.md", "../", "none.png"]


def test_the_index_names_every_page_once():
    pages = [page.name for page in PAGES if page.parent == DOCS and page.name != "README.md"]
    named = [target for target in targets(markdown(DOCS / "README.md")) if "/" not in target]
    assert sorted(set(named)) == sorted(pages)


def test_the_readme_is_short():
    assert len(markdown(README).splitlines()) <= 150


def test_the_readme_shows_the_table_of_the_whole_output():
    output = "".join(
        token.content
        for token in tokens(markdown(DOCS / "evaluating.md"))
        if token.type == "fence" and "runs/" in token.content
    ).splitlines()
    (shown,) = [
        t.content for t in tokens(markdown(README)) if "┏" in t.content and t.type == "fence"
    ]
    assert [line for line in shown.splitlines() if line not in output] == []


def test_the_page_of_commands_names_every_command():
    rows = [line for line in markdown(DOCS / "commands.md").splitlines() if line.startswith("| ")]
    words = set(re.findall(r"`(?:opencoder )?([a-z-]+)", "\n".join(rows)))
    assert [name for name in command_line.COMMANDS if name not in words] == []


def test_every_extra_is_described():
    described = markdown(DOCS / "installation.md")
    extras = checkout_project()["optional-dependencies"]
    assert [extra for extra in extras if f"`{extra}`" not in described] == []


def test_the_commands_of_a_page_are_those_in_its_blocks_of_bash(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "`opencoder none`\n```bash\nX=1 python -m graph ask 'a b'  # c\nmake eval\n```\n```\nopencoder none\n```\n",
        encoding="utf-8",
    )
    assert list(commands(page)) == ["opencoder ask 'a b'  # c"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_has_arguments_that_exist(page):
    for command in commands(page):
        # The shell itself reads comments, names of files, and the end of a nested command.
        _, name, *arguments = shlex.split(re.split(r" [|<>]|\)", command)[0], comments=True)
        parser_of("opencoder", name).parse_args(arguments)
