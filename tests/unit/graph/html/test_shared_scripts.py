"""The scripts that the ask page and the report share."""

import re
from pathlib import Path

import graph.html
from graph.html import shared_scripts


def test_every_script_of_the_folder_is_shared_once_and_is_no_module():
    paths = Path(graph.html.__file__).parent.glob("*.js")
    scripts = shared_scripts()
    assert sorted(scripts) == sorted(path.name for path in paths)
    for text in scripts.values():
        assert not re.search(r"^(import|export)\b", text, re.MULTILINE)


def test_each_function_is_declared_once():
    names = re.findall(r"^function (\w+)", "\n".join(shared_scripts().values()), re.MULTILINE)
    assert len(names) == len(set(names)) > 20
