"""Serve a page that answers questions, and shows each step as it happens."""

import argparse
import os
import secrets
import socket
from typing import TYPE_CHECKING

from graph.commands.settings_arguments import add_settings, settings_of
from graph.config import load_settings
from graph.opened_graphs import OpenedGraphs, answering_config_names
from graph.retrieval.corpus import default_corpus
from graph.schema import Settings
from graph.support.arguments import positive, whole_number
from graph.support.errors import ConfigError, MissingExtraError
from graph.support.logger import log
from graph.support.trace_export import exported_traces
from serving.question_queue import Limits, QuestionQueue
from serving.request_guard import Admission, is_loopback, is_wildcard

if TYPE_CHECKING:
    from graph.build import AnsweringGraph

TOKEN_VARIABLE = "OPENCODER_TOKEN"
_SHORTEST_TOKEN = 16
"""Characters: a shorter one can be guessed."""
_PORT = 8600
_BACKLOG = 64
_MOST_CONNECTIONS = 200
_SECONDS_TO_END = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_settings(parser)
    limits = Limits()
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="the address to listen on (default 127.0.0.1: this machine alone). Others need a token, which "
        f"is read from {TOKEN_VARIABLE} or made anew",
    )
    parser.add_argument(
        "--port", type=_port, default=_PORT, help=f"the port (default {_PORT}; 0 takes a free one)"
    )
    parser.add_argument(
        "--names",
        nargs="+",
        default=[],
        metavar="NAME",
        help="further host names of this server, as those of a proxy before it",
    )
    parser.add_argument(
        "--at-once",
        type=positive,
        default=limits.at_once,
        metavar="N",
        help="questions that are answered at the same time (default 1; more help with a model server)",
    )
    parser.add_argument(
        "--waiting",
        type=positive,
        default=limits.waiting,
        metavar="N",
        help=f"questions that may wait (default {limits.waiting})",
    )
    parser.add_argument(
        "--per-client",
        type=positive,
        default=limits.of_client,
        metavar="N",
        help=f"questions of one browser tab that may wait or run (default {limits.of_client})",
    )
    parser.add_argument(
        "--question-chars",
        type=positive,
        default=limits.question_chars,
        metavar="N",
        help=f"characters of a question (default {limits.question_chars})",
    )


@exported_traces()
def run(arguments: argparse.Namespace) -> int:
    """Serve the page until the process is ended."""
    try:
        import uvicorn

        from serving.page.application import PageSettings, page_application
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("starlette", "uvicorn"):
            raise
        raise MissingExtraError(
            f"the page needs the package {error.name}: pip install 'opencoder[page]'"
        ) from None
    # First of all: a wrong argument is told before a port is taken.
    settings = settings_of(arguments)
    all_settings = _all_settings(arguments)
    if settings.config_name not in all_settings:
        raise ConfigError(
            f"--config {settings.config_name} needs the questions of a dataset: use eval.py"
        )
    corpus = arguments.corpus or default_corpus()
    graphs = OpenedGraphs(corpus=corpus, index=arguments.index)

    def open_graph(name: str) -> "AnsweringGraph":
        return graphs.open(all_settings[name].config, settings.profile)

    queue = QuestionQueue(open_graph, all_settings.keys(), _limits(arguments))
    admission = Admission(arguments.host, arguments.names, _token(arguments.host))
    page_settings = PageSettings(
        configs={name: own.config for name, own in all_settings.items()},
        default_config=settings.config_name,
        profile=settings.profile_name,
        model=settings.profile.generator.model,
        corpus=corpus.name,
    )
    server = uvicorn.Server(
        uvicorn.Config(
            page_application(queue, page_settings, admission),
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ws="none",
            lifespan="off",
            limit_concurrency=_MOST_CONNECTIONS,
            timeout_graceful_shutdown=_SECONDS_TO_END,
        )
    )
    with _listening(arguments.host, arguments.port) as listener:
        log.info("open %s (Ctrl-C ends the server)", _address(listener, admission))
        server.run(sockets=[listener])
    return 0


def _all_settings(arguments: argparse.Namespace) -> dict[str, Settings]:
    """Return the settings of each config that can be asked, with the overrides of --set.

    A config that the overrides do not fit is left out.
    """
    settings = {}
    for name in answering_config_names():
        try:
            settings[name] = load_settings(name, arguments.profile, arguments.set)
        except ConfigError:
            if name == arguments.config:
                raise
    return settings


def _limits(arguments: argparse.Namespace) -> Limits:
    return Limits(
        at_once=arguments.at_once,
        waiting=arguments.waiting,
        of_client=arguments.per_client,
        question_chars=arguments.question_chars,
    )


def _token(host: str) -> str | None:
    """Return the token that requests must state; None if only this machine can ask.

    Raises:
        ConfigError: The token of the environment is too short.
    """
    token = os.environ.get(TOKEN_VARIABLE, "").strip()
    if token and len(token) < _SHORTEST_TOKEN:
        raise ConfigError(
            f"{TOKEN_VARIABLE} has {len(token)} characters: take at least {_SHORTEST_TOKEN}, or unset it"
        )
    if token:
        return token
    return None if is_loopback(host) else secrets.token_urlsafe(24)


def _listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises:
        ConfigError: The address is not of this machine, or the port is taken.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(
            f"cannot listen on {host} port {port}: {reason}; name another --host or --port"
        ) from None


def _address(listener: socket.socket, admission: Admission) -> str:
    """Return the address to open; the part after # is sent to no server."""
    host = "127.0.0.1" if is_wildcard(admission.address) else admission.address
    if ":" in host:
        host = f"[{host}]"
    address = f"http://{host}:{listener.getsockname()[1]}/"
    if admission.token is None:
        return address
    if os.environ.get(TOKEN_VARIABLE, "").strip():
        return f"{address}#token=... with the token of {TOKEN_VARIABLE}"
    return f"{address}#token={admission.token}"


def _port(text: str) -> int:
    port = whole_number(text)
    if not 0 <= port <= 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: take 0 to 65535")
    return port
