"""Serve tools to other programs (MCP): search the posts, and answer questions."""

import argparse
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from functools import partial
from importlib.util import find_spec
from threading import Thread
from typing import TYPE_CHECKING

from graph.build import AnsweringGraph
from graph.commands.settings_arguments import add_settings, settings_of
from graph.config import load_settings
from graph.opened_graphs import OpenedGraphs, answering_config_names
from graph.schema import Profile
from graph.support.arguments import port_number
from graph.support.errors import ConfigError, MissingExtraError
from graph.support.logger import log
from graph.support.terminal import log_libraries
from graph.support.trace_export import exported_traces
from serving.http_server import DEFAULT_HOST, TOKEN_VARIABLE, listen, read_token, url_of
from serving.question_queue import Limits, QuestionQueue, is_local, most_at_once

if TYPE_CHECKING:
    from mcp.server import Server

_PORT = 8765
_WAIT_SECONDS = 0.5
"""Windows delivers Ctrl-C only between two waits."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = (
        "Without --http the client starts this command, and both talk over stdin and stdout."
    )
    add_settings(parser, default="hybrid", configs=answering_config_names())
    parser.add_argument(
        "--http", action="store_true", help="serve on HTTP, instead of stdin and stdout"
    )
    parser.add_argument(
        "--host",
        metavar="ADDRESS",
        help=f"the address to listen on, with --http (default {DEFAULT_HOST}); one that other machines reach needs a "
        f"token in the environment variable {TOKEN_VARIABLE}",
    )
    parser.add_argument(
        "--port",
        type=port_number,
        metavar="N",
        help=f"the port to listen on, with --http (default {_PORT}; 0 takes a free one)",
    )


@exported_traces()
def run(arguments: argparse.Namespace) -> int:
    """Serve until the client leaves, or a signal comes.

    Raises:
        ConfigError: An argument or the token is wrong, or nothing can listen at the address.
        MissingExtraError: The package `mcp` is not installed.
    """
    if find_spec("mcp") is None:
        raise MissingExtraError("opencoder mcp needs mcp: pip install 'opencoder[mcp]'")
    from serving.mcp_server import ask_tool, search_tool, tool_server

    settings = settings_of(arguments)
    graphs = OpenedGraphs(corpus=arguments.corpus, index=arguments.index)
    retriever = graphs.retriever(settings.config.retrieval, settings.profile.embedder)
    if retriever is None:
        raise ConfigError(
            f"config {settings.config_name} searches no posts: take another, as --config hybrid"
        )
    log_libraries("mcp", "uvicorn")

    def open_graph(name: str) -> AnsweringGraph:
        chosen = load_settings(name, arguments.profile, arguments.set)
        return graphs.open(chosen.config, chosen.profile)

    queue = QuestionQueue(open_graph, answering_config_names(), _limits(settings.profile))
    serve = _transport(arguments)
    tools = [
        search_tool(retriever),
        ask_tool(queue, settings.config_name, is_local=is_local(settings.profile)),
    ]
    server = tool_server(tools)
    # A client waits a short time for its first reply, and an index can take long to build: the
    # server answers meanwhile, and searches wait. This thread takes the signals.
    serving = _in_thread(partial(serve, server))
    opening = _in_thread(lambda: log.info("%d posts can be searched", retriever.open()))
    while not serving.done():
        unfinished = [work for work in (serving, opening) if not work.done()]
        wait(unfinished, timeout=_WAIT_SECONDS, return_when=FIRST_COMPLETED)
        if opening.done():
            opening.result()
    serving.result()
    return 0


def _limits(profile: Profile) -> Limits:
    """Return the limits of the queue: all programs are one client; a server answers several at once."""
    at_once = most_at_once(profile)
    return Limits(at_once=at_once, of_client=Limits.waiting + at_once)


def _transport(arguments: argparse.Namespace) -> "Callable[[Server], None]":
    """Return the function that serves, with its socket open if it has one."""
    if not arguments.http:
        for option in ("host", "port"):
            if getattr(arguments, option) is not None:
                raise ConfigError(f"--{option} belongs to --http: give that too")
        import anyio

        from serving.mcp_server import serve_stdio

        return lambda server: anyio.run(serve_stdio, server)
    from serving.mcp_http import PATH, tool_server_on_http

    token = read_token()
    port = _PORT if arguments.port is None else arguments.port
    listener = listen(arguments.host or DEFAULT_HOST, port, token)
    log.info("MCP on %s ; Ctrl-C ends it", url_of(listener, PATH))
    return lambda server: tool_server_on_http(server, listener, token).run(sockets=[listener])


def _in_thread(work: Callable[[], None]) -> "Future[None]":
    """Start some work in a thread that does not keep the process alive; return its end."""
    ending: Future[None] = Future()

    def run_work() -> None:
        try:
            work()
            ending.set_result(None)
        except BaseException as error:
            ending.set_exception(error)

    Thread(target=run_work, daemon=True).start()
    return ending
