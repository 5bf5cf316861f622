"""A sentence encoder without weights: it records its passes, and each text has a vector of its own."""

import re
from threading import Lock
from time import sleep

import torch

MAX_TOKENS = 64
DIMENSION = 16


class Tokenizer:
    """One token a character; its offsets are those of pieces of four letters or one other character."""

    pattern = re.compile(r"[a-z]{1,4}|[^a-z\s]")
    padding_side = "right"
    pad_token_id = 0

    def __call__(self, text, **options):
        if options.get("return_offsets_mapping"):
            assert not options["add_special_tokens"]
            return {"offset_mapping": [match.span() for match in self.pattern.finditer(text)]}
        return {"input_ids": [1, *text.encode("utf-8")]}


class Transformer(torch.nn.Module):
    """Gives every token a vector of its own, in 16 bits."""

    def __init__(self, passes: list[tuple[int, int]]) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.table = torch.randn(256, DIMENSION, generator=generator).bfloat16()
        self.passes = passes

    def forward(self, features):
        self.passes.append(tuple(features["input_ids"].shape))
        return {**features, "token_embeddings": self.table[features["input_ids"]]}


class MeanPooling(torch.nn.Module):
    """Takes the mean over the tokens that are there, as most sentence encoders do."""

    def forward(self, features):
        assert features["token_embeddings"].dtype == torch.float32
        mask = features["attention_mask"].unsqueeze(2)
        total = (features["token_embeddings"] * mask).sum(1)
        return {**features, "sentence_embedding": total / mask.sum(1)}


class StubModel(torch.nn.Sequential):
    """Looks like a SentenceTransformer; refuses to be used by two threads at once, as fast tokenizers do."""

    def __init__(self) -> None:
        passes: list[tuple[int, int]] = []
        super().__init__(Transformer(passes), MeanPooling())
        self.passes = passes
        """Rows and tokens of each pass."""
        self.texts: list[str] = []
        """The texts that were encoded."""
        self.tokenizer = Tokenizer()
        self.max_seq_length = MAX_TOKENS
        self.truncate_dim = None
        self.device = torch.device("cpu")
        self._borrowed = Lock()

    def preprocess(self, texts, prompt, task):
        assert task in ("document", "query")
        if not self._borrowed.acquire(blocking=False):
            raise RuntimeError("Already borrowed")
        try:
            sleep(0.001)  # lets another thread run
            self.texts += texts
            # A real tokenizer takes no lone surrogates either.
            rows = [[1, *f"{prompt}{text}".encode()][: self.max_seq_length] for text in texts]
        finally:
            self._borrowed.release()
        width = max(map(len, rows))
        return {
            "input_ids": torch.tensor([row + [0] * (width - len(row)) for row in rows]),
            "attention_mask": torch.tensor(
                [[1] * len(row) + [0] * (width - len(row)) for row in rows]
            ),
            "modality": "text",
        }
