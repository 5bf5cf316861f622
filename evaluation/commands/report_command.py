"""Write one HTML page of runs: what is distinguishable, plots, every question with its trace.

The page loads nothing and opens from disk. Its place goes to stdout.
"""

import argparse
import sys
from pathlib import Path

from evaluation.report.writing import write_report
from graph.support.errors import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="run folders")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("report.html"),
        metavar="FILE",
        help="the page (default report.html)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the page, and say where it is."""
    out: Path = arguments.out
    if out.is_dir() or not out.parent.is_dir():
        raise ConfigError(f"--out {out} is no file in a folder that is there: name another")
    write_report(arguments.runs, out)
    sys.stdout.write(f"report: {out}\n")
    return 0
