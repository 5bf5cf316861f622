"""Write one HTML page that compares runs, with plots and every question with its trace.

The page loads nothing and opens from disk. Its path goes to stdout.
"""

import argparse
from pathlib import Path

from evaluation.report.report_file import write_report
from graph.support.arguments import path
from graph.support.errors import ConfigError
from graph.support.terminal import print_line


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("runs", nargs="+", type=path, metavar="RUN", help="run folders")
    parser.add_argument(
        "--out",
        type=path,
        default=Path("report.html"),
        metavar="FILE",
        help="the page (default report.html)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the page and print its path.

    Raises:
        ConfigError: `--out` is no path for a file.
    """
    out: Path = arguments.out
    if out.is_dir() or not out.parent.is_dir():
        raise ConfigError(f"--out {out} is no file in an existing folder: name another")
    write_report(arguments.runs, out)
    print_line(f"report: {out}")
    return 0
