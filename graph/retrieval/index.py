"""Indexes on disk: built once, reopened without encoding, refused when anything does not match."""

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from graph.errors import DatasetError, IndexMismatchError
from graph.models import embedded
from graph.models.huggingface import resolve_dtype
from graph.progress import progress
from graph.retrieval import keyword, semantic
from graph.retrieval.documents import Post, read_corpus
from graph.retrieval.encoder import open_encoder
from graph.schema import EmbedderSpec
from graph.storage import cache_folder, file_sha256, folder_atomically

if TYPE_CHECKING:
    from graph.retrieval.keyword import KeywordIndex
    from graph.retrieval.semantic import SemanticIndex

log = logging.getLogger("opencoder")
FORMAT = 1
"""Count up when the files of an index change their meaning."""

FILES = {
    "keyword": {"posts.jsonl", *keyword.FILES},
    "semantic": {"posts.jsonl", *semantic.FILES},
}
"""What an index of each kind holds beside its manifest."""

Manifest = dict[str, object]


def identity(kind: str, corpus: Path, embedder: EmbedderSpec) -> Manifest:
    """Return what an index of this corpus must be: every field is compared when it is opened."""
    common: Manifest = {
        "format": FORMAT,
        "kind": kind,
        "corpus_sha256": _corpus_sha256(corpus),
    }
    if kind == "keyword":
        return {**common, "parameters": keyword.PARAMETERS}
    local = embedder.engine == "embedded"
    return {
        **common,
        "parameters": semantic.PARAMETERS,
        "encoder": embedder.model,
        "encoder_revision": embedded.revision(embedder.model) if local else embedder.revision,
        "encoder_dtype": resolve_dtype(embedder.dtype),
    }


def default_folder(wanted: Manifest, corpus: Path) -> Path:
    """Return where an index is kept: its name says what it is of."""
    from hashlib import sha256

    digest = sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()[:12]
    stem = "".join(c if c.isascii() and c.isalnum() else "_" for c in corpus.name.split(".")[0])
    return cache_folder() / "indexes" / f"{stem[:40]}-{wanted['kind']}-{digest}"


def build_or_verify(
    kind: str, corpus: Path, embedder: EmbedderSpec, folder: Path | None = None
) -> Path:
    """Return the folder of a whole index of this corpus, building it if there is none.

    Raises:
        IndexMismatchError: there is one, but of something else, or it is damaged.
        DatasetError: the corpus cannot be read.
    """
    wanted = identity(kind, corpus, embedder)
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
        _build(folder, wanted, corpus, embedder)
    return folder


def verify(folder: Path, wanted: Manifest) -> None:
    """Refuse an index that is not exactly the wanted one, or that is damaged."""
    try:
        found = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        files = dict(found["files"])
    except (OSError, ValueError, KeyError, TypeError):
        raise _refused(folder, "its manifest cannot be read") from None
    for field, value in wanted.items():
        if found.get(field) != value:
            raise _refused(folder, f"its {field} is {found.get(field)!r}, wanted is {value!r}")
    if set(files) != FILES[str(wanted["kind"])]:
        raise _refused(folder, "its list of files is not that of such an index")
    for name, digest in files.items():
        path = folder / Path(str(name)).name
        if not path.is_file() or file_sha256(path) != digest:
            raise _refused(folder, f"its file {path.name} is missing or damaged")


def read_posts(folder: Path) -> list[bytes]:
    """Return the stored posts as lines, to be parsed when they are needed."""
    return (folder / "posts.jsonl").read_bytes().split(b"\n")[:-1]


def open_search(kind: str, folder: Path, embedder: EmbedderSpec) -> "KeywordIndex | SemanticIndex":
    """Open a verified index for searching."""
    if kind == "keyword":
        return keyword.KeywordIndex.open(folder)
    return semantic.SemanticIndex.open(folder, open_encoder(embedder))


def _refused(folder: Path, why: str) -> IndexMismatchError:
    return IndexMismatchError(f"index {folder}: {why}; delete the folder to have it built anew")


def _corpus_sha256(corpus: Path) -> str:
    try:
        return file_sha256(corpus)
    except OSError as error:
        raise DatasetError(f"{corpus}: cannot be read: {error.strerror}") from None


def _build(folder: Path, wanted: Manifest, corpus: Path, embedder: EmbedderSpec) -> None:
    log.info("building a %s index of %s", wanted["kind"], corpus)
    posts = _read_all(corpus)
    texts = [post.search_text for post in posts]
    built: KeywordIndex | SemanticIndex
    if wanted["kind"] == "keyword":
        built = keyword.KeywordIndex.build(texts)
    else:
        built = semantic.SemanticIndex.build(texts, open_encoder(embedder))
    try:
        with folder_atomically(folder) as work:
            _write(work, built, posts, {**wanted, "corpus": corpus.name, "rows": len(posts)})
    except (NotADirectoryError, FileExistsError) as error:
        raise IndexMismatchError(f"no index can be kept at {folder}: {error.strerror}") from None
    log.info("index of %d posts: %s", len(posts), folder)


def _write(
    work: Path, built: "KeywordIndex | SemanticIndex", posts: list[Post], manifest: Manifest
) -> None:
    built.save(work)
    lines = "".join(post.to_json() + "\n" for post in posts)
    (work / "posts.jsonl").write_text(lines, encoding="utf-8")
    manifest["files"] = {file.name: file_sha256(file) for file in sorted(work.iterdir())}
    (work / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")


def _read_all(corpus: Path) -> list[Post]:
    posts = []
    with progress("reading posts", _rows(corpus)) as bar:
        for post in read_corpus(corpus):
            posts.append(post)
            if len(posts) % 500 == 0:
                bar.advance(500)
    return posts


def _rows(corpus: Path) -> int:
    from graph.retrieval.tables import read_rows

    return sum(1 for _ in read_rows(corpus))
