"""Which packages are installed: those that are required, those of each extra, versions, doubles."""

import re
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from typing import NamedTuple

from graph.diagnosis.problem import Problem
from graph.support.arguments import PACKAGE, checkout_project

SHOWN = (
    "torch",
    "transformers",
    "sentence-transformers",
    "langchain",
    "langchain-core",
    "langgraph",
    "faiss-cpu",
    "faiss-gpu",
    "openvino",
    "openvino-genai",
)
"""Packages whose versions decide what runs, and how."""
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
_EXTRA = re.compile(r"""extra\s*==\s*['"]([\w-]+)['"]""")
_FAISS = ("faiss", "faiss-cpu", "faiss-gpu", "faiss-gpu-cu11", "faiss-gpu-cu12")
"""Packages with the module `faiss`."""
EXCLUSIVE = "gpu"
"""The extra that may not stand beside `cpu`."""


class Group(NamedTuple):
    """The packages of an extra, or those that are always required (`extra` is empty)."""

    extra: str
    required: int
    """Packages that this machine needs for it."""
    missing: list[str]
    """Names of packages; one of another version has this version and the required ones behind it."""

    @property
    def complete(self) -> bool:
        """True if something is required, and nothing is missing."""
        return bool(self.required) and not self.missing

    @property
    def command(self) -> str:
        """The command that installs the packages; those required come with what `auto` needs."""
        extra = f"[{self.extra or 'cpu,embedded'}]"
        if checkout_project():
            return f"pip install -c constraints.txt -e '.{extra}'"
        return f"pip install '{PACKAGE}{extra}'"


def groups() -> list[Group]:
    """Return the required packages and those of each extra, as this version declares them."""
    by_extra: dict[str, list[str]] = {"": []}
    for extra, requirement in _declared():
        by_extra.setdefault(extra, []).append(requirement)
    return [_group(extra, by_extra[extra]) for extra in by_extra]


def versions() -> dict[str, str | None]:
    """Return the versions of the packages that matter; None for those that are not installed."""
    return {name: _version(name) for name in SHOWN}


def package_problems(declared: list[Group]) -> list[Problem]:
    """Return the faults of the installed packages.

    Args:
        declared: The result of `groups`.
    """
    core, problems = declared[0], []
    if core.missing:
        text = (
            f"{len(core.missing)} of {core.required} required packages are missing or of another "
            f"version: {', '.join(core.missing)}"
        )
        problems.append(Problem(text, core.command, blocking=True))
    if not core.required:
        text = f"the required packages are unknown, because {PACKAGE} has no metadata here"
        problems.append(Problem(text, core.command))
    faiss = [name for name in _FAISS if _version(name)]
    if len(faiss) > 1:
        text = f"{' and '.join(faiss)} are installed at once, and overwrite each other's files"
        advice = f"pip uninstall {' '.join(faiss)}, then install the extra cpu or gpu, never both"
        problems.append(Problem(text, advice))
    return problems


def _declared() -> Iterator[tuple[str, str]]:
    """Yield each extra, or an empty text, with one of its requirements."""
    project = checkout_project()
    if project:
        yield from (("", requirement) for requirement in project["dependencies"])
        for extra, requirements in project["optional-dependencies"].items():
            yield from ((extra, requirement) for requirement in requirements)
        return
    try:
        listed = requires(PACKAGE) or []
    except PackageNotFoundError:
        return
    for requirement in listed:
        extra = _EXTRA.search(requirement)
        yield (extra[1] if extra else ""), requirement


def _group(extra: str, requirements: list[str]) -> Group:
    needed = [text for text in requirements if _applies(text, extra)]
    return Group(extra, len(needed), [fault for text in needed if (fault := _fault(text))])


def _applies(requirement: str, extra: str) -> bool:
    """Tell whether a requirement is one of this machine and this version of Python."""
    try:
        from packaging.requirements import Requirement
    except ImportError:
        # Then nothing else is installed either.
        return True
    marker = Requirement(requirement).marker
    return marker is None or marker.evaluate({"extra": extra})


def _fault(requirement: str) -> str | None:
    """Return the name of a package that is missing, with its version if it is another one."""
    name = _NAME.match(requirement)[0]  # type: ignore[index]  # each requirement begins with it
    installed = _version(name)
    if installed is None:
        return name
    try:
        from packaging.requirements import Requirement
    except ImportError:
        return None
    specifier = Requirement(requirement).specifier
    if specifier.contains(installed, prereleases=True):
        return None
    return f"{name} {installed} (required: {specifier})"


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def python_version() -> str:
    """Return the version of Python, as `3.11.7`."""
    return ".".join(map(str, sys.version_info[:3]))
