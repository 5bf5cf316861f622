"""Indexes on disk: built once, reopened without encoding, refused when anything does not match."""

import json
from collections import Counter
from functools import partial
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from graph.retrieval import fingerprints
from graph.retrieval.corpus import read_corpus
from graph.retrieval.embeddings import (
    Embedder,
    OwnEmbeddings,
    embedder_identity,
    open_embedder,
    stored_vectors,
)
from graph.retrieval.parts import part_classes
from graph.retrieval.parts.part import Part
from graph.retrieval.posts import Post, StoredPosts
from graph.retrieval.text_vectors import encode_new
from graph.schema import Retrieval
from graph.support.cache_names import INDEXES, VECTORS
from graph.support.errors import DatasetError, IndexMismatchError
from graph.support.logger import log
from graph.support.progress import progress
from graph.support.regular_files import check_regular_file
from graph.support.storage import cache_folder, file_sha256, folder_atomically, in_use
from graph.support.table_files import read_rows
from graph.support.text import plural

FORMAT = 2
"""Count up when the meaning of an index's files changes."""

Manifest = dict[str, object]


def identity(retrieval: Retrieval, corpus: Path, embedder: Embedder) -> Manifest:
    """Return the fields of the manifest that an index of this corpus must have to be opened.

    Raises:
        DatasetError: the corpus cannot be read.
        MissingExtraError: the package with the encoder's weights is not installed.
    """
    manifest: Manifest = {
        "format": FORMAT,
        "kind": retrieval.kind,
        "corpus_sha256": _corpus_sha256(corpus),
        "fingerprints": fingerprints.PARAMETERS,
    }
    classes = part_classes(retrieval)
    for part_class in dict.fromkeys(classes.values()):
        names = [name for name in classes if classes[name] is part_class]
        manifest[part_class.section] = part_class.parameters(names)
    if any(part_class.encodes for part_class in classes.values()):
        manifest.update(embedder_identity(embedder))
    return manifest


def default_folder(manifest: Manifest, corpus: Path) -> Path:
    """Return the folder in the cache for an index, named after its corpus, kind and identity."""
    digest = sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()[:12]
    stem = "".join(c if c.isascii() and c.isalnum() else "_" for c in corpus.name.split(".")[0])
    return cache_folder() / INDEXES / f"{stem[:40]}-{manifest['kind']}-{digest}"


def build_or_verify(
    retrieval: Retrieval, corpus: Path, embedder: Embedder, folder: Path | None = None
) -> Path:
    """Return the folder of a whole index of this corpus; build the index if there is none.

    An interrupted build leaves its finished vectors in the cache, from which the next one continues.

    Raises:
        IndexMismatchError: the folder holds another or a damaged index, or something else.
        DatasetError: the corpus cannot be read.
    """
    expected = identity(retrieval, corpus, embedder)
    classes = part_classes(retrieval)
    folder = folder or default_folder(expected, corpus)
    if folder.exists() and not folder.is_dir():
        raise IndexMismatchError(f"{folder} is a file: name a folder for the index")
    if (folder / "manifest.json").exists():
        _verify(folder, expected, classes)
    elif folder.is_dir() and any(folder.iterdir()):
        raise IndexMismatchError(f"{folder} is not an index and not empty: name another folder")
    else:
        if folder.is_dir():
            folder.rmdir()
        log.info("building a %s index of %s", retrieval.kind, corpus)
        with in_use(cache_folder() / VECTORS):
            _build(folder, expected, classes, corpus, embedder)
    return folder


def _verify(folder: Path, expected: Manifest, classes: dict[str, type[Part]]) -> None:
    """Refuse an index that differs from the expected one, or that is damaged."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        digests, _ = dict(manifest["files"]), int(manifest["rows"])
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        raise _refused(folder, "its manifest cannot be read") from None
    for field, value in expected.items():
        if manifest.get(field) != value:
            raise _refused(folder, f"its {field} is {manifest.get(field)!r} instead of {value!r}")
    _verify_files(folder, digests, classes)


def _verify_files(folder: Path, digests: dict[str, str], classes: dict[str, type[Part]]) -> None:
    required = frozenset({*StoredPosts.FILES, fingerprints.FILE}).union(
        *(part_class.files(name) for name, part_class in classes.items())
    )
    optional = frozenset[str]().union(
        *(part_class.optional_files(name) for name, part_class in classes.items())
    )
    # Names are compared before any file is opened: a manifest could name a file outside the folder.
    if not required <= set(digests) <= required | optional:
        raise _refused(folder, "its list of files is not that of such an index")
    for name in optional - set(digests):
        if (folder / name).exists():
            raise _refused(folder, f"its file {name} is not in its manifest")
    for name, digest in digests.items():
        path = folder / name
        if not path.is_file() or file_sha256(path) != digest:
            raise _refused(folder, f"its file {name} is missing or damaged")


def _refused(folder: Path, why: str) -> IndexMismatchError:
    return IndexMismatchError(f"index {folder}: {why}; delete the folder to have it built anew")


def _corpus_sha256(corpus: Path) -> str:
    check_regular_file(corpus)
    try:
        return file_sha256(corpus)
    except OSError as error:
        raise DatasetError(f"{corpus}: cannot be read: {error.strerror}") from None


def _build(
    folder: Path,
    expected: Manifest,
    classes: dict[str, type[Part]],
    corpus: Path,
    embedder: Embedder,
) -> None:
    posts = _read_all(corpus)
    counts = Counter[str]()
    encode = partial(_encode, embedder, counts)
    parts = [part_class.build(name, posts, encode) for name, part_class in classes.items()]
    try:
        with folder_atomically(folder) as work:
            StoredPosts.save(work, posts)
            fingerprints.save(work, fingerprints.of(posts))
            for part in parts:
                part.save(work)
            _write_manifest(work, {**expected, "corpus": corpus.name, "rows": len(posts)})
    except (NotADirectoryError, FileExistsError) as error:
        raise IndexMismatchError(f"no index can be written to {folder}: {error.strerror}") from None
    vectors = "; vectors: {reused} reused, {computed} computed".format(**counts) if counts else ""
    log.info("index of %d %s%s: %s", len(posts), plural(len(posts), "post"), vectors, folder)


def _encode(
    embedder: Embedder, counts: Counter[str], field: str, texts: list[str]
) -> NDArray[np.float32]:
    """Encode those texts of a field that no build has encoded; minutes for tens of thousands on a CPU."""
    # Imported here: at the top it would lengthen the longest chain of imports.
    from graph.retrieval.encoder import Encoder

    encoder, label = open_embedder(embedder), f"encoding the {field} of posts"
    blocks = encoder.encode_blocks if isinstance(encoder, Encoder) else partial(map, encoder.encode)
    # Nothing but the user's name tells the vectors of one embeddings from those of another.
    check = encoder.check_stored if isinstance(encoder, OwnEmbeddings) else None
    encoded = encode_new(texts, blocks, stored_vectors(embedder), label, check)
    counts.update(reused=encoded.reused, computed=encoded.computed)
    return encoded.vectors


def _write_manifest(work: Path, manifest: Manifest) -> None:
    manifest["files"] = {file.name: file_sha256(file) for file in sorted(work.iterdir())}
    (work / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")


def _read_all(corpus: Path) -> list[Post]:
    posts = []
    with progress("reading posts", sum(1 for _ in read_rows(corpus))) as bar:
        for post in read_corpus(corpus):
            posts.append(post)
            if len(posts) % 500 == 0:
                bar.advance(500)
        bar.advance(len(posts) % 500)
    return posts
