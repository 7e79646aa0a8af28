"""What goes into a model's inputs: recipes that anybody can follow again, arrays, and `.npz` files.

Needs numpy only: the measuring child process imports it.
"""

import io
import zlib
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any
from zipfile import BadZipFile

import numpy as np

from latcast.schema import FeedSpec, Graph, InvalidFeedsError, TensorSpec
from profilers.feeds.steering import Uses, steering_of, uses_of

__all__ = [
    "FeedArrays",
    "decided_remarks",
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

FULL_RANGE = {"uint8": (0, 255), "int8": (-128, 127)}
"""Images and quantised tensors use the whole type; wider integers are mostly flags or indices."""


def feed_specs(graph: Graph) -> tuple[FeedSpec, ...]:
    """A recipe for each input of the graph.

    Floats are standard normal. Integers that reach a `Gather` stay below the size of what they index, sequence lengths
    are the whole sequence, sizes and counts are what is possible, scales of a Resize are 1, categories those that the
    model's encoders know, masks and other flags 0 or 1; 8-bit types use their whole range.

    Raises:
        InvalidFeedsError: an input whose shape is unknown, or whose type cannot be fed.
    """
    uses = uses_of(graph)
    return tuple(_spec(graph.tensors[index], graph, uses) for index in graph.inputs)


def steering_inputs(graph: Graph) -> tuple[str, ...]:
    """Names of the inputs whose values may decide what is computed, or whether anything can be.

    These are the integers and the texts, the scales of a Resize, and what encoders read.
    """
    uses = uses_of(graph)
    inputs = (graph.tensors[index] for index in graph.inputs)
    return tuple(x.name for x in inputs if x.dtype in INTEGERS or x.dtype == "string" or steering_of(x, uses))


def decided_remarks(graph: Graph, specs: Sequence[FeedSpec]) -> tuple[str, ...]:
    """A sentence on each input that decided how much was computed, and the values that it had.

    Args:
        graph: of the model that was run.
        specs: what went in.
    """
    uses, given = uses_of(graph), {spec.name: spec for spec in specs}
    inputs = [graph.tensors[index] for index in graph.inputs]
    deciding = [x for x in inputs if x.name in given and (steering := steering_of(x, uses)) and steering.decides]
    return tuple(
        f"The input {x.name!r} decides how much is computed: it was {_told(given[x.name])} (--feeds gives others)."
        for x in deciding
    )


def _told(spec: FeedSpec) -> str:
    if spec.values:
        listed = "×".join(f"{value:g}" if isinstance(value, float | int) else value for value in spec.values[:8])
        return listed + ("…" if len(spec.values) > 8 else "")
    if spec.low is None or spec.high is None:
        return "random"
    return f"{spec.low:g}" if spec.low == spec.high else f"between {spec.low:g} and {spec.high:g}"


def _spec(tensor: TensorSpec, graph: Graph, uses: Uses) -> FeedSpec:
    if not tensor.dtype:
        raise InvalidFeedsError(f"The input {tensor.name!r} is no tensor, but a sequence, a map or an optional one, "
                                "which cannot be fed: export the model with tensors as inputs.")  # fmt: skip
    if tensor.dtype not in FEEDABLE:
        raise InvalidFeedsError(f"The input {tensor.name!r} has the type {tensor.dtype!r}, which cannot "
                                "be fed: export the model with float, integer, bool or string inputs.")  # fmt: skip
    if tensor.shape is None:
        raise InvalidFeedsError(f"The shape of the input {tensor.name!r} is unknown: give it with --shape.")
    steering = steering_of(tensor, uses)
    if steering is not None and steering.values:
        return FeedSpec(name=tensor.name, dtype=tensor.dtype, shape=tensor.shape, values=steering.values)
    low, high = (steering.low, steering.high) if steering is not None else _range(tensor, graph)
    return FeedSpec(name=tensor.name, dtype=tensor.dtype, shape=tensor.shape, low=low, high=high)


def _range(tensor: TensorSpec, graph: Graph) -> tuple[float, float] | tuple[None, None]:
    """Bounds of an input that steers nothing."""
    if tensor.dtype in FLOATS or tensor.dtype == "string":
        return None, None
    if tensor.dtype == "bool":
        return 0, 1
    if "mask" not in tensor.name.lower() and "len" in tensor.name.lower():
        longest = _sequence_length(graph)
        return longest, longest
    return FULL_RANGE.get(tensor.dtype, (0, 1))


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
    if spec.values:
        kind = object if spec.dtype == "string" else spec.dtype
        return np.resize(np.asarray(spec.values, dtype=object), spec.shape).astype(kind)
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
