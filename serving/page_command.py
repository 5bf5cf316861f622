"""Serve a page that answers questions, and shows each step as it happens."""

import argparse
import re
import secrets
import socket
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING

from graph.commands.settings_arguments import add_settings, settings_of
from graph.config import load_settings
from graph.opened_graphs import OpenedGraphs, answering_config_names
from graph.retrieval.corpus import default_corpus
from graph.schema import Settings
from graph.support.arguments import port_number, positive
from graph.support.errors import ConfigError, MissingExtraError
from graph.support.logger import log
from graph.support.terminal import log_libraries
from graph.support.trace_export import exported_traces
from serving.http_guard import Admission, is_wildcard
from serving.http_server import (
    DEFAULT_HOST,
    TOKEN_VARIABLE,
    is_loopback,
    listen,
    read_token,
    url_of,
)
from serving.question_queue import Limits, QuestionQueue, most_at_once

if TYPE_CHECKING:
    from graph.build import AnsweringGraph

_PORT = 8600
_NAME = re.compile(r"[\w.-]+|\[[0-9A-Fa-f:.]+\]", re.ASCII)
"""A host name, or an address; one of IPv6 stands in brackets, as in the header `Host`."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_settings(parser, configs=answering_config_names())
    limits = Limits()
    parser.add_argument(
        "--host",
        default=DEFAULT_HOST,
        metavar="ADDRESS",
        help=f"the address to listen on (default {DEFAULT_HOST}: this machine alone). One that other machines reach "
        "needs a token: that of the environment variable OPENCODER_TOKEN, or a new one",
    )
    parser.add_argument(
        "--port",
        type=port_number,
        default=_PORT,
        metavar="N",
        help=f"the port to listen on (default {_PORT}; 0 takes a free one)",
    )
    parser.add_argument(
        "--names",
        nargs="+",
        type=_host_name,
        default=[],
        metavar="NAME",
        help="further host names of this server without a port, as those of a proxy before it",
    )
    parser.add_argument(
        "--at-once",
        type=positive,
        metavar="N",
        help="questions that are answered at the same time (default 1; with a model server as many as it "
        "is sent requests)",
    )
    for option, default, meaning in (
        ("--waiting", limits.waiting, "questions that may wait"),
        ("--per-client", limits.of_client, "questions of one browser tab that may wait or run"),
        ("--question-chars", limits.question_chars, "characters of a question"),
    ):
        parser.add_argument(
            option,
            type=positive,
            default=default,
            metavar="N",
            help=f"{meaning} (default {default})",
        )


@exported_traces()
def run(arguments: argparse.Namespace) -> int:
    """Serve the page until the process is ended.

    Raises:
        ConfigError: An argument or the token is wrong, or nothing can listen at the address.
        MissingExtraError: The extra `page` is not installed.
    """
    missing = [name for name in ("starlette", "uvicorn") if find_spec(name) is None]
    if missing:
        raise MissingExtraError(
            f"opencoder page needs {' and '.join(missing)}: pip install 'opencoder[page]'"
        )
    from serving.page.application import PageSettings, page_server

    settings = settings_of(arguments)
    all_settings = _all_settings(arguments)
    if settings.config_name not in all_settings:
        raise ConfigError(
            f"config {settings.config_name} needs the questions of a dataset: use eval.py"
        )
    corpus = arguments.corpus or default_corpus()
    graphs = OpenedGraphs(corpus=corpus, index=arguments.index)

    def open_graph(name: str) -> "AnsweringGraph":
        return graphs.open(all_settings[name].config, settings.profile)

    queue = QuestionQueue(open_graph, all_settings.keys(), _limits(arguments, settings))
    page_settings = PageSettings(
        configs={name: own.config for name, own in all_settings.items()},
        default_config=settings.config_name,
        profile=settings.profile_name,
        model=settings.profile.generator.model,
        corpus=corpus.name,
        is_embedded=settings.profile.generator.weights == "package",
    )
    stated = read_token()
    token = stated or secrets.token_urlsafe(24)
    listener = listen(arguments.host, arguments.port, token)
    address = str(listener.getsockname()[0])
    asks_for_token = bool(stated) or not is_loopback(address)
    admission = Admission(
        address,
        [arguments.host, *arguments.names],
        token if asks_for_token else None,
        any_name=not is_loopback(address),
    )
    log.info("%s", _opening_line(listener, admission, is_new=not stated))
    log_libraries("uvicorn")
    page_server(queue, page_settings, admission).run(sockets=[listener])
    return 0


def _all_settings(arguments: argparse.Namespace) -> dict[str, Settings]:
    """Return the settings of each config that can be asked, with the overrides of --set.

    A config that the overrides do not fit is left out.
    """
    settings = {}
    for name in answering_config_names():
        with suppress(ConfigError):
            settings[name] = load_settings(name, arguments.profile, arguments.set)
    return settings


def _limits(arguments: argparse.Namespace, settings: Settings) -> Limits:
    return Limits(
        at_once=arguments.at_once or most_at_once(settings.profile),
        waiting=arguments.waiting,
        of_client=arguments.per_client,
        question_chars=arguments.question_chars,
    )


def _host_name(text: str) -> str:
    """Parse a host name, for argparse."""
    if not _NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a host name: write it in ASCII, without port and path, as in code.example"
        )
    return text


def _opening_line(listener: socket.socket, admission: Admission, *, is_new: bool) -> str:
    """Return the line that says where the page is. A browser sends the part after # to no server."""
    parts = [f"open {url_of(listener)}"]
    if is_new and admission.token:
        parts[0] += f"#token={admission.token}"
    elif admission.token:
        parts.append(f"append #token= and the value of {TOKEN_VARIABLE} to the address")
    if is_wildcard(admission.address):
        parts.append("from another machine, use the name of this one as the host")
    # The space ends the address: a terminal could take the sign behind it for a part of it.
    return " ; ".join([*parts, "Ctrl-C ends the server"])
