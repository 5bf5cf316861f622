"""What grows with a corpus: python -m bench.scale --corpus A B --index DIR [--vectors 1000000].

Real posts, in growing numbers: time to build and open a keyword index, time of a query, memory, disk.
Vectors: those of `--index` (an index with vectors of the question), each repeated with noise until
there are `--vectors`; the exact search against the inverted file, and how many of the exact ten best
it finds. Each row is measured in a process of its own, whose peak memory it states.
"""

import argparse
import resource
import tempfile
from collections.abc import Callable, Sequence
from itertools import chain, islice
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from graph.retrieval import fingerprints
from graph.retrieval.documents import Post, read_corpus
from graph.retrieval.parts import keyword, vectors
from graph.retrieval.parts.keyword import KeywordIndex
from graph.retrieval.parts.vectors import VectorIndex
from graph.retrieval.posts import Posts
from graph.retrieval.query import Query

SIZES = (5_000, 10_000, 20_000, 43_000)
QUERIES = 200
NOISE = 0.5
"""Length of the noise added to a vector of length 1: a neighbour has a cosine of about 0.9."""


def main() -> None:
    """Measure and print."""
    arguments = _arguments()
    print(
        f"{'posts':>9} {'read s':>7} {'build s':>8} {'open s':>7} {'ms/query':>9} {'disk MB':>8} {'peak MB':>8}"
    )
    last = 0
    for size in SIZES:
        found = _apart(_words, arguments.corpus, size)
        if found[0] == last:
            break
        last = int(found[0])
        print(
            "{:>9.0f} {:>7.1f} {:>8.1f} {:>7.2f} {:>9.2f} {:>8.0f} {:>8.0f}".format(*found),
            flush=True,
        )
    if arguments.index is None:
        return
    print(
        f"{'vectors':>9} {'search':>14} {'build s':>8} {'open s':>7} {'ms/query':>9} {'recall@10':>10} {'disk MB':>8} {'peak MB':>8}"
    )
    for size in arguments.vectors:
        for exact in (True, False):
            row = _apart(_nearest, arguments.index, size, exact)
            kind = "exact" if exact else "inverted file"
            print(
                f"{size:>9} {kind:>14} "
                + "{:>8.1f} {:>7.2f} {:>9.2f} {:>10.3f} {:>8.0f} {:>8.0f}".format(*row),
                flush=True,
            )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, nargs="+", required=True)
    parser.add_argument("--index", type=Path)
    parser.add_argument("--vectors", type=int, nargs="+", default=[22_375, 100_000, 1_000_000])
    return parser.parse_args()


def _apart(work: Callable[..., tuple[float, ...]], *arguments: object) -> tuple[float, ...]:
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(work, arguments)


def _words(corpora: Sequence[Path], size: int) -> tuple[float, ...]:
    begun = perf_counter()
    posts = list(islice(chain.from_iterable(read_corpus(path) for path in corpora), size))
    read = perf_counter() - begun
    begun = perf_counter()
    index = KeywordIndex.build([keyword.document_terms(post) for post in posts])
    prints = fingerprints.of(posts)
    build = perf_counter() - begun
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        index.save(folder)
        Posts.save(folder, posts)
        fingerprints.save(folder, prints)
        begun = perf_counter()
        opened = KeywordIndex.open(folder)
        Posts.open(folder)
        opening = perf_counter() - begun
        asked = [
            keyword.query_terms(_question(post)) for post in posts[:: max(1, len(posts) // QUERIES)]
        ]
        begun = perf_counter()
        for terms in asked:
            opened.scores([terms])
        query = (perf_counter() - begun) / len(asked) * 1000
        return len(posts), read, build, opening, query, _megabytes(folder), _peak()


def _question(post: Post) -> Query:
    return Query(post.title, post.question)


def _nearest(index: Path, size: int, exact: bool) -> tuple[float, ...]:
    made, queries = _synthetic(index, size)
    truth = VectorIndex(made).search(queries, 10).rows
    vectors.APPROXIMATE_ABOVE = size if exact else 0
    begun = perf_counter()
    built = VectorIndex.build(made)
    build = perf_counter() - begun
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        built.save(folder, "question")
        begun = perf_counter()
        opened = VectorIndex.open(folder, "question")
        opening = perf_counter() - begun
        opened.search(queries[:5], 10)
        begun = perf_counter()
        rows = [opened.search(query[None], 10).rows[0] for query in queries]
        query = (perf_counter() - begun) / len(queries) * 1000
        hits = [len(set(a) & set(b)) / 10 for a, b in zip(rows, truth, strict=True)]
        return build, opening, query, float(np.mean(hits)), _megabytes(folder), _peak()


def _synthetic(index: Path, size: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    real = np.load(index / "question.npy", mmap_mode="r", allow_pickle=False)
    draw = np.random.default_rng(0)
    made = np.empty((size, real.shape[1]), dtype=np.float32)
    for start in range(0, size, len(real)):
        part = made[start : start + len(real)]
        part[:] = real[: len(part)]
        if start:
            part += NOISE / real.shape[1] ** 0.5 * draw.standard_normal(part.shape, np.float32)
            part /= np.linalg.norm(part, axis=1, keepdims=True)
    queries = np.array(real[draw.choice(len(real), QUERIES, replace=False)])
    queries += NOISE / real.shape[1] ** 0.5 * draw.standard_normal(queries.shape, np.float32)
    return made, queries / np.linalg.norm(queries, axis=1, keepdims=True)


def _megabytes(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.iterdir()) / 1e6


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


if __name__ == "__main__":
    main()
