"""Taking the weights out of a model for storage, and putting random ones back from a seed.

Latency does not depend on the values of weights, with one exception: denormal numbers, which are refilled with normal
ones as all others are, so that one graph has one latency. A stored model keeps types and shapes, and everything whose
value steers the computation: `latcast.onnx_files.usage` says what does.
"""

from collections.abc import Iterator
from io import BytesIO
from math import ceil, prod, sqrt
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from onnx import helper

from latcast.onnx_files.records import read_record
from latcast.onnx_files.usage import FLOATS, QUANTISED, Use, constants_of, model_uses, stripped_role, values_matter
from latcast.onnx_files.wire import Bytes, Edit, Parts, edited_parts, field_of, write
from latcast.schema import DTYPE_BYTES, InvalidModelError
from profilers.onnx_graph.binding import Dims, Shapes, bind_inputs, forget_shapes
from profilers.onnx_graph.comments import drop_comments
from profilers.onnx_graph.constants import flush_denormals, holds_denormals
from profilers.onnx_graph.limits import Limits
from profilers.onnx_graph.normal_form import make_readable, name_nodes, set_format
from profilers.onnx_graph.parsing import parse_model
from profilers.onnx_graph.placeholders import mark
from profilers.onnx_graph.source import SourceTensor

__all__ = ["refill_weights", "strip_weights", "write_refilled"]

_DEFAULT = Limits()
_RAW_DATA = 9
"""Number of the field of `TensorProto` that holds values as bytes."""
_PIECE = 2**18
"""Values that are made at a time; a multiple of 8, for a word of the generator makes as many bytes."""


def strip_weights(
    model: bytes, *, shapes: Shapes | None = None, dims: Dims | None = None, limits: Limits = _DEFAULT
) -> bytes:
    """The model without the values of its weights.

    Float tensors and quantised weights above 16 elements, initializers and Constant nodes alike, become placeholders.
    Everything whose values matter stays: shapes, indices, scales, zero points. So do small tensors whose values do not,
    but denormal ones among these become zero: the hash does not tell them apart, and they are slow.
    The graph hash stays the same. Comments go too (`profilers.onnx_graph.comments`), and names of nodes and the file's
    format get one form (`profilers.onnx_graph.normal_form`).

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
    name_nodes(source)
    set_format(source)
    uses = model_uses(source.graph, source.functions)
    for tensor, name in constants_of(source.graph, source.functions):
        role = stripped_role(tensor, uses.get(name))
        if role is not None:
            mark(tensor.proto, role)
        elif tensor.filled and not values_matter(tensor, uses.get(name)) and holds_denormals(tensor.proto):
            flush_denormals(tensor.proto)
    return bytes(source.proto.SerializeToString())


def refill_weights(model: bytes, seed: int = 0, *, limits: Limits = _DEFAULT) -> bytes:
    """What `write_refilled` writes, in one piece; a model that needs nothing comes back as it is."""
    parts = _refilled(model, seed, limits)
    if len(parts) == 1 and isinstance(parts[0], bytes):
        return parts[0]
    whole = BytesIO()  # grows in place, and gives its buffer away
    write(parts, whole)
    return whole.getvalue()


def write_refilled(model: bytes, out: BinaryIO, seed: int = 0, *, limits: Limits = _DEFAULT) -> None:
    """Write the model with all placeholders filled; one without is written as it is, where runtimes can read it.

    The values follow from the seed and the tensor's position alone, by integer arithmetic and exactly rounded
    operations, so that every machine fills in the same bits. They keep their marks: the hash stays the same. Values are
    made while they are written, so that a model of any size takes as much memory as it does without them.

    Args:
        model: a weight-stripped ONNX file.
        out: takes the bytes.
        seed: of the values.
        limits: caps on the model; `constant_bytes` bounds what is filled in.

    Raises:
        ModelLimitError: the weights would take more than the limits allow.
        InvalidModelError: as `load_graph`, or a placeholder that cannot be filled.
        OSError: there is no room for them.
    """
    write(_refilled(model, seed, limits), out)


def _refilled(model: bytes, seed: int, limits: Limits) -> Parts:
    source = parse_model(model, limits)
    constants = list(constants_of(source.graph, source.functions))
    empty = [
        (place, tensor, name) for place, (tensor, name) in enumerate(constants) if tensor.role and not tensor.filled
    ]
    mended = make_readable(source)
    if not empty:
        return [bytes(source.proto.SerializeToString()) if mended else model]
    for _, tensor, _ in empty:
        _check_type(tensor)
    _check_sizes([tensor for _, tensor, _ in empty], limits)
    uses = model_uses(source.graph, source.functions)
    written = Bytes(source.proto.SerializeToString())
    record = read_record(written)
    places = [found for found, _ in constants_of(record.graph, record.functions)]
    edits = []
    for position, (place, tensor, name) in enumerate(empty):
        at = places[place]
        values = _Values(tensor, uses.get(name), (seed, position))
        edits.append(Edit(at.start, at.end, [written.read(at.start, at.end), *field_of(_RAW_DATA, [values])]))
    return edited_parts(written, sorted(edits, key=lambda edit: edit.start))


def _check_sizes(tensors: list[SourceTensor], limits: Limits) -> None:
    total = 0
    for tensor in tensors:
        size = _bytes(tensor)
        limits.check("tensor_bytes", size, f"bytes in {tensor.name!r}")
        total += size
    limits.check("constant_bytes", total, "bytes of weights to fill in")


def _bytes(tensor: SourceTensor) -> int:
    return ceil(tensor.elements * DTYPE_BYTES[tensor.dtype])


def _check_type(tensor: SourceTensor) -> None:
    if tensor.dtype not in FLOATS | QUANTISED:
        raise InvalidModelError(f"The placeholder {tensor.name!r} is neither of a float nor of a quantised type; "
                                "only weights can be left out.")  # fmt: skip


class _Values:
    """The values of a placeholder, which are made when they are written.

    Args:
        tensor: the placeholder.
        use: how it is read.
        seed: of the values.
    """

    def __init__(self, tensor: SourceTensor, use: Use | None, seed: tuple[int, int]) -> None:
        self._tensor, self._use, self._seed = tensor, use, seed

    @property
    def size(self) -> int:
        """Bytes that they take."""
        return _bytes(self._tensor)

    def chunks(self) -> Iterator[bytes]:
        """The values in the file's order and format."""
        bits = np.random.PCG64(np.random.SeedSequence(self._seed))
        if self._tensor.dtype in QUANTISED:
            for size in _pieces(self.size):
                yield bits.random_raw(-(-size // 8)).astype("<u8").tobytes()[:size]
            return
        dtype = helper.tensor_dtype_to_np_dtype(self._tensor.proto.data_type)
        for count in _pieces(self._tensor.elements):
            converted = self._floats(bits, count).astype(dtype)
            yield converted.astype(dtype.newbyteorder("<")).tobytes() if dtype.kind == "f" else converted.tobytes()

    def _floats(self, bits: np.random.PCG64, count: int) -> NDArray[np.float32]:
        """The next values; float32 (count,)."""
        if self._tensor.role == "positive":
            return _uniform(bits, count) + np.float32(0.5)
        if self._tensor.role == "scale":
            return np.float32(1) + np.float32(0.125) * _normal(bits, count)
        return _normal(bits, count) * np.float32(_deviation(self._tensor, self._use))


def _pieces(total: int) -> Iterator[int]:
    """Sizes of pieces of so many values: all but the last take whole words of the generator."""
    for start in range(0, total, _PIECE):
        yield min(_PIECE, total - start)


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
