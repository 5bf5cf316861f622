"""Builds of one index, killed at three points: python -m tests.integration.killed_builds FOLDER.

Children are forked before anything is computed: torch's threads do not outlive a fork. What each
encoded, and how it ended, is printed as JSON.
"""

import json
import os
import sys
from pathlib import Path

import numpy as np
import sentence_transformers  # noqa: F401  # loaded once, before the forks

from graph.config import load_settings
from graph.retrieval import index, text_vectors
from graph.retrieval.encoder import Encoder
from graph.retrieval.index import build_or_verify
from graph.retrieval.text_vectors import TextVectors
from tests.fakes.corpora import small_corpus
from tests.fakes.processes import in_child, kill_self

BLOCK = 3


def after_the_first_block() -> None:
    """Die when three of the 24 texts are on disk."""
    write = TextVectors.write

    def dying(self, digests, vectors):
        write(self, digests, vectors)
        kill_self()

    TextVectors.write = dying


def between_fields() -> None:
    """Die when the first of the three fields is encoded."""
    encode = index._encode

    def dying(*args):
        encode(*args)
        kill_self()

    index._encode = dying


def while_files_are_written() -> None:
    """Die in the middle of the sixth array."""
    save, done = np.save, []

    def dying(file, array, **options):
        done.append(file)
        save(file, array[: len(array) // 2] if len(done) == 6 else array, **options)
        if len(done) == 6:
            kill_self()

    np.save = dying


POINTS = {
    "never": lambda: None,
    "first block": after_the_first_block,
    "between fields": between_fields,
    "files": while_files_are_written,
}


def build(corpus: Path, counted: Path) -> None:
    """Build a hybrid index in the cache, and note how many texts each block has."""
    settings = load_settings("hybrid", "embedded", ["embedder.dtype=float32"])
    encode = Encoder.encode

    def counting(self, texts):
        with counted.open("a", encoding="utf-8") as file:
            file.write(f"{len(texts)}\n")
        return encode(self, texts)

    Encoder.encode = counting
    build_or_verify(settings.config.retrieval, corpus, settings.profile.embedder)


def main() -> None:
    """Build once with each kill and once more to the end."""
    folder = Path(sys.argv[1])
    corpus = small_corpus(folder / "corpus.csv")
    text_vectors.BLOCK = BLOCK
    report = {}
    for name, arm in POINTS.items():
        os.environ["OPENCODER_CACHE"] = str(folder / name)
        (folder / name).mkdir()
        builds = []
        for number in (1,) if name == "never" else (1, 2):
            counted = folder / f"{name} {number}"
            counted.touch()
            ended = in_child(lambda n=number, c=counted, a=arm: (n == 1 and a(), build(corpus, c)))
            texts = sum(map(int, counted.read_text(encoding="utf-8").split()))
            builds.append({"code": ended.code, "encoded": texts, "said": ended.err})
        report[name] = builds
    sys.stdout.write(json.dumps(report))


if __name__ == "__main__":
    main()
