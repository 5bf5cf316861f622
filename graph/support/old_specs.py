"""Fields of models as older versions stored them, in files of profiles and in manifests."""

from collections.abc import Mapping

_OLD_ENGINES = {"huggingface": "hub", "embedded": "package"}
"""Values that `engine` had while it meant the source of the weights, and those of `weights` today."""


def upgrade_spec(fields: Mapping[str, object], *, embedder: bool = False) -> dict[str, object]:
    """Translate the stored fields of a model or an embedder into the fields of today.

    `engine` used to name the source of the weights. `embedded` now is `weights: package`, and
    `huggingface` is `weights: hub` unless `weights` is stated. Other values and unknown fields
    stay, so that the validation of the spec reports them.

    Args:
        fields: Fields of a `ModelSpec` or an `EmbedderSpec`, as a file or a manifest holds them.
        embedder: True for an `EmbedderSpec`, which has no field `engine` today.
    """
    upgraded = dict(fields)
    engine = upgraded.get("engine")
    if not isinstance(engine, str) or engine not in _OLD_ENGINES:
        return upgraded
    if engine == "embedded" or "weights" not in upgraded:
        upgraded["weights"] = _OLD_ENGINES[engine]
    if embedder:
        del upgraded["engine"]
    else:
        upgraded["engine"] = "huggingface"
    return upgraded
