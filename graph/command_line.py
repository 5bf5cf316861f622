"""The commands of `opencoder` by name: each module is imported when its command runs.

Most commands live in packages that may not be imported here, and that the wheel does not have, so a
command is known by the name of its module. That module has `add_arguments(parser)` and
`run(arguments)`.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NamedTuple

from graph.support.arguments import Parser, add_version, checkout, version_line
from graph.support.errors import ConfigError, MissingExtraError
from graph.support.terminal import print_document, print_line
from graph.support.text import one_line, suggestion

REPOSITORY = "https://github.com/opencoder/opencoder"
_OPTIONS = ("--help", "--version")
_NAME_CHARS = 60


class Command(NamedTuple):
    """A command: its module, and the line about it in the list of commands."""

    module: str
    help: str

    @property
    def needs_checkout(self) -> bool:
        """True if its package is not in the wheel."""
        return not self.module.startswith(("graph.", "serving."))


COMMANDS = {
    "ask": Command("graph.commands.ask_command", "answer one question, with its sources"),
    "page": Command("serving.page_command", "serve a page that answers questions"),
    "draw": Command("graph.commands.draw_command", "print a graph as Mermaid text, or draw it"),
    "index": Command("graph.commands.index_command", "build or verify the index of a corpus"),
    "mcp": Command("serving.mcp_command", "serve tools to other programs: search, ask"),
    "eval": Command("evaluation.commands.eval_command", "run configs on a dataset, and score them"),
    "compare": Command("evaluation.commands.compare_command", "compare runs question by question"),
    "slices": Command("evaluation.commands.slices_command", "show which questions gain"),
    "risk": Command("evaluation.commands.risk_command", "show risk against coverage"),
    "report": Command("evaluation.commands.report_command", "write one HTML page about runs"),
    "verify": Command("evaluation.commands.verify_command", "recompute the figures of runs"),
    "judge": Command("evaluation.commands.judge_command", "score runs with another judge"),
    "ragas": Command("evaluation.commands.ragas_command", "score runs with ragas"),
    "calibrate": Command("evaluation.commands.calibrate_command", "compare scores with people's"),
    "fit-reranker": Command(
        "evaluation.commands.fit_reranker_command", "fit learned reranking on runs"
    ),
    "headroom": Command(
        "evaluation.commands.headroom_command", "measure what reranking could gain"
    ),
    "retrieval": Command("evaluation.commands.retrieval_command", "measure retrieval alone"),
    "export": Command("evaluation.commands.export_command", "write runs for other programs"),
    "dataset": Command("dataset.__main__", "build and check corpora and datasets"),
    "doctor": Command("graph.commands.doctor_command", "say what is installed, and what would run"),
    "cache": Command("graph.commands.cache_command", "show the caches, or clear them"),
    "completion": Command("graph.commands.completion_command", "print the completion for a shell"),
}


def run(program: str, words: Sequence[str]) -> int:
    """Run the command that a command line names.

    Args:
        program: The words that started it, as `opencoder`.
        words: The words after them.

    Returns:
        The exit code.

    Raises:
        ConfigError: There is no such command, or it needs the checkout.
        MissingExtraError: A package that the command needs is not installed.
    """
    if not words:
        raise ConfigError(f"name a command: {', '.join(COMMANDS)}; see --help")
    name, *rest = words
    if name in ("-h", "--help"):
        print_document(_overview(program))
    elif name == "--version":
        print_line(version_line())
    else:
        try:
            module = _module(name)
            return int(module.run(parser_of(program, name).parse_args(rest)))
        except ModuleNotFoundError as error:
            raise _not_installed(error) from error
    return 0


def parser_of(program: str, name: str) -> Parser:
    """Return the parser of one command, whose usage shows the words that the user typed."""
    module = _module(name)
    text = (module.__doc__ or "").partition("\n")[0]
    # argparse formats help texts with %.
    parser = Parser(prog=f"{program} {name}", description=text.replace("%", "%%"))
    module.add_arguments(parser)
    return parser


def whole_parser(program: str, names: Sequence[str]) -> Parser:
    """Return one parser with several commands, for what reads all of their arguments."""
    parser = Parser(prog=program)
    add_version(parser)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in names:
        # The parent has --help already.
        commands.add_parser(
            name, parents=[parser_of(program, name)], add_help=False, help=COMMANDS[name].help
        )
    return parser


def available() -> list[str]:
    """Return the names of the commands that can run here: without a checkout, those of the wheel."""
    return [name for name in COMMANDS if checkout() or not COMMANDS[name].needs_checkout]


def _module(name: str) -> Any:
    if name not in COMMANDS:
        is_option = name.startswith("-")
        kind = "option" if is_option else "command"
        hint = suggestion(name, _OPTIONS if is_option else [*COMMANDS])
        raise ConfigError(f"there is no {kind} {one_line(name, _NAME_CHARS)!r}; {hint}")
    folder = checkout()
    if COMMANDS[name].needs_checkout:
        if folder is None:
            raise ConfigError(
                f"{name} needs the checkout, and this is the installed package alone: git clone "
                f"{REPOSITORY}, and run it there ({', '.join(available())} work here)"
            )
        # Before other packages that are called `dataset` or `evaluation`.
        sys.path.insert(0, str(folder))
    return import_module(COMMANDS[name].module)


def _not_installed(error: ModuleNotFoundError) -> Exception:
    package = (error.name or "").partition(".")[0]
    if not package or package in ("graph", "nodes", "prompts", "serving", "dataset", "evaluation"):
        return error
    return MissingExtraError(
        f"the package {package} is not installed; to see what is missing: opencoder doctor"
    )


def _overview(program: str) -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {COMMANDS[name].help}" for name in available()]
    missing = [name for name in COMMANDS if name not in available()]
    if missing:
        lines += ["", f"Only in a checkout of {REPOSITORY}:", f"  {', '.join(missing)}"]
    return "\n".join(
        [
            f"usage: {program} [-h] [--version] COMMAND ...",
            "",
            "Answer programming questions, and measure which stages help.",
            "",
            "commands:",
            *lines,
            "",
            f"{program} COMMAND --help shows the arguments of a command.",
            "",
        ]
    )
