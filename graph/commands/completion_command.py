"""Print the completion of commands, options and files for bash or zsh."""

import argparse

from graph.command_line import available, whole_parser
from graph.support.arguments import output_file, path
from graph.support.errors import MissingExtraError
from graph.support.terminal import print_document

_PROGRAM = "opencoder"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = (
        "bash: opencoder completion bash > ~/.local/share/bash-completion/completions/opencoder; "
        "zsh: opencoder completion zsh > DIR/_opencoder, for a DIR in $fpath"
    )
    parser.add_argument("shell", choices=["bash", "zsh"], help="the shell")


def run(arguments: argparse.Namespace) -> int:
    """Print the script."""
    try:
        import shtab
    except ImportError:
        raise MissingExtraError("completion needs shtab: pip install shtab") from None
    parser = whole_parser(_PROGRAM, available())
    for action in _actions(parser):
        if action.type in (path, output_file):
            # shtab reads this attribute.
            action.complete = shtab.FILE  # type: ignore[attr-defined]
    print_document(shtab.complete(parser, arguments.shell) + "\n")
    return 0


def _actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    actions = []
    for action in parser._actions:
        actions.append(action)
        if isinstance(action, argparse._SubParsersAction):
            for subparser in action.choices.values():
                actions += _actions(subparser)
    return actions
