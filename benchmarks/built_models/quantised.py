"""Networks out of ONNX Runtime's quantisers, without the pre-processing that few people run."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx

from benchmarks.built_models import exported
from benchmarks.built_models.network import Builder, Built

__all__ = ["NETWORKS"]

_SAMPLES = 2


def _reader(model: onnx.ModelProto) -> Any:
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            rng, (info,) = np.random.default_rng(0), model.graph.input
            shape = [dim.dim_value for dim in info.type.tensor_type.shape.dim]
            feeds = [{info.name: rng.standard_normal(shape).astype(np.float32)} for _ in range(_SAMPLES)]
            self._feeds = iter(feeds)

        def get_next(self) -> Any:
            return next(self._feeds, None)

    return Reader()


def _static(model: onnx.ModelProto, kind: str, activations: str, weights: str, *, per_channel: bool = False) -> Built:
    """`quantize_static` on the model as it was exported."""
    from onnxruntime import quantization as tools

    with TemporaryDirectory() as folder:
        before, after = Path(folder) / "float.onnx", Path(folder) / "quantised.onnx"
        onnx.save_model(model, before)
        tools.quantize_static(
            before, after, _reader(model), quant_format=tools.QuantFormat[kind], per_channel=per_channel,
            activation_type=tools.QuantType[activations], weight_type=tools.QuantType[weights],
        )  # fmt: skip
        return Built(model=onnx.load_model(after))


def _dynamic(model: onnx.ModelProto) -> Built:
    from onnxruntime import quantization as tools

    with TemporaryDirectory() as folder:
        before, after = Path(folder) / "float.onnx", Path(folder) / "quantised.onnx"
        onnx.save_model(model, before)
        tools.quantize_dynamic(before, after)
        return Built(model=onnx.load_model(after))


def _few_bits(model: onnx.ModelProto) -> Built:
    """Weights of 4 bits in blocks, by the runtime's own operator."""
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    quantiser = MatMulNBitsQuantizer(model, block_size=32, is_symmetric=True)
    quantiser.process()
    return Built(model=quantiser.model.model)


NETWORKS: Mapping[str, Builder] = {
    "residual-qdq": lambda: _static(exported.residual(), "QDQ", "QInt8", "QInt8"),
    "residual-qdq-identity": lambda: _static(exported.residual(scripted=True), "QDQ", "QUInt8", "QInt8"),
    "residual-qdq-per-channel": lambda: _static(exported.residual(), "QDQ", "QUInt8", "QInt8", per_channel=True),
    "residual-qdq-uint8": lambda: _static(exported.residual(), "QDQ", "QUInt8", "QUInt8"),
    "residual-qoperator": lambda: _static(exported.residual(), "QOperator", "QUInt8", "QUInt8"),
    "encoder-qdq": lambda: _static(exported.encoder(), "QDQ", "QUInt8", "QInt8"),
    "encoder-dynamic": lambda: _dynamic(exported.encoder(32)),
    "encoder-four-bits": lambda: _few_bits(exported.encoder(16)),
}
