"""What goes into a model's inputs: recipes that anybody can follow again, arrays, and `.npz` files.

Needs numpy only: the measuring child process imports it.
"""

import io
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any
from zipfile import BadZipFile

import numpy as np

from latcast.schema import FeedSpec, Graph, InvalidFeedsError, Node, TensorSpec

__all__ = [
    "FeedArrays",
    "describe_feeds",
    "feed_specs",
    "load_feeds",
    "make_feeds",
    "read_npz",
    "steering_inputs",
]

FeedArrays = dict[str, np.ndarray[Any, Any]]

INTEGERS = frozenset({"int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"})
FLOATS = frozenset({"float16", "float32", "float64"})
FEEDABLE = INTEGERS | FLOATS | {"bool", "string"}

PASSING = frozenset({"Cast", "Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Transpose", "Slice", "Expand"})
"""Operators through which an index remains an index."""
SHIFTING = frozenset({"Add", "Sub"})
"""Operators that move an index by an offset, which is small beside what it indexes."""
DEPTH, BOXES = 10, 50
"""Classes of a OneHot and boxes of a NonMaxSuppression, where the model leaves them to an input."""
RECURRENT = frozenset({"LSTM", "GRU", "RNN"})
SIZES = {"Reshape": 1, "Expand": 1, "Tile": 1, "TopK": 1, "ConstantOfShape": 0, "Range": 1, "Loop": 0}
"""Operator → position of the input that sets a size or a count; 1 is the value that is always possible."""
FULL_RANGE = {"uint8": (0, 255), "int8": (-128, 127)}
"""Images and quantised tensors use the whole type; wider integers are mostly flags or indices."""


@dataclass(frozen=True, slots=True)
class _Use:
    node: Node
    position: int
    graph: Graph

    def shape(self, position: int) -> tuple[int, ...] | None:
        inputs = self.node.inputs
        index = inputs[position] if position < len(inputs) else -1
        return None if index < 0 else self.graph.tensors[index].shape


def feed_specs(graph: Graph) -> tuple[FeedSpec, ...]:
    """A recipe for each input of the graph.

    Floats are standard normal. Integers that reach a `Gather` stay below the size of what they index, sequence lengths
    are the whole sequence, sizes and counts are what is always possible, masks and other flags 0 or 1, 8-bit types use
    their whole range. Scales of a Resize are 1.

    Raises:
        InvalidFeedsError: an input whose shape is unknown, or whose type cannot be fed.
    """
    uses: dict[str, list[_Use]] = {}
    for name, use in _uses(graph):
        uses.setdefault(name, []).append(use)
    return tuple(_spec(graph.tensors[index], graph, uses) for index in graph.inputs)


def steering_inputs(graph: Graph) -> tuple[str, ...]:
    """Names of the inputs whose values may decide what is computed, or whether anything can be.

    These are the integers and the texts, and the scales of a Resize.
    """
    scales = {name for name, use in _uses(graph) if _is_scale(use)}
    inputs = (graph.tensors[index] for index in graph.inputs)
    return tuple(x.name for x in inputs if x.dtype in INTEGERS or x.dtype == "string" or x.name in scales)


def _uses(graph: Graph) -> Iterator[tuple[str, _Use]]:
    for node in graph.nodes:
        for position, index in enumerate(node.inputs):
            if index >= 0:
                yield graph.tensors[index].name, _Use(node, position, graph)
        for body in node.bodies:
            yield from _uses(body)


def _spec(tensor: TensorSpec, graph: Graph, uses: Mapping[str, Sequence[_Use]]) -> FeedSpec:
    if tensor.dtype not in FEEDABLE:
        raise InvalidFeedsError(f"The input {tensor.name!r} has the type {tensor.dtype or 'unknown'!r}, which cannot "
                                "be fed: export the model with float, integer, bool or string inputs.")  # fmt: skip
    if tensor.shape is None:
        raise InvalidFeedsError(f"The shape of the input {tensor.name!r} is unknown: give it with --shape.")
    low, high = _range(tensor, graph, uses)
    return FeedSpec(name=tensor.name, dtype=tensor.dtype, shape=tensor.shape, low=low, high=high)


def _range(
    tensor: TensorSpec, graph: Graph, uses: Mapping[str, Sequence[_Use]]
) -> tuple[float, float] | tuple[None, None]:
    if any(_is_scale(use) for use in uses.get(tensor.name, ())):
        return 1, 1
    if tensor.dtype in FLOATS or tensor.dtype == "string":
        return None, None
    if tensor.dtype == "bool":
        return 0, 1
    bounds = list(_bounds(tensor.name, uses, seen=set()))
    if bounds:
        return max(low for low, _ in bounds), min(high for _, high in bounds)
    if "mask" not in tensor.name.lower() and "len" in tensor.name.lower():
        longest = _sequence_length(graph)
        return longest, longest
    return FULL_RANGE.get(tensor.dtype, (0, 1))


def _is_scale(use: _Use) -> bool:
    return use.node.operator == "Resize" and use.position == 2


def _bounds(name: str, uses: Mapping[str, Sequence[_Use]], seen: set[str]) -> Iterator[tuple[int, int]]:
    """What the nodes that an integer tensor reaches allow it to be."""
    if name in seen:
        return
    seen.add(name)
    for use in uses.get(name, ()):
        bound = _bound(use)
        if bound is not None:
            yield bound
        elif use.node.operator in SHIFTING or (use.node.operator in PASSING and use.position == 0):
            for index in use.node.outputs:
                for low, high in _bounds(use.graph.tensors[index].name, uses, seen):
                    yield low, high // 2 if use.node.operator in SHIFTING and low < high else high


def _bound(use: _Use) -> tuple[int, int] | None:
    operator, position = use.node.operator, use.position
    if operator in ("Gather", "GatherElements") and position == 1:
        axis = use.node.attributes.get("axis", 0)
        return _below(use.shape(0), axis if isinstance(axis, int) else 0)
    if operator == "EmbedLayerNormalization" and position in (0, 1):
        return _below(use.shape(position + 2), 0)
    if operator in RECURRENT and position == 4:
        steps = (use.shape(0) or (1,))[0]
        return steps, steps
    size = _size(use, operator, position)
    return None if size is None else (size, size)


def _size(use: _Use, operator: str, position: int) -> int | None:
    """What a size or a count may be, the same for all elements of the input; None where it is none."""
    if operator == "Slice" and position == 2:
        return max(use.shape(0) or (1,))
    if operator == "Split" and position == 1:
        axis = use.node.attributes.get("axis", 0)
        bound = _below(use.shape(0), axis if isinstance(axis, int) else 0)
        return None if bound is None else (bound[1] + 1) // len(use.node.outputs)
    return {("OneHot", 1): DEPTH, ("NonMaxSuppression", 2): BOXES}.get(
        (operator, position), 1 if SIZES.get(operator) == position else None
    )


def _below(shape: tuple[int, ...] | None, axis: int) -> tuple[int, int] | None:
    return (0, max(0, shape[axis] - 1)) if shape and -len(shape) <= axis < len(shape) else None


def _sequence_length(graph: Graph) -> int:
    """Second axis of the first input that has one: batch first is the convention of exported models."""
    shapes = (graph.tensors[index].shape or () for index in graph.inputs)
    return next((shape[1] for shape in shapes if len(shape) > 1), 1)


def make_feeds(specs: Sequence[FeedSpec], seed: int = 0) -> FeedArrays:
    """The arrays of a recipe; the same seed gives the same arrays, in whatever order the inputs come.

    Raises:
        InvalidFeedsError: a type that cannot be made, or sizes below zero.
    """
    return {spec.name: _array(spec, np.random.default_rng([seed, zlib.crc32(spec.name.encode())])) for spec in specs}


def _array(spec: FeedSpec, rng: np.random.Generator) -> np.ndarray[Any, Any]:
    if spec.dtype not in FEEDABLE or min(spec.shape, default=0) < 0:
        raise InvalidFeedsError(f"The input {spec.name!r} cannot be made as {spec.dtype} of shape {spec.shape}.")
    if spec.dtype == "string":
        return np.full(spec.shape, "text", dtype=object)
    if spec.dtype in FLOATS:
        return _floats(spec, rng).astype(spec.dtype, copy=False)
    low, high = int(spec.low or 0), int(1 if spec.high is None else spec.high)
    return rng.integers(low, max(low, high), size=spec.shape, endpoint=True).astype(spec.dtype)


def _floats(spec: FeedSpec, rng: np.random.Generator) -> np.ndarray[Any, Any]:
    if spec.low is None or spec.high is None:
        return np.asarray(rng.standard_normal(spec.shape, dtype=np.float32))
    return np.asarray(rng.uniform(spec.low, spec.high, spec.shape))


def load_feeds(data: bytes, graph: Graph) -> FeedArrays:
    """Arrays out of an `.npz` file, checked against the graph's inputs.

    Raises:
        InvalidFeedsError: not an `.npz`, inputs missing or unknown, a type or a shape that does not fit.
    """
    arrays = read_npz(data)
    wanted = {graph.tensors[index].name: graph.tensors[index] for index in graph.inputs}
    for name in wanted:
        if name not in arrays:
            raise InvalidFeedsError(f"The feeds lack the input {name!r}; they have {_listed(arrays)}.")
    for name, array in arrays.items():
        if name not in wanted:
            raise InvalidFeedsError(f"The model has no input {name!r}; its inputs are {_listed(wanted)}.")
        _check_array(array, wanted[name])
    return arrays


def _listed(names: Mapping[str, object]) -> str:
    return ", ".join(repr(name) for name in names) or "none"


def read_npz(data: bytes) -> FeedArrays:
    """Arrays of an `.npz` file; nothing is unpickled.

    Raises:
        InvalidFeedsError: not such a file.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (ValueError, OSError, EOFError, BadZipFile, AttributeError, TypeError, zlib.error) as error:
        raise InvalidFeedsError(f"The feeds are not an .npz file of plain arrays ({error}): write it with "
                                "numpy.savez(file, input_name=array).") from error  # fmt: skip


def _check_array(array: np.ndarray[Any, Any], tensor: TensorSpec) -> None:
    dtype = "string" if array.dtype.kind == "U" else array.dtype.name
    if dtype != tensor.dtype:
        raise InvalidFeedsError(f"The feed {tensor.name!r} is {dtype}, but the model wants {tensor.dtype}.")
    if tensor.shape is not None and array.shape != tensor.shape:
        raise InvalidFeedsError(f"The feed {tensor.name!r} has the shape {array.shape}, but the model "
                                f"wants {tensor.shape}: bind the shape with --shape, or change the feed.")  # fmt: skip


def describe_feeds(arrays: Mapping[str, np.ndarray[Any, Any]]) -> tuple[FeedSpec, ...]:
    """The closest recipe to given arrays: their types, shapes and ranges."""
    return tuple(_described(name, array) for name, array in arrays.items())


def _described(name: str, array: np.ndarray[Any, Any]) -> FeedSpec:
    numeric = array.dtype.kind in "iufb" and prod(array.shape) > 0
    low, high = (float(array.min()), float(array.max())) if numeric else (None, None)
    dtype = array.dtype.name if array.dtype.kind in "iufb" else "string"
    return FeedSpec(name=name, dtype=dtype, shape=array.shape, low=low, high=high)
