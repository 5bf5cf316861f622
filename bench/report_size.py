"""The size of the report, and the time that a browser needs to open it.

Run `python -m bench.report_size [--questions N] [--runs N] [--keep FOLDER]`. It needs
`pip install playwright` and Debian's `chromium`.

Makes four runs of 1,000 questions from fake models (tests/fakes/sample_runs.py; some minutes), writes
their report and opens it five times, each time in a new browser. Prints the seconds that writing takes,
the size of the page, the seconds from the start of loading to the first paint and to a usable list of
questions, and the number of requests other than for the file.
"""

import argparse
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

from playwright.sync_api import Request, sync_playwright

from evaluation.report.report_file import write_report
from tests.fakes.chromium import CHROMIUM, FLAGS
from tests.fakes.sample_runs import CONFIGS, make_runs

_PAINT = "performance.getEntriesByName('first-contentful-paint').map(entry => entry.startTime)"
_READY = "performance.getEntriesByName('questions-shown').map(entry => entry.startTime)"


class PageLoad(NamedTuple):
    """The times of one load, in seconds from its start, and its requests other than for the file."""

    paint: float
    ready: float
    requests: list[str]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=1_000)
    parser.add_argument(
        "--runs", type=int, default=len(CONFIGS), help="number of runs, at most four (default all)"
    )
    parser.add_argument(
        "--keep", type=Path, help="a folder for runs and page; runs that are in it already are used"
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        folders = sorted(path.parent for path in folder.glob("*/manifest.json"))
        if not folders:
            folders = make_runs(folder, arguments.questions, CONFIGS[: arguments.runs])
        _measure(folders, folder / "report.html")


def _measure(folders: Sequence[Path], page: Path) -> None:
    journals = sum((folder / "journal.jsonl").stat().st_size for folder in folders)
    start = perf_counter()
    write_report(folders, page)
    print(f"{len(folders)} runs, journals of {journals / 1e6:.1f} MB")
    print(f"written in {perf_counter() - start:.1f} s, {page.stat().st_size / 1e6:.2f} MB")
    loads = [_open(page) for _ in range(5)]
    for name, seconds in (
        ("first paint", [load.paint for load in loads]),
        ("questions shown", [load.ready for load in loads]),
    ):
        print(
            f"{name}: median {statistics.median(seconds):.2f} s, {min(seconds):.2f} to "
            f"{max(seconds):.2f} s, n {len(seconds)}"
        )
    print(f"requests besides the file: {sum(len(load.requests) for load in loads)}")


def _open(page: Path) -> PageLoad:
    requests: list[str] = []

    def note(request: Request) -> None:
        if not request.url.startswith(("file:", "data:")):
            requests.append(request.url)

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        tab = browser.new_page()
        tab.on("request", note)
        tab.goto(page.resolve().as_uri())
        tab.wait_for_selector("html[data-ready]", state="attached")
        paint, ready = tab.evaluate(_PAINT), tab.evaluate(_READY)
        browser.close()
    return PageLoad(paint[0] / 1000, ready[0] / 1000, requests)


if __name__ == "__main__":
    main()
