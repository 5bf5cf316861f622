"""The encoder's matrix products in 8 bits, by OpenVINO: on a CPU some 1.5 times as fast as bfloat16.

Weights are rounded once, and what they are multiplied with at each call. Both have one scale per
`GROUP` values, those of a row of weights and those of a token, so that a text's vector hardly
depends on the texts beside it. The rest is computed in float32 or bfloat16, as the dtype says.
"""

import logging
import sys
import warnings
from collections.abc import Iterable
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from graph.models.loading import resolve_dtype
from graph.support.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from torch import Tensor

PREFIX = "int8_"
"""What the dtypes that are computed here begin with."""
GROUP = 128
"""Values that share a scale: fewer are more exact, more are faster. Another number makes other vectors
and needs another prefix: the dtype is what the identity of an index holds of it."""
_LARGEST = 127
_HINTS = {"bfloat16": "bf16", "float32": "f32"}


def resolve_encoder_dtype(dtype: str) -> str:
    """Return the dtype that `auto` means for an encoder on this machine.

    8 bits where OpenVINO is installed and the CPU multiplies 8-bit integers (AVX512-VNNI), and
    there is no GPU; else what it means for every model.
    """
    found = resolve_dtype(dtype)
    return PREFIX + found if dtype == "auto" and _pays() else found


def _pays() -> bool:
    import torch

    if torch.cuda.is_available() or find_spec("openvino") is None:
        return False
    return bool(torch.cpu.get_capabilities().get("avx512_vnni"))


class QuantisedEncoder:
    """A sentence-transformers model as OpenVINO runs it: one batch a core at a time."""

    def __init__(self, model: "SentenceTransformer", dtype: str) -> None:
        import torch

        openvino = _import_openvino()
        threads = torch.get_num_threads()
        properties = {
            # A batch that one thread computes has the same bits on any number of cores.
            "NUM_STREAMS": threads,
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": _HINTS[dtype.removeprefix(PREFIX)],
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": GROUP,
        }
        try:
            graph = _rounded(_converted(openvino, model))
            compiled = openvino.Core().compile_model(graph, "CPU", properties)
        # OpenVINO's own errors have no common base but this.
        except Exception as error:
            reason = " ".join(str(error).split())[:300]
            raise ConfigError(
                f"OpenVINO cannot run this encoder, set its dtype to float32: {reason}"
            ) from None
        self._queue = openvino.AsyncInferQueue(compiled, threads)

    def forward(self, batches: "Iterable[dict[str, Tensor]]") -> list[NDArray[np.float32]]:
        """Return the sentence vectors of each batch, not normalised."""
        found: dict[int, NDArray[np.float32]] = {}

        def keep(request: Any, number: int) -> None:
            found[number] = request.get_output_tensor().data.copy()

        self._queue.set_callback(keep)
        for number, batch in enumerate(batches):
            inputs = [batch[name].numpy() for name in ("input_ids", "attention_mask")]
            self._queue.start_async(inputs, number)
        self._queue.wait_all()
        return [found[number] for number in range(len(found))]


def _import_openvino() -> Any:
    """Import OpenVINO with its telemetry left out, which would send at the import, unasked."""
    if "openvino" not in sys.modules:
        sys.modules["openvino_telemetry"] = cast(ModuleType, None)
    try:
        import openvino
    except ImportError:
        raise MissingExtraError(
            "8-bit encoders need OpenVINO: pip install 'opencoder[cpu]'"
        ) from None
    return openvino


def _converted(openvino: Any, model: "SentenceTransformer") -> Any:
    """Trace the model, pooling and all."""
    import torch

    class Traced(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = model

        def forward(self, input_ids: "Tensor", attention_mask: "Tensor") -> "Tensor":
            features = {"input_ids": input_ids, "attention_mask": attention_mask}
            return cast("Tensor", self.inner(features)["sentence_embedding"])

    ids = torch.full((2, 8), 5)
    # Masked in part, since a mask of ones alone is left out of the trace.
    mask = torch.ones_like(ids)
    mask[0, 6:] = 0
    root = logging.getLogger()
    level = root.level
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return openvino.convert_model(
                Traced().eval(), example_input={"input_ids": ids, "attention_mask": mask}
            )
    finally:
        # A conversion that fails leaves everybody's logging at errors alone.
        root.setLevel(level)


def _rounded(graph: Any) -> Any:
    """Put 8-bit weights and their scales in the place of the weights of every matrix product."""
    from openvino import opset13 as op

    for product in graph.get_ordered_ops():
        if product.get_type_name() != "MatMul":
            continue
        source = product.input_value(1).get_node()
        if source.get_type_name() != "Constant" or not product.get_attributes()["transpose_b"]:
            continue
        weights = np.asarray(source.data, dtype=np.float32)
        rows, width = weights.shape
        group = GROUP if width % GROUP == 0 else width
        weights = weights.reshape(rows, -1, group)
        scales = np.maximum(np.abs(weights).max(axis=2, keepdims=True) / _LARGEST, 1e-12)
        rounded = op.convert(op.constant(np.rint(weights / scales).astype(np.int8)), "f32")
        scaled = op.multiply(rounded, op.constant(scales))
        flat = op.reshape(scaled, op.constant(np.array([rows, width])), special_zero=False)
        product.input(1).replace_source_output(flat.output(0))
    return graph
