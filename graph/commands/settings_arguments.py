"""The arguments that commands share: stages, models, posts, index."""

import argparse
from collections.abc import Sequence

from graph.config import config_names, load_settings, profile_names
from graph.schema import Settings
from graph.support.arguments import name_or_path, path


def add_settings(
    parser: argparse.ArgumentParser,
    *,
    default: str = "semantic_cot",
    configs: Sequence[str] | None = None,
) -> None:
    """Declare the arguments that select stages, models, posts and index.

    Args:
        parser: A command's parser.
        default: The name of the config that runs without --config.
        configs: The names that the help lists; by default those of all packaged configs.
    """
    parser.add_argument(
        "--config",
        default=default,
        metavar="NAME",
        help=f"the stages that run (default {default}): {', '.join(configs or config_names())}",
    )
    add_models(parser, whose="which models run", example="retrieval.top_k=8")
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


def add_models(parser: "argparse._ActionsContainer", *, whose: str, example: str) -> None:
    """Declare --profile and --set.

    Args:
        parser: A command's parser, or a group of it.
        whose: The start of the help of --profile, as in "which models".
        example: An override, for the help of --set.
    """
    parser.add_argument(
        "--profile",
        type=name_or_path,
        default="auto",
        metavar="NAME",
        help=f"{whose} (default auto: gpu with CUDA, else embedded): {', '.join(profile_names())}, or "
        "FILE.yaml of your own",
    )
    parser.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help=f"override fields of the config or profile, as in {example}",
    )


def settings_of(arguments: argparse.Namespace) -> Settings:
    """Read the settings that the arguments select.

    Raises:
        ConfigError: A name, a file or a value is wrong.
    """
    return load_settings(arguments.config, arguments.profile, arguments.set)
