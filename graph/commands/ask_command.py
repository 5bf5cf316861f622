"""Answer one question, with its sources."""

import argparse
import sys

from graph.build import AnsweringGraph
from graph.commands.settings_arguments import add_settings, settings_of
from graph.opened_graphs import OpenedGraphs
from graph.support.arguments import whole_number
from graph.support.environment import failure_of, is_environment
from graph.support.errors import ConfigError, OpenCoderError
from graph.support.terminal import print_json
from graph.support.trace_export import exported_traces
from graph.tracing import trace
from nodes.state import State, Step


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("question", metavar="QUESTION", help="the question; - reads it from stdin")
    add_settings(parser)
    parser.add_argument("--trace", action="store_true", help="print each step as it happens")
    parser.add_argument(
        "--json", action="store_true", help="print one JSON document with all steps"
    )
    parser.add_argument(
        "--seed", type=whole_number, default=0, help="seed of sampled drafts (default 0)"
    )


@exported_traces()
def run(arguments: argparse.Namespace) -> int:
    """Answer the question, and print the answer or all steps."""
    settings = settings_of(arguments)
    question = _read_stdin() if arguments.question == "-" else arguments.question
    if not question.strip():
        raise ConfigError("the question is empty")
    graphs = OpenedGraphs(corpus=arguments.corpus, index=arguments.index, seed=arguments.seed)
    graph = graphs.open(settings.config, settings.profile, output=State)
    try:
        steps = _steps(graph, question, narrated=arguments.trace and not arguments.json)
    except OpenCoderError:
        raise
    except Exception as error:
        if not is_environment(error):
            raise
        raise failure_of(error) from error
    _print_answer(question, steps, as_json=arguments.json)
    return 0


def _steps(graph: AnsweringGraph, question: str, *, narrated: bool) -> list[Step]:
    """Answer a question; print each step when it ends, and on a terminal the replies as they come."""
    if not narrated:
        return list(trace(graph, question))
    from graph.narration import Preview, narrate

    steps = []
    with Preview() as preview:
        on_chunk = preview.add if sys.stderr.isatty() else None
        for step in trace(graph, question, on_chunk=on_chunk):
            preview.clear()
            narrate(step)
            steps.append(step)
    return steps


def _read_stdin() -> str:
    try:
        return sys.stdin.read()
    except UnicodeDecodeError:
        raise ConfigError("the question on stdin is not UTF-8 text") from None


def _print_answer(question: str, steps: list[Step], *, as_json: bool) -> None:
    answer = next(step["answer"] for step in reversed(steps) if "answer" in step)
    if as_json:
        passages = next((step["passages"] for step in steps if "passages" in step), [])
        print_json({"question": question, "answer": answer, "passages": passages, "steps": steps})
        return
    from graph.narration import print_answer

    print_answer(answer, steps)
