"""ONNX Runtime's quantisation tools, in a temporary folder and without their chatter."""

import logging
import os
import platform
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import onnx
from onnx import ModelProto, version_converter

from latcast.schema import BackendUnavailableError, InputError, InvalidModelError
from profilers.feeds import feed_specs, make_feeds
from profilers.quantisation.marks import CALIBRATION_FEEDS, INT8_PRECISIONS, MARK, Feeds
from profilers.quantisation.owners import QDQ, rename_additions

__all__ = ["quantise"]

FORMAT = 4
OPSET = 13
"""The first in which quantisation for each channel can be expressed."""

QUANTISED = QDQ | {"DynamicQuantizeLinear", "ConvInteger", "MatMulInteger", "MatMulNBits", "DynamicQuantizeLSTM",
                   "DynamicQuantizeMatMul", "MatMulIntegerToFloat"}  # fmt: skip
CONTROL_FLOW = frozenset({"If", "Loop", "Scan", "SequenceMap"})
WEIGHTED = ("MatMul", "Gemm", "LSTM", "Attention", "Gather", "EmbedLayerNormalization")
"""What ONNX Runtime quantises dynamically to signed weights; of convolutions its kernel wants unsigned ones."""


def quantise(model: bytes, precision: str, feeds: Sequence[Feeds] = ()) -> bytes:
    """The model in eight-bit integers; one that is quantised already stays as it is.

    Args:
        model: a whole ONNX model in float32 with static shapes and with weights.
        precision: one of `INT8_PRECISIONS`.
        feeds: arrays to calibrate `int8_static` by; by default `CALIBRATION_FEEDS` random ones.

    Raises:
        InputError: another precision.
        InvalidModelError: it cannot be quantised, or nothing in it can.
        BackendUnavailableError: ONNX Runtime, whose tools do it, is missing.
    """
    if precision not in INT8_PRECISIONS:
        raise InputError(f"There is no quantisation {precision!r}: choose {' or '.join(INT8_PRECISIONS)}.")
    proto = _parsed(model)
    if not _is_quantised(proto):
        tensors = {name for node in proto.graph.node for name in node.output}
        calibration = feeds or (_random_feeds(model) if precision == "int8_static" else [])
        proto = _quantised(proto, precision, calibration)
        rename_additions(proto.graph, tensors)
    proto.metadata_props.add(key=MARK, value=precision)
    return bytes(proto.SerializeToString())


def _parsed(model: bytes) -> ModelProto:
    try:
        proto = onnx.load_model_from_string(model)
    except Exception as error:  # protobuf's exceptions share no base class
        raise InvalidModelError(f"The model cannot be quantised, for it cannot be read: {error}.") from error
    if not proto.graph.node:
        raise InvalidModelError("The model cannot be quantised: it has no nodes.")
    return proto


def _random_feeds(model: bytes) -> list[Feeds]:
    from profilers.onnx_graph import load_graph

    specs = feed_specs(load_graph(model))
    return [make_feeds(specs, seed) for seed in range(CALIBRATION_FEEDS)]


def _is_quantised(proto: ModelProto) -> bool:
    return any(node.op_type in QUANTISED or node.op_type.startswith("QLinear") for node in proto.graph.node)


def _quantised(proto: ModelProto, precision: str, feeds: Sequence[Feeds]) -> ModelProto:
    with tempfile.TemporaryDirectory(prefix="latcast-") as folder, _quiet_tools():
        try:
            quantised = _Tools(Path(folder)).run(proto, precision, feeds)
        except MemoryError:
            raise
        except Exception as error:  # the tools raise whatever went wrong inside
            words = str(error).strip() or type(error).__name__
            raise InvalidModelError(f"The model cannot be quantised to {precision}: {words}") from error
    if not _is_quantised(quantised):
        operators = ", ".join(sorted({node.op_type for node in proto.graph.node})[:8])
        raise InvalidModelError(f"Nothing in the model can be quantised to {precision}; it consists of {operators}.")
    return quantised


@contextmanager
def _quiet_tools() -> Iterator[None]:
    """They warn of what they were not asked; whatever matters is an exception."""
    runtime, before = _import_runtime(), logging.root.manager.disable
    logging.disable(logging.ERROR)
    runtime.set_default_logger_severity(4)
    try:
        yield
    finally:
        logging.disable(before)
        runtime.set_default_logger_severity(2)


def _import_runtime() -> Any:
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # has to be there before the import
    try:
        import onnxruntime.quantization
    except ImportError as error:
        raise BackendUnavailableError(f"ONNX Runtime's tools cannot be imported: {error}.") from error
    return onnxruntime


class _Tools:
    """ONNX Runtime's quantisation; they want to write files."""

    def __init__(self, folder: Path) -> None:
        self._tools = _import_runtime().quantization
        self._files = (folder / f"{number}.onnx" for number in count())

    def run(self, proto: ModelProto, precision: str, feeds: Sequence[Feeds]) -> ModelProto:
        original, simplified = next(self._files), next(self._files)
        onnx.save_model(_upgraded(proto), original)
        self._tools.quant_pre_process(original, simplified, skip_symbolic_shape=True, skip_onnx_shape=True)
        if precision == "int8_dynamic":
            return onnx.load_model(self._dynamic(simplified, {node.op_type for node in proto.graph.node}))
        return onnx.load_model(self._static(simplified, feeds, has_bodies=_has_bodies(proto)))

    def _dynamic(self, model: Path, present: set[str]) -> Path:
        kinds = self._tools.QuantType
        for operators, weights in ((("Conv",), kinds.QUInt8), (WEIGHTED, kinds.QInt8)):
            if present.intersection(operators):
                quantised = next(self._files)
                self._tools.quantize_dynamic(
                    model, quantised, op_types_to_quantize=list(operators), weight_type=weights
                )
                model = quantised
        return model

    def _static(self, model: Path, feeds: Sequence[Feeds], *, has_bodies: bool) -> Path:
        kinds, quantised = self._tools.QuantType, next(self._files)
        is_arm = platform.machine().lower() in {"aarch64", "arm64"}
        self._tools.quantize_static(
            model,
            quantised,
            _Feeds(feeds),
            per_channel=True,
            activation_type=kinds.QInt8 if is_arm else kinds.QUInt8,
            weight_type=kinds.QInt8,
            # Bodies name tensors of the graph around them, which the tools do not see when they remove a Relu.
            extra_options={"QDQKeepRemovableActivations": has_bodies},
        )
        return quantised


class _Feeds:
    """What the tools call a `CalibrationDataReader`."""

    def __init__(self, feeds: Sequence[Feeds]) -> None:
        self._rest = iter(feeds)

    def get_next(self) -> Feeds | None:
        return next(self._rest, None)


def _upgraded(proto: ModelProto) -> ModelProto:
    """The model with an operator set that quantisation can use, and without weights among its inputs.

    Before version 4 of the format weights had to be inputs as well; the tools would ask for those that they fold away.
    """
    if proto.ir_version < FORMAT:
        constants = {tensor.name for tensor in proto.graph.initializer}
        fed = [value for value in proto.graph.input if value.name not in constants]
        del proto.graph.input[:]
        proto.graph.input.extend(fed)
        proto.ir_version = FORMAT
    version = next((entry.version for entry in proto.opset_import if entry.domain in {"", "ai.onnx"}), OPSET)
    return _converted(proto, version) if version < OPSET else proto


def _converted(proto: ModelProto, version: int) -> ModelProto:
    try:
        return version_converter.convert_version(proto, OPSET)
    except Exception as error:  # onnx raises what its C++ throws
        why = str(error).rpartition(" failed: ")[2]
        raise InvalidModelError(f"it cannot be brought from opset {version} to {OPSET}, which that needs ({why}): "
                                f"export it with opset {OPSET} or newer.") from error  # fmt: skip


def _has_bodies(proto: ModelProto) -> bool:
    return any(node.op_type in CONTROL_FLOW for node in proto.graph.node)
