"""Models of transformers without weights: what the cache of model calls reads of them."""

from types import SimpleNamespace

from graph.models.loading import TorchModel
from graph.schema import ModelSpec


def weightless_model(spec: ModelSpec, **changes: object) -> TorchModel:
    """Return a model that has an identity and nothing to run; changes replace its fields."""
    fields = {
        "config": SimpleNamespace(_commit_hash=None),
        "dtype": "torch.float32",
        "device": SimpleNamespace(type="cpu"),
        **changes,
    }
    return TorchModel(
        spec=spec,
        tokenizer=None,
        window=2048,
        control_tokens=(),
        model=SimpleNamespace(**fields),
        pipeline=None,
    )
