"""Real subword tokenizers, trained on the documents of the project in less than a second."""

from collections.abc import Sequence
from functools import cache

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from tests.fakes.project_files import ROOT

_WORDS_AND_LINES = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
"""How Qwen and Llama 3 split a text: line feeds join the signs before them."""

KINDS = ("gpt2", "qwen", "sentencepiece", "characters")


@cache
def subword_tokenizer(kind: str) -> Tokenizer:
    """Train a tokenizer that splits texts as a family of models does."""
    texts = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("*.md"))]
    if kind == "sentencepiece":
        tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>"))
        # SentencePiece reads a line feed as a byte, which joins no other.
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Split("\n", "isolated"), pre_tokenizers.Metaspace()]
        )
        tokenizer.decoder = decoders.Metaspace()
        alphabet: Sequence[str] = []
    else:
        tokenizer = Tokenizer(models.BPE())
        tokenizer.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        splits = {
            "gpt2": [pre_tokenizers.ByteLevel(add_prefix_space=False)],
            "qwen": [
                pre_tokenizers.Split(Regex(_WORDS_AND_LINES), "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ],
            "characters": [pre_tokenizers.ByteLevel(add_prefix_space=False)],
        }
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(splits[kind])
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            # Without merges a token is a byte.
            vocab_size=256 if kind == "characters" else 2_000,
            initial_alphabet=list(alphabet),
            special_tokens=["<unk>", "<|im_start|>", "<|im_end|>"],
            show_progress=False,
        ),
    )
    return tokenizer
