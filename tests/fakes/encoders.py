"""A sentence encoder without weights: it records its batches, and each text has a vector of its own."""

import re
from threading import Lock
from time import sleep

import torch

MAX_TOKENS = 64
DIMENSION = 16


class Tokenizer:
    """One token a character; refuses to be used by two threads at once, as fast tokenizers do.

    The offsets of tokens are those of pieces of four letters or of one other character, without spaces.
    """

    pattern = re.compile(r"[a-z]{1,4}|[^a-z\s]")

    def __init__(self) -> None:
        self._borrowed = Lock()

    def __call__(self, texts, truncation=False, max_length=None, **options):
        if options.get("return_offsets_mapping"):
            assert not options["add_special_tokens"]
            return {"offset_mapping": [match.span() for match in self.pattern.finditer(texts)]}
        if isinstance(texts, str):
            return {"input_ids": [1, *texts.encode("utf-8")]}
        assert truncation
        if not self._borrowed.acquire(blocking=False):
            raise RuntimeError("Already borrowed")
        try:
            sleep(0.001)  # lets another thread run
            # A real tokenizer takes no lone surrogates either.
            ids = [[1, *text.encode("utf-8")][:max_length] for text in texts]
            return {"input_ids": ids, "attention_mask": [[1] * len(text_ids) for text_ids in ids]}
        finally:
            self._borrowed.release()

    def pad(self, tokens, return_tensors):
        assert return_tensors == "pt"
        width = max(map(len, tokens["input_ids"]))
        return {
            name: torch.tensor([row + [0] * (width - len(row)) for row in rows])
            for name, rows in tokens.items()
        }


class Transformer(torch.nn.Module):
    """Gives every token a vector of its own, in 16 bits."""

    def __init__(self, batches: list[tuple[int, int]]) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.table = torch.randn(256, DIMENSION, generator=generator).bfloat16()
        self.batches = batches

    def forward(self, features):
        self.batches.append(tuple(features["input_ids"].shape))
        return {**features, "token_embeddings": self.table[features["input_ids"]]}


class MeanPooling(torch.nn.Module):
    """Takes the mean over the tokens that are there, as most sentence encoders do."""

    def forward(self, features):
        assert features["token_embeddings"].dtype == torch.float32
        mask = features["attention_mask"].unsqueeze(2)
        total = (features["token_embeddings"] * mask).sum(1)
        return {**features, "sentence_embedding": total / mask.sum(1)}


class StubModel(torch.nn.Sequential):
    """Looks like a SentenceTransformer; `batches` holds (texts, tokens) of each forward pass."""

    def __init__(self) -> None:
        batches: list[tuple[int, int]] = []
        super().__init__(Transformer(batches), MeanPooling())
        self.batches = batches
        self.tokenizer = Tokenizer()
        self.max_seq_length = MAX_TOKENS
        self.device = torch.device("cpu")

    @property
    def encoded(self) -> int:
        """The number of texts encoded so far."""
        return sum(texts for texts, _ in self.batches)
