"""Say what is installed, what would run, what the hardware can, and what is wrong.

Nothing is sent anywhere. The exit code is 0 if the default profile would run, else 1.
"""

import argparse
import sys
from importlib.util import find_spec
from typing import NamedTuple

from graph.commands.cache_command import as_document, cache_line, size_text
from graph.diagnosis.default_profile import DefaultProfile, inspect_profile
from graph.diagnosis.machine import Machine, inspect_machine
from graph.diagnosis.packages import (
    EXCLUSIVE,
    Group,
    groups,
    package_problems,
    python_version,
    versions,
)
from graph.diagnosis.problem import Problem, problem_of
from graph.diagnosis.surroundings import Folder, inspect_folders, inspect_variables
from graph.support.arguments import add_json, checkout, version_line
from graph.support.cache_contents import CACHES, Contents, contents_of
from graph.support.errors import ConfigError
from graph.support.terminal import console, print_json, print_line, safe_line

_LABEL_CHARS = 14


class Findings(NamedTuple):
    """All that doctor finds out."""

    packages: list[Group]
    versions: dict[str, str | None]
    machine: Machine
    profile: DefaultProfile
    caches: list[Contents]
    folders: list[Folder]
    variables: dict[str, str | None]
    """Those that are set; None is a value that can be a secret."""
    problems: list[Problem]

    @property
    def runs(self) -> bool:
        """True if the default profile would run."""
        is_blocked = any(problem.blocking for problem in self.problems)
        return self.profile.name is not None and not is_blocked


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = "exit codes: 0 if the default profile would run, else 1"
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the findings; return 0 if the default profile would run, else 1."""
    findings = _findings()
    if arguments.json:
        print_json(_document(findings))
    else:
        _print_sections(_sections(findings))
    return 0 if findings.runs else 1


def _findings() -> Findings:
    packages = groups()
    machine, machine_problems = inspect_machine()
    can_import = not packages[0].missing and machine.torch_build is not None
    folders, folder_problems = inspect_folders()
    profile, profile_problems = inspect_profile(can_import=can_import, has_gpu=bool(machine.gpus))
    caches = _caches()
    variables, variable_problems = inspect_variables()
    problems = [
        *package_problems(packages),
        *machine_problems,
        *folder_problems,
        *profile_problems,
        *(problem_of(cache, blocking=False) for cache in caches if cache.problem),
        *variable_problems,
    ]
    # A fault can be found at two places: the first one knows best whether it is blocking.
    distinct = list({problem.text: problem for problem in reversed(problems)}.values())[::-1]
    return Findings(packages, versions(), machine, profile, caches, folders, variables, distinct)


def _caches() -> list[Contents]:
    try:
        return [contents_of(cache) for cache in CACHES]
    except ConfigError:
        # The folder of the caches is unknown, which is a problem of its own.
        return []


def _document(findings: Findings) -> dict[str, object]:
    machine = findings.machine
    return {
        "runs": findings.runs,
        "problems": [problem._asdict() for problem in findings.problems],
        "opencoder": version_line().split()[-1],
        "checkout": str(checkout()) if checkout() else None,
        "python": python_version(),
        "executable": sys.executable,
        "versions": findings.versions,
        "extras": {
            group.extra: {"complete": group.complete, "missing": group.missing}
            for group in findings.packages
            if group.extra
        },
        "profile": findings.profile._asdict(),
        "hardware": {**machine._asdict(), "gpus": [gpu._asdict() for gpu in machine.gpus]},
        "caches": [as_document(contents) for contents in findings.caches],
        "folders": [{**folder._asdict(), "path": str(folder.path)} for folder in findings.folders],
        "variables": findings.variables,
    }


Rows = list[tuple[str, str]]


def _sections(findings: Findings) -> dict[str, Rows]:
    return {
        "installed": _installed_rows(findings),
        "extras": _extra_rows(findings.packages),
        "default profile": _profile_rows(findings.profile),
        "hardware": _machine_rows(findings.machine),
        "caches": [(contents.cache.name, cache_line(contents)) for contents in findings.caches],
        "folders": [
            (folder.use, f"{folder.path}: {folder.error or 'can be written to'}")
            for folder in findings.folders
        ],
        "variables": [("", line) for line in _variable_lines(findings.variables)],
        "problems": _problem_rows(findings),
    }


def _variable_lines(variables: dict[str, str | None]) -> list[str]:
    lines = [
        f"{name} is set" if value is None else f"{name}={value}"
        for name, value in variables.items()
    ]
    return lines or ["none of those that matter is set"]


def _installed_rows(findings: Findings) -> Rows:
    where = f"checkout {checkout()}" if checkout() else "installed package, without a checkout"
    versions_text = ", ".join(
        f"{name} {number}" for name, number in findings.versions.items() if number
    )
    core = findings.packages[0]
    state = f"{core.required - len(core.missing)} of {core.required} required packages"
    return [
        ("opencoder", f"{version_line().split()[-1]}, {where}"),
        ("python", f"{python_version()}, {sys.executable}"),
        ("packages", f"{state}; {versions_text}" if versions_text else state),
    ]


def _extra_rows(packages: list[Group]) -> Rows:
    rows = []
    for group in packages[1:]:
        if group.complete:
            state = "complete"
        elif not group.required:
            state = "not for this system or version of Python"
        elif group.extra == EXCLUSIVE and any(
            other.extra == "cpu" and other.complete for other in packages
        ):
            state = "not installed: never beside cpu"
        else:
            names = ", ".join(group.missing)
            state = f"missing {names}: {group.command}"
        rows.append((group.extra, state))
    complete = [name for name, state in rows if state == "complete"]
    others = [row for row in rows if row[1] != "complete"]
    return [("complete", ", ".join(complete) or "none"), *others]


def _profile_rows(profile: DefaultProfile) -> Rows:
    name = profile.name or "unknown"
    return [("auto", f"{name}: {profile.reason}"), *profile.models.items()]


def _machine_rows(machine: Machine) -> Rows:
    memory = "unknown" if machine.memory is None else size_text(machine.memory)
    features = machine.features
    names = [f"{name} {'yes' if has else 'no'}" for name, has in (features or {}).items()]
    gpus = [f"{gpu.name}, {size_text(gpu.bytes)}" for gpu in machine.gpus]
    build = machine.torch_build
    return [
        ("system", f"{machine.system}, {machine.processor}"),
        (
            "processor",
            f"{machine.cores or 'unknown'} cores; {', '.join(names) or 'abilities unknown'}",
        ),
        ("memory", memory),
        ("GPU", "; ".join(gpus) or "none that torch can use"),
        ("torch", f"built for {build}" if build else "not installed, or broken"),
    ]


def _problem_rows(findings: Findings) -> Rows:
    rows = [
        ("error" if problem.blocking else "warning", f"{problem.text}; {problem.advice}")
        for problem in findings.problems
    ]
    runs = "the default profile would run" if findings.runs else "the default profile would not run"
    return [*rows, ("result", runs)]


def _print_sections(sections: dict[str, Rows]) -> None:
    if find_spec("rich") is None:
        for title, rows in sections.items():
            print_line(title)
            for label, text in rows:
                print_line(f"  {label:{_LABEL_CHARS}} {text}")
        return
    from rich.table import Table
    from rich.text import Text

    screen = console()
    for title, rows in sections.items():
        screen.print(Text(title, style="bold"))
        table = Table.grid(padding=(0, 1))
        table.add_column(width=_LABEL_CHARS + 1)
        table.add_column(overflow="fold")
        for label, text in rows:
            style = {"error": "bold red", "warning": "yellow"}.get(label, "")
            table.add_row(Text(f"  {safe_line(label)}", style=style), Text(safe_line(text)))
        screen.print(table)
