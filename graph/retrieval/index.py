"""Indexes on disk: built once, reopened without encoding, refused when anything does not match."""

import json
import logging
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from graph.models import packaged as embedded
from graph.retrieval import fingerprints
from graph.retrieval.documents import Field, Post, read_corpus
from graph.retrieval.encoder import open_encoder
from graph.retrieval.parts import keyword, vectors
from graph.retrieval.posts import Posts
from graph.retrieval.quantised import resolve_encoder_dtype
from graph.retrieval.vector_chunks import Chunks
from graph.schema import EmbedderSpec, Retrieval
from graph.support.errors import DatasetError, IndexMismatchError
from graph.support.progress import progress
from graph.support.storage import cache_folder, file_sha256, folder_atomically

if TYPE_CHECKING:
    from graph.retrieval.parts.vectors import VectorIndex

log = logging.getLogger("opencoder")
FORMAT = 2
"""Count up when the files of an index change their meaning."""

Manifest = dict[str, object]


def has_keywords(retrieval: Retrieval) -> bool:
    """Whether a retriever scores by words."""
    return retrieval.kind in ("keyword", "hybrid")


def vector_fields(retrieval: Retrieval) -> tuple[Field, ...]:
    """Return the fields whose vectors a retriever compares."""
    return retrieval.vectors if retrieval.kind in ("semantic", "hybrid") else ()


def identity(retrieval: Retrieval, corpus: Path, embedder: EmbedderSpec) -> Manifest:
    """Return what an index of this corpus must be: every field is compared when it is opened."""
    found: Manifest = {
        "format": FORMAT,
        "kind": retrieval.kind,
        "corpus_sha256": _corpus_sha256(corpus),
        "fingerprints": fingerprints.PARAMETERS,
    }
    if has_keywords(retrieval):
        found["keyword"] = keyword.PARAMETERS
    if fields := vector_fields(retrieval):
        found["vectors"] = {**vectors.PARAMETERS, "fields": list(fields)}
        found.update(_encoder(embedder))
    return found


def _encoder(embedder: EmbedderSpec) -> Manifest:
    local = embedder.engine == "embedded"
    return {
        "encoder": embedder.model,
        "encoder_revision": embedded.revision(embedder.model) if local else embedder.revision,
        "encoder_dtype": resolve_encoder_dtype(embedder.dtype),
    }


def default_folder(wanted: Manifest, corpus: Path) -> Path:
    """Return where an index is kept: its name says what it is of."""
    digest = sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()[:12]
    stem = "".join(c if c.isascii() and c.isalnum() else "_" for c in corpus.name.split(".")[0])
    return cache_folder() / "indexes" / f"{stem[:40]}-{wanted['kind']}-{digest}"


def build_or_verify(
    retrieval: Retrieval, corpus: Path, embedder: EmbedderSpec, folder: Path | None = None
) -> Path:
    """Return the folder of a whole index of this corpus, building it if there is none.

    A build that was cut off keeps the vectors it had, and the next one goes on from there.

    Raises:
        IndexMismatchError: there is one, but of something else, or it is damaged.
        DatasetError: the corpus cannot be read.
    """
    wanted = identity(retrieval, corpus, embedder)
    folder = folder or default_folder(wanted, corpus)
    if folder.exists() and not folder.is_dir():
        raise IndexMismatchError(f"{folder} is a file: name a folder for the index")
    if (folder / "manifest.json").exists():
        verify(folder, wanted)
    elif folder.is_dir() and any(folder.iterdir()):
        raise IndexMismatchError(f"{folder} is not an index and not empty: name another folder")
    else:
        if folder.is_dir():
            folder.rmdir()
        _build(folder, wanted, retrieval, corpus, embedder)
    return folder


def verify(folder: Path, wanted: Manifest) -> None:
    """Refuse an index that is not exactly the wanted one, or that is damaged."""
    try:
        found = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        files, _ = dict(found["files"]), int(found["rows"])
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        raise _refused(folder, "its manifest cannot be read") from None
    for field, value in wanted.items():
        if found.get(field) != value:
            raise _refused(folder, f"its {field} is {found.get(field)!r}, wanted is {value!r}")
    _check_files(folder, wanted, files)


def _check_files(folder: Path, wanted: Manifest, files: dict[str, str]) -> None:
    if not _files(wanted) <= set(files) <= _files(wanted) | _optional(wanted):
        raise _refused(folder, "its list of files is not that of such an index")
    for name in _optional(wanted) - set(files):
        if (folder / name).exists():
            raise _refused(folder, f"its file {name} is not in its manifest")
    for name, digest in files.items():
        path = folder / name
        if not path.is_file() or file_sha256(path) != digest:
            raise _refused(folder, f"its file {name} is missing or damaged")


def _fields(wanted: Manifest) -> list[str]:
    stated = wanted.get("vectors")
    return list(stated["fields"]) if isinstance(stated, dict) else []


def _files(wanted: Manifest) -> set[str]:
    words = keyword.FILES if "keyword" in wanted else ()
    arrays = (f"{field}.npy" for field in _fields(wanted))
    return {*Posts.FILES, fingerprints.FILE, *words, *arrays}


def _optional(wanted: Manifest) -> set[str]:
    return {f"{field}.faiss" for field in _fields(wanted)}


def _refused(folder: Path, why: str) -> IndexMismatchError:
    return IndexMismatchError(f"index {folder}: {why}; delete the folder to have it built anew")


def _corpus_sha256(corpus: Path) -> str:
    try:
        return file_sha256(corpus)
    except OSError as error:
        raise DatasetError(f"{corpus}: cannot be read: {error.strerror}") from None


def _build(
    folder: Path, wanted: Manifest, retrieval: Retrieval, corpus: Path, embedder: EmbedderSpec
) -> None:
    log.info("building a %s index of %s", retrieval.kind, corpus)
    posts = _read_all(corpus)
    words = None
    if has_keywords(retrieval):
        words = keyword.KeywordIndex.build([keyword.document_terms(post) for post in posts])
    encoded = {field: _encode(field, posts, embedder) for field in vector_fields(retrieval)}
    try:
        with folder_atomically(folder) as work:
            Posts.save(work, posts)
            fingerprints.save(work, fingerprints.of(posts))
            if words:
                words.save(work)
            for field, index in encoded.items():
                index.save(work, field)
            _write_manifest(work, {**wanted, "corpus": corpus.name, "rows": len(posts)})
    except (NotADirectoryError, FileExistsError) as error:
        raise IndexMismatchError(f"no index can be kept at {folder}: {error.strerror}") from None
    log.info("index of %d posts: %s", len(posts), folder)


def _encode(field: Field, posts: list[Post], embedder: EmbedderSpec) -> "VectorIndex":
    """Encode a field of all posts; minutes for tens of thousands on a CPU, so progress is shown."""
    name = sha256(json.dumps(_encoder(embedder), sort_keys=True).encode()).hexdigest()[:12]
    kept = Chunks(cache_folder() / "vectors" / name)
    with progress(f"encoding the {field} of posts", len(posts)) as bar:
        texts = [post.field_text(field) for post in posts]
        return vectors.VectorIndex.build(open_encoder(embedder).encode(texts, bar, kept))


def _write_manifest(work: Path, manifest: Manifest) -> None:
    manifest["files"] = {file.name: file_sha256(file) for file in sorted(work.iterdir())}
    (work / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")


def _read_all(corpus: Path) -> list[Post]:
    posts = []
    with progress("reading posts", _rows(corpus)) as bar:
        for post in read_corpus(corpus):
            posts.append(post)
            if len(posts) % 500 == 0:
                bar.advance(500)
        bar.advance(len(posts) % 500)
    return posts


def _rows(corpus: Path) -> int:
    from graph.support.table_files import read_rows

    return sum(1 for _ in read_rows(corpus))
