"""Show the caches, or clear them: converted models, vectors, indexes, model calls, logs of faults."""

import argparse
import sys
import time
from datetime import UTC, datetime

from graph.support.arguments import add_json
from graph.support.cache_contents import CACHES, Cache, Contents, clear, contents_of, select
from graph.support.errors import ConfigError
from graph.support.storage import cache_folder
from graph.support.terminal import print_json, print_line
from graph.support.text import plural

_DAY = 24 * 3600


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_json(parser)
    actions = parser.add_subparsers(dest="action", metavar="clear")
    clearing = actions.add_parser(
        "clear",
        help="remove caches; all is computed again when it is needed",
        description="Remove caches. All of them is computed again when it is needed. What a running "
        "process writes stays, and so does what OpenCoder did not write. Known judges are no cache.",
    )
    clearing.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"of {', '.join(cache.name for cache in CACHES)} (default: all)",
    )
    clearing.add_argument("--yes", action="store_true", help="do not ask")


def run(arguments: argparse.Namespace) -> int:
    """Show the caches, or clear some."""
    if arguments.action == "clear":
        return _clear(select(arguments.names), agreed=arguments.yes)
    contents = [contents_of(cache) for cache in CACHES]
    if arguments.json:
        print_json({"folder": str(cache_folder()), "caches": [*map(as_document, contents)]})
        return 0
    print_line(f"cache folder: {cache_folder()}")
    for content in contents:
        print_line(f"  {content.cache.name:8} {cache_line(content)}")
    return 0


def cache_line(contents: Contents) -> str:
    """Return size, entries, age and fault of a cache as one line."""
    if contents.problem:
        return contents.problem
    if not contents.exists:
        return "none"
    cache, entries = contents.cache, contents.entries or 0
    parts = [size_text(contents.size), f"{entries} {plural(entries, cache.unit, cache.units)}"]
    if contents.newest is not None and contents.oldest is not None:
        ages = dict.fromkeys([_age(contents.newest), _age(contents.oldest)])
        parts.append(f"{' to '.join(ages)} old")
    if contents.foreign:
        parts.append(f"{contents.foreign} other {plural(contents.foreign, 'entry', 'entries')}")
    return ", ".join([*parts, str(cache.path)])


def as_document(contents: Contents) -> dict[str, object]:
    """Return a cache for JSON: sizes in bytes, times in UTC, None for what is unknown."""
    return {
        "name": contents.cache.name,
        "path": str(contents.cache.path),
        "exists": contents.exists,
        "entries": contents.entries,
        "bytes": contents.size,
        "oldest": _iso(contents.oldest),
        "newest": _iso(contents.newest),
        "foreign_entries": contents.foreign,
        "problem": contents.problem,
    }


def size_text(size: float) -> str:
    """Return a number of bytes with three digits, such as `1.23 GB`."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.3g} {unit}"
        size /= 1000
    raise AssertionError("the loop returns at the last unit")


def _clear(caches: list[Cache], *, agreed: bool) -> int:
    if not agreed and not sys.stdin.isatty():
        raise ConfigError("there is no terminal to ask on: give --yes to remove these caches")
    for cache in caches:
        print_line(f"{cache.name}: {cache_line(contents_of(cache))}")
    if not agreed and not _agrees():
        print_line("nothing is removed")
        return 0
    outcomes = {cache.name: clear(cache) for cache in caches}
    for name, outcome in outcomes.items():
        print_line(f"{name}: {outcome}")
    return int(any("not removed" in outcome for outcome in outcomes.values()))


def _agrees() -> bool:
    sys.stdout.write("Remove these caches? [y/N] ")
    sys.stdout.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _age(time_changed: float) -> str:
    seconds = max(0.0, time.time() - time_changed)
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 2 * _DAY else f"{seconds / _DAY:.0f} days"


def _iso(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
