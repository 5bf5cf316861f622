"""The encoder's matrix products in 8 bits, by OpenVINO: about 1.5 times as fast as bfloat16 on a CPU.

Weights are rounded once, their inputs at each call. Both have one scale for `GROUP` values, of a row
of weights and of a token, so that the other texts of a batch change no scale.
All else is computed in float32 or bfloat16, the second part of the dtype's name.
"""

import logging
import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from graph.models.quiet_loading import import_openvino
from graph.support.errors import ConfigError
from graph.support.text import one_line

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from torch import Tensor

PREFIX = "int8_"
"""The start of the name of each dtype that is computed in 8 bits."""
GROUP = 128
"""Values that share a scale: fewer are more precise, more are faster. Another number changes the vectors
and needs another prefix, since the dtype is all that the identity of an index states of it."""
_LARGEST = 127
_HINTS = {"bfloat16": "bf16", "float32": "f32"}


class QuantisedEncoder:
    """A sentence-transformers model that OpenVINO runs, one batch for each core at a time."""

    def __init__(self, model: "SentenceTransformer", dtype: str) -> None:
        import torch

        openvino = import_openvino()
        threads = torch.get_num_threads()
        properties = {
            # A batch that one thread computes has the same bits on any number of cores.
            "NUM_STREAMS": threads,
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": _HINTS[dtype.removeprefix(PREFIX)],
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": GROUP,
        }
        try:
            graph = _quantise(_trace(openvino, model))
            compiled = openvino.Core().compile_model(graph, "CPU", properties)
        # OpenVINO's own errors have no common base but Exception.
        except Exception as error:
            reason = one_line(error)
            raise ConfigError(
                f"OpenVINO cannot run this encoder, set its dtype to float32: {reason}"
            ) from None
        self._queue = openvino.AsyncInferQueue(compiled, threads)

    def forward(self, batches: "Iterable[dict[str, Tensor]]") -> list[NDArray[np.float32]]:
        """Return the sentence vectors of each batch, shape (texts, dimension), not normalised."""
        outputs: dict[int, NDArray[np.float32]] = {}

        def store(request: Any, position: int) -> None:
            # OpenVINO writes the next result into the same memory.
            outputs[position] = request.get_output_tensor().data.copy()

        self._queue.set_callback(store)
        for position, batch in enumerate(batches):
            inputs = [batch[name].numpy() for name in ("input_ids", "attention_mask")]
            self._queue.start_async(inputs, position)
        self._queue.wait_all()
        return [outputs[position] for position in range(len(outputs))]


def _trace(openvino: Any, model: "SentenceTransformer") -> Any:
    """Convert a model, with its pooling, to OpenVINO's graph."""
    import torch

    class Traced(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = model

        def forward(self, input_ids: "Tensor", attention_mask: "Tensor") -> "Tensor":
            features = {"input_ids": input_ids, "attention_mask": attention_mask}
            return cast("Tensor", self.inner(features)["sentence_embedding"])

    ids = torch.full((2, 8), 5)
    # A mask of ones alone is left out of the trace.
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
        # A conversion that fails leaves the root logger at the level ERROR.
        root.setLevel(level)


def _quantise(graph: Any) -> Any:
    """Replace the weights of every matrix product by 8-bit weights and their scales."""
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
