"""The time, memory and disk space that indexes of growing corpora need.

Run `python -m bench.scale --corpus PATH... [--index FOLDER] [--vectors N...]`.

Prints a row for each size, measured in its own process, whose peak memory is in the row. For growing
numbers of posts: the seconds to read them, to build and to open a keyword index, and the time of a
query. With `--index`, an index with vectors of the question, also for growing numbers of vectors: exact
search beside the inverted file, with the share of the exact ten best that each finds. The vectors are
those of the index, repeated with noise.
"""

import argparse
import tempfile
from collections.abc import Callable, Sequence
from itertools import chain, islice
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from graph.retrieval import fingerprints
from graph.retrieval.corpus import read_corpus
from graph.retrieval.parts import keyword, vectors
from graph.retrieval.parts.keyword import KeywordPart
from graph.retrieval.parts.vectors import VectorPart
from graph.retrieval.posts import StoredPosts
from graph.retrieval.query import Query

SIZES = (5_000, 10_000, 20_000, 43_000)
QUERIES = 200
NOISE = 0.5
"""The length of the noise that is added to a vector of length 1: their cosine is about 0.9."""


def main() -> None:
    """Measure and print."""
    arguments = _arguments()
    _print_keyword(arguments.corpus)
    if arguments.index is not None:
        _print_vectors(arguments.index, arguments.vectors)


def _print_keyword(corpora: Sequence[Path]) -> None:
    print("    posts  read s  build s  open s  ms/query  disk MB  peak MB")
    last = 0
    for size in SIZES:
        row = _in_child(_measure_keyword, corpora, size)
        # The corpora hold fewer posts than this size.
        if row[0] == last:
            break
        last = int(row[0])
        line = "{:>9.0f} {:>7.1f} {:>8.1f} {:>7.2f} {:>9.2f} {:>8.0f} {:>8.0f}".format(*row)
        print(line, flush=True)


def _print_vectors(index: Path, sizes: Sequence[int]) -> None:
    print("  vectors         search  build s  open s  ms/query  recall@10  disk MB  peak MB")
    for size in sizes:
        for exact in (True, False):
            row = _in_child(_measure_vectors, index, size, exact)
            kind = "exact" if exact else "inverted file"
            line = "{:>8.1f} {:>7.2f} {:>9.2f} {:>10.3f} {:>8.0f} {:>8.0f}".format(*row)
            print(f"{size:>9} {kind:>14} {line}", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, nargs="+", required=True)
    parser.add_argument("--index", type=Path)
    parser.add_argument("--vectors", type=int, nargs="+", default=[22_375, 100_000, 1_000_000])
    return parser.parse_args()


def _in_child(work: Callable[..., tuple[float, ...]], *arguments: object) -> tuple[float, ...]:
    # A spawned process, unlike a forked one, does not start with the memory of this one.
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(work, arguments)


def _measure_keyword(corpora: Sequence[Path], size: int) -> tuple[float, ...]:
    start = perf_counter()
    posts = list(islice(chain.from_iterable(read_corpus(path) for path in corpora), size))
    reading = perf_counter() - start
    start = perf_counter()
    index = KeywordPart.from_terms([keyword.document_terms(post) for post in posts])
    prints = fingerprints.of(posts)
    building = perf_counter() - start
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        index.save(folder)
        StoredPosts.save(folder, posts)
        fingerprints.save(folder, prints)
        start = perf_counter()
        opened = KeywordPart.open(folder)
        StoredPosts.open(folder)
        opening = perf_counter() - start
        sample = posts[:: max(1, len(posts) // QUERIES)]
        queries = [keyword.query_terms(Query(post.title, post.question)) for post in sample]
        start = perf_counter()
        for terms in queries:
            opened.scores([terms])
        milliseconds = (perf_counter() - start) / len(queries) * 1000
        return len(posts), reading, building, opening, milliseconds, _megabytes(folder), _peak()


def _measure_vectors(index: Path, size: int, exact: bool) -> tuple[float, ...]:
    synthetic, queries = _synthetic(index, size)
    truth = VectorPart("question", synthetic).search(queries, 10).rows
    vectors.APPROXIMATE_ABOVE = size if exact else 0
    start = perf_counter()
    built = VectorPart.from_vectors("question", synthetic)
    building = perf_counter() - start
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        built.save(folder)
        start = perf_counter()
        opened = VectorPart.open(folder, "question")
        opening = perf_counter() - start
        # The first searches read the vectors from disk.
        opened.search(queries[:5], 10)
        start = perf_counter()
        rows = [opened.search(query[None], 10).rows[0] for query in queries]
        milliseconds = (perf_counter() - start) / len(queries) * 1000
        shares = [len(set(a) & set(b)) / 10 for a, b in zip(rows, truth, strict=True)]
        recall = float(np.mean(shares))
        return building, opening, milliseconds, recall, _megabytes(folder), _peak()


def _synthetic(index: Path, size: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return vectors, shape (size, dimension), and queries near some of the real ones."""
    real = np.load(index / "question.npy", mmap_mode="r", allow_pickle=False)
    rng = np.random.default_rng(0)
    synthetic = np.empty((size, real.shape[1]), dtype=np.float32)
    for start in range(0, size, len(real)):
        part = synthetic[start : start + len(real)]
        part[:] = real[: len(part)]
        if start:
            part += NOISE / real.shape[1] ** 0.5 * rng.standard_normal(part.shape, np.float32)
            part /= np.linalg.norm(part, axis=1, keepdims=True)
    queries = np.array(real[rng.choice(len(real), QUERIES, replace=False)])
    queries += NOISE / real.shape[1] ** 0.5 * rng.standard_normal(queries.shape, np.float32)
    return synthetic, queries / np.linalg.norm(queries, axis=1, keepdims=True)


def _megabytes(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.iterdir()) / 1e6


def _peak() -> float:
    import resource  # Windows has no such module

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


if __name__ == "__main__":
    main()
