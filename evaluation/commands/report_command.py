"""Write one HTML page that compares runs, with plots and every question with its trace.

The page loads nothing and opens from disk. Its path goes to stdout.
"""

import argparse
from pathlib import Path

from evaluation.commands.run_arguments import add_runs
from evaluation.report.report_file import write_report
from graph.support.arguments import output_file
from graph.support.terminal import print_line


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_runs(parser)
    parser.add_argument(
        "--out",
        type=output_file,
        default=Path("report.html"),
        metavar="FILE",
        help="the page (default report.html)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the page and print its path."""
    write_report(arguments.runs, arguments.out)
    print_line(f"report: {arguments.out}")
    return 0
