"""Arguments of command lines: the parser of all commands, paths, whole numbers, the version."""

import argparse
import os
import re
import tomllib
from collections.abc import Sequence
from difflib import get_close_matches
from errno import ENAMETOOLONG
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NoReturn

from graph.support.errors import ConfigError
from graph.support.storage import with_home
from graph.support.text import one_line

PACKAGE = "opencoder"
_WHOLE_NUMBER = re.compile("-?[0-9]{1,18}")
"""Of numbers that fit into 64 bits."""
_MAX_PORT = 65_535


class Parser(argparse.ArgumentParser):
    """An argument parser that reports a wrong command line as one line, as all errors are.

    An option with a value may stand once, and no option may be abbreviated.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **{"allow_abbrev": False, **options})
        self.register("action", None, _StoreOnce)
        self.register("action", "store", _StoreOnce)

    def error(self, message: str) -> NoReturn:
        """Raise `ConfigError`, instead of printing the usage and exiting."""
        raise ConfigError(f"{one_line(message, 1000)}; see --help")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse as argparse does, and refuse what is unknown: the parser of the subcommand knows its options."""
        parsed, unknown = super().parse_known_args(args, namespace)
        if unknown:
            line = one_line(f"unrecognized arguments: {' '.join(unknown)}", 1000)
            raise ConfigError(f"{line}; {self._advice(unknown)}")
        return parsed, unknown

    def _advice(self, unknown: list[str]) -> str:
        """Return the known option that is nearest to the first unknown one, as advice."""
        options = [word[2:].partition("=")[0] for word in unknown if word.startswith("--")]
        known = [name[2:] for name in self._option_string_actions if name.startswith("--")]
        close = get_close_matches(options[0], known, n=1, cutoff=0.6) if options else []
        return f"did you mean --{close[0]}?" if close else "see --help"


class _StoreOnce(argparse.Action):
    def __call__(
        self,
        _: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Store the value; refuse to replace an earlier one unseen."""
        stored = vars(namespace).setdefault("_stored", set())
        if option_string and self.dest in stored:
            raise argparse.ArgumentError(self, "stands twice: give it once")
        stored.add(self.dest)
        setattr(namespace, self.dest, values)


def add_version(parser: argparse.ArgumentParser) -> None:
    """Declare --version, which prints the version and exits."""
    parser.add_argument(
        "--version",
        action="version",
        version=version_line(),
        help="print the version, and exit",
    )


def version_line() -> str:
    """Return the name and the version of this package, as --version prints them."""
    return f"{PACKAGE} {package_version()}"


def package_version() -> str:
    """Return the version of this checkout, else of the installed package, else `unknown`."""
    project = checkout_project()
    try:
        return str(project["version"]) if project else version(PACKAGE)
    # A copy of the folders alone.
    except PackageNotFoundError:
        return "unknown"


def checkout() -> Path | None:
    """Return the folder of the checkout; None where the package is installed alone."""
    return Path(__file__).parents[2] if checkout_project() else None


def checkout_project() -> dict[str, Any]:
    """Return the table `project` of the checkout's pyproject.toml; empty without a checkout."""
    return _project(Path(__file__).parents[2] / "pyproject.toml")


@cache
def _project(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    project = tomllib.loads(file.read_text(encoding="utf-8")).get("project", {})
    return project if project.get("name") == PACKAGE else {}


def path(text: str) -> Path:
    """Parse a path, for argparse; a leading ~ is the home folder."""
    if not text:
        raise argparse.ArgumentTypeError("the path is empty")
    try:
        parsed = with_home(text)
        os.stat(parsed)
    except ConfigError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    except OSError as error:
        # The other errors are reported by the reader or writer of the file.
        if error.errno == ENAMETOOLONG:
            raise argparse.ArgumentTypeError("the path is too long") from None
    return parsed


def output_file(text: str) -> Path:
    """Parse the path of a file to write, for argparse."""
    out = path(text)
    # A device would be replaced by the file.
    if not out.parent.is_dir() or (out.exists() and not out.is_file()):
        raise argparse.ArgumentTypeError(f"{text!r} is no file in an existing folder: name another")
    return out


def name_or_path(text: str) -> str:
    """Parse a name, or a path whose leading ~ is the home folder, for argparse."""
    return str(path(text)) if text.startswith("~") else text


def whole_number(text: str) -> int:
    """Parse a whole number of at most 18 digits, for argparse."""
    if not _WHOLE_NUMBER.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at most 18 digits")
    return int(text)


def positive(text: str) -> int:
    """Parse a whole number above 0, for argparse."""
    value = int(text) if _WHOLE_NUMBER.fullmatch(text) else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return value


def port_number(text: str) -> int:
    """Parse the number of a port, for argparse; 0 stands for a free one."""
    value = int(text) if _WHOLE_NUMBER.fullmatch(text) else -1
    if not 0 <= value <= _MAX_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: a number from 0 to {_MAX_PORT}")
    return value


def share(text: str) -> float:
    """Parse a number from 0 to 1, for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1")
    return value


def add_json(parser: argparse.ArgumentParser) -> None:
    """Declare the form of the output for programs."""
    parser.add_argument("--json", action="store_true", help="print one JSON document")
