"""The options of commands that run in workers."""

import argparse
from typing import NamedTuple

from graph.support.arguments import positive
from graph.support.errors import ConfigError


class PoolOptions(NamedTuple):
    """A number of workers, and the machines and accelerators for them."""

    workers: int
    address: str | None = None
    """The address of a Ray cluster; None for this machine alone."""
    gpus_per_worker: float = 0.0


def add_worker_options(parser: argparse.ArgumentParser, work: str) -> None:
    """Add the options of workers.

    Args:
        parser: The parser of a command.
        work: What each worker does, for the help.
    """
    group = parser.add_argument_group("workers (extra ray); they change no result")
    group.add_argument(
        "--workers",
        type=positive,
        metavar="N",
        help=f"{work}, in N processes with models of their own (default 1: this process)",
    )
    group.add_argument(
        "--ray-address",
        metavar="ADDRESS",
        help="run the workers on this Ray cluster: auto, or HOST:PORT (default: this machine)",
    )
    group.add_argument(
        "--gpus-per-worker",
        type=_gpus,
        metavar="N",
        help="GPUs of each worker: a whole number, or a share such as 0.5 (default 0: none is reserved)",
    )


def pool_options(arguments: argparse.Namespace) -> PoolOptions | None:
    """Return the options of the workers; None if this process does the work.

    Raises:
        ConfigError: An option of workers is without their number.
    """
    workers, address, gpus = (
        arguments.workers,
        arguments.ray_address,
        arguments.gpus_per_worker,
    )
    if workers is None and (address or gpus):
        flag = "--ray-address" if address else "--gpus-per-worker"
        raise ConfigError(f"{flag} is about workers: also give --workers N")
    if not (address or gpus) and workers in (None, 1):
        return None
    return PoolOptions(workers, address, gpus or 0.0)


def _gpus(text: str) -> float:
    """Parse a number of GPUs, a whole one or a share of one, for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not (0 < value < 1 or (value.is_integer() and value >= 1)):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of GPUs: give 1, 2 or 0.5")
    return value
