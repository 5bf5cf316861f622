"""The prompts of an encoder's own configuration, on tiny checkpoints of random weights."""

import json
from pathlib import Path

import numpy as np
import pytest

from graph.models import packaged
from graph.retrieval import open_retriever
from graph.retrieval.corpus import read_corpus
from graph.retrieval.encoder import Encoder, encoder_identity, encoder_prompts
from graph.retrieval.encoder_configuration import read_modules, read_prompts
from graph.retrieval.index import identity
from graph.schema import EmbedderSpec, Retrieval
from graph.support.errors import ConfigError, IndexMismatchError
from tests.fakes.corpora import SUBJECTS, small_corpus
from tests.integration.checkpoints import make_bert, make_word_tokenizer

TEXTS = ["copy a nested list", "sort", "", "read a file line by line and join lines in sql"]
PROMPTS = {"query": "query: ", "document": "passage: "}


@pytest.fixture(autouse=True)
def _own_indexes(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENCODER_CACHE", str(tmp_path / "cache"))


def save_encoder(folder, prompts=None, *, include_prompt=True, is_static=False):
    """Save a tiny sentence encoder with these prompts; return its spec and the library's own model."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling, StaticEmbedding

    if is_static:
        torch.manual_seed(0)
        modules = [StaticEmbedding(make_word_tokenizer(), embedding_dim=16)]
    else:
        make_bert(folder / "bert", "BertModel")
        transformer = Transformer(str(folder / "bert"))
        width = transformer.get_embedding_dimension()
        modules = [transformer, Pooling(width, "mean", include_prompt=include_prompt)]
    SentenceTransformer(modules=modules, prompts=prompts, device="cpu").save(str(folder / "model"))
    spec = EmbedderSpec(model=str(folder / "model"), dtype="float32")
    return spec, SentenceTransformer(str(folder / "model"), device="cpu")


def write_prompts(spec, prompts):
    """Write the prompts as the files of published encoders hold them."""
    file = Path(spec.model) / "config_sentence_transformers.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**config, "prompts": prompts}), encoding="utf-8")
    read_prompts.cache_clear()


@pytest.mark.parametrize("is_static", [False, True])
@pytest.mark.parametrize("include_prompt", [True, False])
def test_documents_and_queries_are_encoded_as_sentence_transformers_does(
    tmp_path, is_static, include_prompt
):
    spec, model = save_encoder(
        tmp_path, PROMPTS, include_prompt=include_prompt, is_static=is_static
    )
    encoder = Encoder(spec)
    documents, queries = encoder.encode(TEXTS), encoder.encode_queries(TEXTS)
    expected = model.encode_document(TEXTS, normalize_embeddings=True)
    assert documents == pytest.approx(expected, abs=1e-5)
    assert queries == pytest.approx(model.encode_query(TEXTS, normalize_embeddings=True), abs=1e-5)
    plain = model.encode(TEXTS, normalize_embeddings=True)
    assert np.abs(documents - plain).max() > 0.01
    assert np.abs(queries - documents).max() > 0.01


@pytest.mark.parametrize(
    ("prompts", "document", "query"),
    [
        ({"query": "query: ", "passage": "passage: "}, "passage: ", "query: "),
        ({"query": "instruct query: ", "document": ""}, "", "instruct query: "),
        ({"query": "query: ", "corpus": "passage: "}, "passage: ", "query: "),
        ({"clustering": "query: "}, "", ""),
        ({"query": None, "document": None}, "", ""),
        ({}, "", ""),
    ],
)
def test_prompts_of_published_forms_are_read(tmp_path, prompts, document, query):
    spec, model = save_encoder(tmp_path)
    write_prompts(spec, prompts)
    assert encoder_prompts(spec) == (document, query)
    encoder = Encoder(spec)
    expected = model.encode([document + text for text in TEXTS], normalize_embeddings=True)
    assert encoder.encode(TEXTS) == pytest.approx(expected, abs=1e-5)
    expected = model.encode([query + text for text in TEXTS], normalize_embeddings=True)
    assert encoder.encode_queries(TEXTS) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("content", ["[1]", '{"prompts": [1]}', '{"prompts": null}', "{", "\u00ff"])
def test_a_configuration_that_cannot_be_read_is_one_line(tmp_path, content):
    (tmp_path / "config_sentence_transformers.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(ConfigError, match="cannot load the prompts of the encoder") as caught:
        encoder_prompts(EmbedderSpec(model=str(tmp_path)))
    assert "\n" not in str(caught.value)


def test_other_prompts_make_another_index(tmp_path):
    spec, _ = save_encoder(tmp_path, PROMPTS)
    corpus = small_corpus(tmp_path / "c.csv")
    retrieval, folder = Retrieval(kind="semantic"), tmp_path / "index"
    assert identity(retrieval, corpus, spec)["encoder_prompts"] == PROMPTS
    opened = open_retriever(retrieval, spec, corpus=corpus, folder=folder)
    assert len(opened.invoke(SUBJECTS[0])) == 5
    write_prompts(spec, {"query": "instruct: "})
    with pytest.raises(IndexMismatchError, match="its encoder_prompts is"):
        open_retriever(retrieval, spec, corpus=corpus, folder=folder).open()


def test_a_static_encoder_ranks_posts(tmp_path):
    spec, _ = save_encoder(tmp_path, is_static=True)
    corpus = small_corpus(tmp_path / "c.csv")
    opened = open_retriever(Retrieval(kind="semantic"), spec, corpus=corpus)
    encoder = Encoder(spec)
    texts = [post.field_text("question") for post in read_corpus(corpus)]
    cosines = encoder.encode(texts) @ encoder.encode_queries([SUBJECTS[0]])[0]
    best = [str(row + 1) for row in np.argsort(-cosines)[:5]]
    documents = opened.invoke(SUBJECTS[0])
    assert [document.metadata["question_id"] for document in documents] == best


@pytest.mark.usefixtures("embedded_models")
def test_minilm_with_prompts_has_the_vectors_of_sentence_transformers(tmp_path):
    from sentence_transformers import SentenceTransformer

    source = str(packaged.model_folder("all-MiniLM-L6-v2"))
    plain = SentenceTransformer(source, local_files_only=True, prompts=PROMPTS, device="cpu")
    plain.save(str(tmp_path / "model"))
    model = SentenceTransformer(str(tmp_path / "model"), device="cpu")
    encoder = Encoder(EmbedderSpec(model=str(tmp_path / "model"), dtype="float32"))
    texts = [*TEXTS, "def f(x):\n    return x  # KeyError" * 40, "naïve 日本語 \u200b"]
    for ours, library in (
        (encoder.encode(texts), model.encode_document(texts, normalize_embeddings=True)),
        (encoder.encode_queries(texts), model.encode_query(texts, normalize_embeddings=True)),
    ):
        assert (ours * library).sum(axis=1).min() > 0.9999
    unprompted = model.encode(texts, normalize_embeddings=True)
    assert (encoder.encode(texts) * unprompted).sum(axis=1).min() < 0.99


@pytest.mark.parametrize("pooling", ["cls", "max", "mean_sqrt_len_tokens", "lasttoken"])
@pytest.mark.parametrize("padding_side", ["right", "left"])
def test_pooling_normalisation_and_size_are_those_of_the_configuration(
    tmp_path, pooling, padding_side
):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Dense, Normalize, Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling

    make_bert(tmp_path / "bert", "BertModel")
    transformer = Transformer(str(tmp_path / "bert"), max_seq_length=13)
    transformer.tokenizer.padding_side = padding_side
    width = transformer.get_embedding_dimension()
    modules = [transformer, Pooling(width, pooling), Normalize(), Dense(width, 12)]
    folder = str(tmp_path / "model")
    SentenceTransformer(modules=modules, device="cpu", truncate_dim=8).save(folder)
    model = SentenceTransformer(folder, device="cpu")
    spec = EmbedderSpec(model=folder, dtype="float32")
    texts = [*TEXTS, "read a file " * 20]
    vectors = Encoder(spec).encode(texts)
    assert vectors.shape == (len(texts), 8)
    assert vectors == pytest.approx(model.encode(texts, normalize_embeddings=True), abs=1e-5)
    recorded = encoder_identity(spec)["encoder_modules"]
    assert [module["type"] for module in recorded] == [
        "Transformer",
        "Pooling",
        "Normalize",
        "Dense",
    ]
    assert pooling in json.dumps(recorded[1])


def test_another_pooling_makes_another_index(tmp_path):
    spec, _ = save_encoder(tmp_path)
    before = encoder_identity(spec)
    file = Path(spec.model) / "1_Pooling" / "config.json"
    changed = file.read_text(encoding="utf-8").replace('"mean"', '"max"')
    file.write_text(changed, encoding="utf-8")
    read_modules.cache_clear()
    after = encoder_identity(spec)
    assert {name for name in after if after[name] != before[name]} == {"encoder_modules"}


@pytest.mark.parametrize("content", ["{}", "[1]", "{", "null"])
def test_a_list_of_modules_that_cannot_be_read_is_one_line(tmp_path, content):
    (tmp_path / "modules.json").write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match="cannot load the modules of the encoder") as caught:
        read_modules(str(tmp_path), None)
    assert "\n" not in str(caught.value)


def test_a_model_of_model2vec_works_with_modules_and_is_refused_in_one_line_without(tmp_path):
    import torch
    from safetensors.torch import save_file

    tokenizer = make_word_tokenizer()._tokenizer
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    table = torch.randn(tokenizer.get_vocab_size(), 16)
    save_file({"embeddings": table}, str(tmp_path / "model.safetensors"))
    config = json.dumps({"model_type": "model2vec", "architectures": ["StaticModel"]})
    (tmp_path / "config.json").write_text(config, encoding="utf-8")
    spec = EmbedderSpec(model=str(tmp_path), dtype="float32")
    with pytest.raises(ConfigError, match="cannot load the encoder") as caught:
        Encoder(spec).encode(TEXTS)
    assert "\n" not in str(caught.value)
    module = {"idx": 0, "path": ".", "type": "sentence_transformers.models.StaticEmbedding"}
    modules = json.dumps([{**module, "name": "0"}])
    (tmp_path / "modules.json").write_text(modules, encoding="utf-8")
    [copy_vector] = Encoder(spec).encode(["copy"])
    expected = table[tokenizer.encode("copy", add_special_tokens=False).ids].mean(dim=0).numpy()
    assert copy_vector == pytest.approx(expected / np.linalg.norm(expected), abs=1e-5)


def test_an_encoder_that_leaves_out_its_prompt_is_refused_in_8_bits(tmp_path):
    spec, _ = save_encoder(tmp_path, PROMPTS, include_prompt=False)
    encoder = Encoder(spec.model_copy(update={"dtype": "int8_float32"}))
    with pytest.raises(ConfigError, match="set its dtype to float32"):
        encoder.encode(TEXTS)
