"""Run the faults and count: python -m tests.faults [--sample] [--seed N] [--case KIND:NUMBER]."""

import argparse
import sys

from tests.faults.commands import scripted_commands
from tests.faults.harness import check_case, cpu_count, run_kinds
from tests.faults.kinds import KINDS


def main() -> int:
    """Run all kinds, those that are named, or one case; return 1 if anything went wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--sample", action="store_true", help="a small share of the cases")
    parser.add_argument("--seed", type=int, default=0, help="seed of the cases (default 0)")
    parser.add_argument("--kind", action="append", choices=[*KINDS], help="only this kind")
    parser.add_argument("--case", metavar="KIND:NUMBER", help="one case, as a failure names it")
    parser.add_argument(
        "--limit", type=float, help="seconds of a hang (default 10; 120 with --sample)"
    )
    arguments = parser.parse_args()
    # A share runs beside other tests, on a busy machine.
    limit = arguments.limit or (120.0 if arguments.sample else 10.0)
    with scripted_commands():
        if arguments.case:
            name, _, number = arguments.case.rpartition(":")
            if name not in KINDS or not number.isdecimal():
                parser.error(f"--case {arguments.case}: not a kind of faults and a number")
            KINDS[name].prepare()
            outcome = check_case(KINDS[name], int(number), arguments.seed, limit)
            sys.stdout.write(f"{outcome}\n")
            return int(bool(outcome.faults))
        kinds = [KINDS[name] for name in arguments.kind or KINDS]
        sound = run_kinds(
            kinds,
            arguments.seed,
            full=not arguments.sample,
            limit=limit,
            processes=cpu_count(),
        )
    return int(not sound)


if __name__ == "__main__":
    sys.exit(main())
