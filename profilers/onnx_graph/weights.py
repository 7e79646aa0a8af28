"""Taking the weights out of a model for storage, and putting random ones back from a seed.

Latency does not depend on the values of weights, with one exception: denormal numbers. So a stored model keeps types
and shapes, and everything whose value steers the computation; see `usage` for what does.
"""

from collections.abc import Iterator, Sequence
from math import prod, sqrt

import numpy as np
from numpy.typing import NDArray
from onnx import helper

from latcast.schema import InvalidModelError
from profilers.onnx_graph.binding import Dims, Shapes, bind_inputs, forget_shapes
from profilers.onnx_graph.comments import drop_comments
from profilers.onnx_graph.constants import holds_denormals
from profilers.onnx_graph.dtypes import FLOATS
from profilers.onnx_graph.limits import Limits
from profilers.onnx_graph.parsing import parse_model
from profilers.onnx_graph.placeholders import Role, mark
from profilers.onnx_graph.source import Source, SourceNode, SourceTensor, walk_graphs
from profilers.onnx_graph.usage import SMALL_WEIGHT, Need, Use, constant_uses, function_uses

__all__ = ["refill_weights", "strip_weights"]

_DEFAULT = Limits()
_QUANTISED = frozenset({"int8", "uint8", "int16", "uint16", "int4", "uint4"})
_PACKED = frozenset({"int4", "uint4"})


def strip_weights(
    model: bytes, *, shapes: Shapes | None = None, dims: Dims | None = None, limits: Limits = _DEFAULT
) -> bytes:
    """The model without the values of its weights.

    Float tensors and quantised weights above 16 elements, initializers and Constant nodes alike, become placeholders.
    Everything whose values matter stays: shapes, indices, scales, zero points, and weights that hold denormals.
    The graph hash stays the same. Comments go too (`profilers.onnx_graph.comments`).

    Args:
        model: a whole ONNX file.
        shapes: to bind as well, see `bind_shapes`; dynamic dimensions stay where it and `dims` are left out.
        dims: to bind as well.
        limits: caps on it.

    Raises:
        InvalidModelError: as `load_graph`.
    """
    source = parse_model(model, limits)
    if shapes or dims:
        bind_inputs(source.graph.fed, shapes, dims)
        forget_shapes(source)
    drop_comments(source)
    uses = _all_uses(source)
    for tensor, name in _constants(source):
        role = tensor.role  # of a model that was refilled
        if role is None and tensor.elements > SMALL_WEIGHT and not holds_denormals(tensor.proto):
            role = strip_role(tensor, uses.get(name))
        if role is not None:
            mark(tensor.proto, role)
    return bytes(source.proto.SerializeToString())


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
    source = parse_model(model, limits)
    empty = [(tensor, name) for tensor, name in _constants(source) if tensor.role and not tensor.filled]
    if not empty:
        return model
    _check_sizes([tensor for tensor, _ in empty], limits)
    uses = _all_uses(source)
    for position, (tensor, name) in enumerate(empty):
        _fill(tensor, uses.get(name), np.random.PCG64(np.random.SeedSequence([seed, position])))
    return bytes(source.proto.SerializeToString())


def _constants(source: Source) -> Iterator[tuple[SourceTensor, str]]:
    """Every initializer and Constant node's tensor with the name it is read by, in the file's order."""
    for graph in walk_graphs(source.graph):
        for tensor in graph.tensors:
            yield tensor, tensor.name
        yield from _constant_nodes(graph.nodes)
    for function in source.functions:
        yield from _constant_nodes(function.nodes)


def _constant_nodes(nodes: Sequence[SourceNode]) -> Iterator[tuple[SourceTensor, str]]:
    for node in nodes:
        tensor = node.operation.tensors.get("value") if node.operation.operator == "Constant" else None
        if tensor is not None and node.outputs:
            yield tensor, node.outputs[0]


def _all_uses(source: Source) -> dict[str, Use]:
    """Uses by name; what a local function is called with may be read there in any way."""
    uses = constant_uses(source.graph)
    called = {(function.proto.domain, function.proto.name) for function in source.functions}
    exact = Use(Need.EXACT, Need.EXACT, "normal")
    for graph in walk_graphs(source.graph) if called else ():
        for node in graph.nodes:
            if (node.proto.domain, node.operation.operator) in called:
                uses.update(dict.fromkeys(node.inputs, exact))
    for function in source.functions:
        for name, use in function_uses(function.nodes).items():
            uses[name] = exact if name in uses else use
    return uses


def strip_role(tensor: SourceTensor, use: Use | None) -> Role | None:
    """With what a constant is refilled; None for one that keeps its values."""
    if tensor.is_float:
        if use is None:
            return "normal"
        return None if use.floats == Need.EXACT else use.role if use.role != "uniform" else "normal"
    quantised = tensor.dtype in _QUANTISED and use is not None and use.integers == Need.NOTHING
    return "uniform" if quantised else None


def _check_sizes(tensors: list[SourceTensor], limits: Limits) -> None:
    total = 0
    for tensor in tensors:
        size = _bytes(tensor)
        limits.check("tensor_bytes", size, f"bytes in {tensor.name!r}")
        total += size
    limits.check("constant_bytes", total, "bytes of weights to fill in")


def _bytes(tensor: SourceTensor) -> int:
    if tensor.dtype in _PACKED:
        return -(-tensor.elements // 2)
    return tensor.elements * int(np.dtype(_dtype_of(tensor)).itemsize)


def _dtype_of(tensor: SourceTensor) -> "np.dtype[np.generic]":
    if tensor.dtype not in FLOATS | _QUANTISED:
        raise InvalidModelError(f"The placeholder {tensor.name!r} is neither of a float nor of a quantised type; "
                                "only weights can be left out.")  # fmt: skip
    return helper.tensor_dtype_to_np_dtype(tensor.proto.data_type)


def _fill(tensor: SourceTensor, use: Use | None, bits: np.random.PCG64) -> None:
    role, count = tensor.role, tensor.elements
    dtype = _dtype_of(tensor)
    if tensor.dtype in _QUANTISED:
        size = _bytes(tensor)
        tensor.proto.raw_data = bits.random_raw(-(-size // 8)).astype("<u8").tobytes()[:size]
        return
    if role == "positive":
        values = _uniform(bits, count) + np.float32(0.5)
    elif role == "scale":
        values = np.float32(1) + np.float32(0.125) * _normal(bits, count)
    else:
        values = _normal(bits, count) * np.float32(_deviation(tensor, use))
    converted = values.astype(dtype)
    raw = converted.astype(dtype.newbyteorder("<")).tobytes() if dtype.kind == "f" else converted.tobytes()
    tensor.proto.raw_data = raw


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


def _deviation(tensor: SourceTensor, use: Use | None) -> float:
    """1/√fan-in where the consumer has one; small for vectors, which are biases, and 1 for tables."""
    dims = tensor.dims
    axes = use.fan_in_axes if use is not None else ()
    sizes = [dims[axis] for axis in axes if -len(dims) <= axis < len(dims)]
    if sizes:
        return 1 / sqrt(max(prod(sizes), 1))
    return 0.0625 if len(dims) < 2 else 1.0
