"""Taking the weights out of a model for storage, and putting random ones back from a seed.

Latency does not depend on the values of weights, with one exception: denormal numbers. So a stored model keeps types
and shapes, and everything whose value steers the computation; see `usage` for what does.
"""

from collections.abc import Iterator
from math import prod, sqrt

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper

from profilers.onnx_graph.constants import element_count, has_values, holds_denormals
from profilers.onnx_graph.dtypes import FLOATS, dtype_name
from profilers.onnx_graph.limits import Limits
from profilers.onnx_graph.parsing import parse_model, walk_graphs
from profilers.onnx_graph.placeholders import Role, mark, role_of
from profilers.onnx_graph.usage import SMALL_WEIGHT, Need, Use, constant_uses
from profilers.schema import InvalidModelError

__all__ = ["refill_weights", "strip_weights"]

_DEFAULT = Limits()
_QUANTISED = frozenset({"int8", "uint8", "int16", "uint16", "int4", "uint4"})
_PACKED = frozenset({"int4", "uint4"})


def strip_weights(model: bytes, *, limits: Limits = _DEFAULT) -> bytes:
    """The model without the values of its weights.

    Float tensors and quantised weights above 16 elements, initializers and Constant nodes alike, become placeholders.
    Everything whose values matter stays: shapes, indices, scales, zero points, and weights that hold denormals.
    The graph hash stays the same.

    Args:
        model: a whole ONNX file.
        limits: caps on it.

    Raises:
        InvalidModelError: as `load_graph`.
    """
    proto = parse_model(model, limits)
    uses = _all_uses(proto)
    for tensor, name in _constants(proto):
        role = role_of(tensor)  # of a model that was refilled
        if role is None and element_count(tensor) > SMALL_WEIGHT and not holds_denormals(tensor):
            role = _strip_role(tensor, uses.get(name))
        if role is not None:
            mark(tensor, role)
    return bytes(proto.SerializeToString())


def refill_weights(model: bytes, seed: int = 0, *, limits: Limits = _DEFAULT) -> bytes:
    """The model with all placeholders filled; one without placeholders comes back as it is.

    The values follow from the seed and the tensor's position alone, by integer arithmetic and exactly rounded
    operations, so that every machine fills in the same bits. They keep their marks: the hash stays the same.

    Args:
        model: a weight-stripped ONNX file.
        seed: of the values.
        limits: caps on the model; `constant_bytes` bounds what is filled in.

    Raises:
        ModelLimitError: the weights would take more than the limits allow.
        InvalidModelError: as `load_graph`, or a placeholder that cannot be filled.
    """
    proto = parse_model(model, limits)
    empty = [(tensor, name) for tensor, name in _constants(proto) if role_of(tensor) and not has_values(tensor)]
    if not empty:
        return model
    _check_sizes([tensor for tensor, _ in empty], limits)
    uses = _all_uses(proto)
    for position, (tensor, name) in enumerate(empty):
        _fill(tensor, uses.get(name), np.random.PCG64(np.random.SeedSequence([seed, position])))
    return bytes(proto.SerializeToString())


def _constants(model: ModelProto) -> Iterator[tuple[TensorProto, str]]:
    """Every initializer and Constant node's tensor with the name it is read by, in the file's order."""
    for graph in walk_graphs(model.graph):
        for tensor in graph.initializer:
            yield tensor, tensor.name
        yield from _constant_nodes(graph.node)
    for function in model.functions:
        yield from _constant_nodes(function.node)


def _constant_nodes(nodes: "list[NodeProto]") -> Iterator[tuple[TensorProto, str]]:
    for node in nodes:
        if node.op_type == "Constant" and node.output:
            for attribute in node.attribute:
                if attribute.name == "value" and attribute.HasField("t"):
                    yield attribute.t, node.output[0]


def _all_uses(model: ModelProto) -> dict[str, Use]:
    """Uses by name; what a local function is called with may be read there in any way."""
    uses = constant_uses(model.graph)
    called = {(function.domain, function.name) for function in model.functions}
    exact = Use(Need.EXACT, Need.EXACT, "normal")
    for graph in walk_graphs(model.graph):
        for node in graph.node:
            if (node.domain, node.op_type) in called:
                uses.update(dict.fromkeys(node.input, exact))
    for function in model.functions:
        for name, use in constant_uses(GraphProto(node=function.node)).items():
            uses[name] = exact if name in uses else use
    return uses


def _strip_role(tensor: TensorProto, use: Use | None) -> Role | None:
    """With what a constant is refilled; None for one that keeps its values."""
    dtype = dtype_name(tensor.data_type)
    if dtype in FLOATS:
        if use is None:
            return "normal"
        return None if use.floats == Need.EXACT else use.role if use.role != "uniform" else "normal"
    quantised = dtype in _QUANTISED and use is not None and use.integers == Need.NOTHING
    return "uniform" if quantised else None


def _check_sizes(tensors: list[TensorProto], limits: Limits) -> None:
    total = 0
    for tensor in tensors:
        size = _bytes(tensor)
        limits.check("tensor_bytes", size, f"bytes in {tensor.name!r}")
        total += size
    limits.check("constant_bytes", total, "bytes of weights to fill in")


def _bytes(tensor: TensorProto) -> int:
    dtype = dtype_name(tensor.data_type)
    if dtype in _PACKED:
        return -(-element_count(tensor) // 2)
    return element_count(tensor) * int(np.dtype(_dtype_of(tensor)).itemsize)


def _dtype_of(tensor: TensorProto) -> "np.dtype[np.generic]":
    if dtype_name(tensor.data_type) not in FLOATS | _QUANTISED:
        raise InvalidModelError(f"The placeholder {tensor.name!r} is neither of a float nor of a quantised type; "
                                "only weights can be left out.")  # fmt: skip
    return helper.tensor_dtype_to_np_dtype(tensor.data_type)


def _fill(tensor: TensorProto, use: Use | None, bits: np.random.PCG64) -> None:
    role, count = role_of(tensor), element_count(tensor)
    dtype = _dtype_of(tensor)
    if dtype_name(tensor.data_type) in _QUANTISED:
        size = _bytes(tensor)
        tensor.raw_data = bits.random_raw(-(-size // 8)).astype("<u8").tobytes()[:size]
        return
    if role == "positive":
        values = _uniform(bits, count) + np.float32(0.5)
    elif role == "scale":
        values = np.float32(1) + np.float32(0.125) * _normal(bits, count)
    else:
        values = _normal(bits, count) * np.float32(_deviation(tensor, use))
    converted = values.astype(dtype)
    tensor.raw_data = converted.astype(dtype.newbyteorder("<")).tobytes() if dtype.kind == "f" else converted.tobytes()


def _uniform(bits: np.random.PCG64, count: int) -> NDArray[np.float32]:
    """Uniform in [0, 1), multiples of 2^-16; float32 (count,)."""
    words = bits.random_raw(-(-count // 4)).astype("<u8").view("<u2")[:count]
    return words.astype(np.float32) * np.float32(2.0**-16)


def _normal(bits: np.random.PCG64, count: int) -> NDArray[np.float32]:
    """Close to standard normal: four uniforms summed (Irwin-Hall), mean 0 and variance 1; float32 (count,).

    Neither logarithm nor square root: the last bit of those differs between machines.
    """
    words = bits.random_raw(count).astype("<u8").view("<u2").reshape(count, 4)
    total = words.sum(axis=1, dtype=np.int32) - np.int32(2 * 65535)
    return np.asarray(total, dtype=np.float32) * np.float32(sqrt(3.0) / 65536)


def _deviation(tensor: TensorProto, use: Use | None) -> float:
    """1/√fan-in where the consumer has one; small for vectors, which are biases, and 1 for tables."""
    dims = list(tensor.dims)
    axes = use.fan_in_axes if use is not None else ()
    sizes = [dims[axis] for axis in axes if -len(dims) <= axis < len(dims)]
    if sizes:
        return 1 / sqrt(max(prod(sizes), 1))
    return 0.0625 if len(dims) < 2 else 1.0
