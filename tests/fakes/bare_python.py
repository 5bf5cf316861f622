"""Interpreters without any installed package, as on a machine where nothing was installed yet."""

import os
import subprocess
import sys
from pathlib import Path

from tests.fakes.project_files import ROOT

_START = """
import sys
sys.path.insert(0, sys.argv.pop(1))
from graph.__main__ import main
main()
"""


def run_bare(
    root: Path, *arguments: object, cache: Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run `opencoder` from a folder with `graph`, on the standard library alone.

    Args:
        root: The folder.
        arguments: The words after `opencoder`.
        cache: The cache folder.
        variables: Further environment variables.
    """
    return subprocess.run(
        [sys.executable, "-S", "-I", "-c", _START, str(root), *map(str, arguments)],
        env={"PATH": os.environ["PATH"], "OPENCODER_CACHE": str(cache), **variables},
        cwd=cache.parent,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def copy_of_graph(target: Path) -> Path:
    """Copy the modules of `graph` into a new folder, where there is no checkout around them."""
    for file in (ROOT / "graph").rglob("*.py"):
        # No link: it would lead back to the checkout.
        copy = target / file.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(file.read_bytes())
    return target
