"""Build the index of a corpus, or verify the existing one."""

import argparse

from graph.commands.settings_arguments import add_settings, settings_of
from graph.retrieval import open_retriever
from graph.retrieval.corpus import default_corpus
from graph.retrieval.encoder import open_encoder
from graph.support.errors import ConfigError
from graph.support.terminal import print_line
from graph.support.text import plural
from graph.support.worker_options import add_worker_options, pool_options
from graph.support.worker_pool import WorkerPool


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_settings(parser)
    add_worker_options(parser, "encode N blocks of posts at the same time")


def run(arguments: argparse.Namespace) -> int:
    """Build or verify the index, and print its folder."""
    settings = settings_of(arguments)
    kind = settings.config.retrieval.kind
    if kind == "none":
        raise ConfigError(f"config {settings.config_name} retrieves nothing and needs no index")
    corpus = arguments.corpus or default_corpus()
    retrieval, embedder = settings.config.retrieval, settings.profile.embedder
    retriever = open_retriever(retrieval, embedder, corpus=corpus, folder=arguments.index)
    options = pool_options(arguments)
    pool = WorkerPool(options) if options else None
    if pool:
        open_encoder(embedder).pool = pool
    try:
        # With `retrieval.store: postgres`, opening also fills the tables of the server.
        posts, folder = retriever.open(), retriever.index_folder()
    finally:
        if pool:
            pool.close()
    print_line(f"{kind} index of {posts} {plural(posts, 'post')} of {corpus}: {folder}")
    return 0
