"""python -m graph ask | draw | index: answer one question, draw a graph, build an index."""

import argparse
import sys

from graph.build import AnsweringGraph, answering_graph
from graph.config import config_names, load_settings, profile_names
from graph.drawing import draw, to_png, to_svg
from graph.models import open_models
from graph.retrieval import open_retriever
from graph.retrieval.corpus import default_corpus
from graph.schema import Settings
from graph.support.arguments import (
    Parser,
    add_version,
    name_or_path,
    output_file,
    path,
    whole_number,
)
from graph.support.environment import failure_of, is_environment
from graph.support.errors import ConfigError, OpenCoderError
from graph.support.logger import log
from graph.support.storage import write_bytes_atomically
from graph.support.terminal import print_document, print_json, print_line, run
from graph.support.text import plural
from graph.support.trace_export import exported_traces
from graph.tracing import trace
from nodes.state import State, Step


def main() -> None:
    """Run the command line."""
    run(lambda: _run(_parser().parse_args()))


def _run(arguments: argparse.Namespace) -> int:
    commands = {"ask": _ask, "draw": _draw, "index": _index}
    return commands[arguments.command](arguments)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="python -m graph", description=__doc__)
    add_version(parser)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    ask = commands.add_parser("ask", help="answer one question, with its sources")
    ask.add_argument("question", metavar="QUESTION", help="the question; - reads it from stdin")
    _add_settings(ask)
    ask.add_argument("--trace", action="store_true", help="print each step as it happens")
    ask.add_argument("--json", action="store_true", help="print one JSON document with all steps")
    ask.add_argument(
        "--seed", type=whole_number, default=0, help="seed of sampled drafts (default 0)"
    )

    drawing = commands.add_parser("draw", help="print a graph as Mermaid text, or draw it")
    drawing.add_argument("config", metavar="NAME", help="one of: " + ", ".join(config_names()))
    drawing.add_argument("--svg", type=output_file, metavar="FILE", help="write an SVG picture")
    drawing.add_argument("--png", type=output_file, metavar="FILE", help="write a PNG picture")
    drawing.add_argument(
        "--direction", choices=["LR", "TD"], default="LR", help="left to right, or top down"
    )
    drawing.add_argument("--no-judge", action="store_true", help="leave out the judge")

    index = commands.add_parser(
        "index", help="build the index of a corpus, or verify the existing one"
    )
    _add_settings(index)
    return parser


def _add_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config",
        default="semantic_cot",
        metavar="NAME",
        help="the stages that run (default semantic_cot): " + ", ".join(config_names()),
    )
    parser.add_argument(
        "--profile",
        type=name_or_path,
        default="auto",
        metavar="NAME",
        help="the models that run (default auto): "
        + ", ".join(profile_names())
        + ", or FILE.yaml of your own",
    )
    parser.add_argument(
        "--corpus",
        type=path,
        metavar="PATH",
        help="the posts to search (default: your own corpus, else the sample)",
    )
    parser.add_argument(
        "--index",
        type=path,
        metavar="DIR",
        help="the folder of the index (default: in the cache folder)",
    )
    parser.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="override fields of the config or profile, for example retrieval.top_k=8",
    )


def _settings(arguments: argparse.Namespace) -> Settings:
    return load_settings(arguments.config, arguments.profile, arguments.set)


@exported_traces()
def _ask(arguments: argparse.Namespace) -> int:
    settings = _settings(arguments)
    question = _read_stdin() if arguments.question == "-" else arguments.question
    if not question.strip():
        raise ConfigError("the question is empty")
    config, profile = settings.config, settings.profile
    models = open_models(profile, seed=arguments.seed)
    retriever = None
    if config.retrieval.kind != "none":
        retriever = open_retriever(
            config.retrieval, profile.embedder, corpus=arguments.corpus, folder=arguments.index
        )
        log.info("corpus: %s", retriever.corpus)
    graph = answering_graph(
        config,
        model=models.generator,
        chooser=models.generator,
        retriever=retriever,
        output=State,
    )
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


def _draw(arguments: argparse.Namespace) -> int:
    mermaid = draw(arguments.config, judged=not arguments.no_judge, direction=arguments.direction)
    if not (arguments.svg or arguments.png):
        print_document(mermaid)
        return 0
    svg = to_svg(mermaid)
    if arguments.svg:
        write_bytes_atomically(arguments.svg, svg.encode())
    if arguments.png:
        width = 1400 if arguments.direction == "LR" else 640
        write_bytes_atomically(arguments.png, to_png(svg, width=width))
    return 0


def _index(arguments: argparse.Namespace) -> int:
    settings = _settings(arguments)
    kind = settings.config.retrieval.kind
    if kind == "none":
        raise ConfigError(f"config {settings.config_name} retrieves nothing and needs no index")
    corpus = arguments.corpus or default_corpus()
    retrieval, embedder = settings.config.retrieval, settings.profile.embedder
    retriever = open_retriever(retrieval, embedder, corpus=corpus, folder=arguments.index)
    # With `retrieval.store: postgres`, opening also fills the tables of the server.
    posts, folder = retriever.open(), retriever.index_folder()
    print_line(f"{kind} index of {posts} {plural(posts, 'post')} of {corpus}: {folder}")
    return 0


if __name__ == "__main__":
    main()
