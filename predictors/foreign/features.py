"""Features of graphs that predictors can be given without the graph: how they are read, and how they cross a pipe.

The receiver believes nothing: sizes, indices and types are checked before a value is made.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from latcast.schema import (
    Graph,
    InputError,
    KernelTiming,
    ModelLimitError,
    Target,
    from_plain,
    to_plain,
)
from predictors.base import Predictor
from predictors.features.coverage import COSTS, node_costs
from predictors.features.flat import FEATURE_NAMES, FLAT, read_flat
from predictors.features.kernels import (
    CLASSES,
    SHAPE_FEATURES,
    WORK_FEATURES,
    ExecutionTraits,
    KernelTable,
    Level,
    RewriteRules,
    kernels_feature,
    names_feature,
)
from predictors.features.kernels.attribution import attribute_to
from predictors.features.kernels.parts import KERNELS_OF_PART, PartTable, part_feature, read_part
from predictors.features.kernels.table import KERNEL_NAMES, KERNELS, read_kernels, read_names, read_table
from predictors.foreign.drawn_nodes import NODES, DrawnNodes, node_columns
from predictors.networks import RECORD, Feature
from profilers.onnx_graph.isolated.arrays import Arrays
from profilers.onnx_graph.isolated.encoding import decode_graph, malformed_answer

__all__ = [
    "FEATURES",
    "MODEL",
    "SUMMARY",
    "TIMINGS",
    "FeatureKind",
    "features_asked",
    "features_for",
    "timings_feature",
    "unpacked",
    "weigh",
]

SUMMARY: Feature = ("summary",)
"""What people are told of a graph (`profilers.onnx_graph.remarks.described`)."""
MODEL: Feature = ("compressed_model",)
"""The model as it is stored: bound, without weights and comments, compressed with zlib."""
TIMINGS = "timings"
MOST_KERNELS = 300_000
"""Kernels of one graph that are foreseen: their table has 80 MB then."""

Packed = tuple[Any, Arrays]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureKind:
    """A feature that is read in a limited process.

    Args:
        of_target: the feature for a predictor that is asked about a target.
        pack: reads it off a graph, given what it depends on: (JSON values, arrays).
        unpack: its value.
    """

    of_target: Callable[[Target], Feature]
    pack: Callable[..., Packed]
    unpack: Callable[[Any, Arrays], Any]


def features_for(names: Iterable[str], target: Target) -> list[Feature]:
    """The features of these names, for a target."""
    return [FEATURES[name].of_target(target) for name in sorted(names)]


def features_asked(predictor: Predictor, target: Target, also: Iterable[str] = ()) -> list[Feature]:
    """The features that a predictor reads of graphs when it is asked about a target.

    Args:
        predictor: fitted.
        target: that it is asked about.
        also: names of further features.
    """
    names = {*predictor.fitted_capabilities().features, *also}
    wanted = [feature for each in predictor.targets_asked(target) for feature in features_for(names, each)]
    return list(dict.fromkeys(wanted))


def timings_feature(timings: Sequence[KernelTiming], traits: ExecutionTraits) -> Feature:
    """Times of kernels from these timings (`attribute_timings`), as it is asked for in another process."""
    return (TIMINGS, *kernels_feature(traits)[1:], json.dumps(to_plain(list(timings))))


def unpacked(feature: Feature, plain: Any, arrays: Arrays) -> Any:
    """The value of a feature that a worker has read.

    Raises:
        InvalidModelError: it is none.
    """
    try:
        return FEATURES[str(feature[0])].unpack(plain, arrays)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        raise malformed_answer() from None


def weigh(value: Any) -> int:
    """Bytes that a value takes in memory, about: for caches."""
    if isinstance(value, KernelTable | PartTable):
        return value.size_bytes
    if isinstance(value, Graph):
        bodies = sum(weigh(body) for node in value.nodes for body in node.bodies)
        return bodies + 1500 * len(value.nodes) + 300 * len(value.tensors) + 1000
    if isinstance(value, Mapping):
        return 100 + sum(weigh(item) + 100 for item in value.values())
    if isinstance(value, list | tuple):
        return 60 + sum(8 + weigh(item) for item in value)
    return _plain_weight(value)


def _plain_weight(value: Any) -> int:
    if isinstance(value, np.ndarray):
        return value.nbytes + 200
    if isinstance(value, bytes | str):
        return len(value) + 60
    return 1000 if isinstance(value, Exception) else 32


# Reading and packing, in the limited process -------------------------------------------------------------------------


def _pack_kernels(graph: Graph, *rules: Any) -> Packed:
    return _packed_table(read_table(graph, _rules(*rules)))


def _packed_table(table: KernelTable) -> Packed:
    if len(table) > MOST_KERNELS:
        raise ModelLimitError("kernels", allowed=MOST_KERNELS, found=f"{len(table):,}")
    operators, places = _distinct(table.operators)
    arrays = {"kinds": table.kinds, "values": table.values, "repeats": table.repeats, "known": table.known}
    arrays |= {"warm": table.warm, "undecided": table.undecided, "unsigned": table.unsigned}
    return operators, {**arrays, "operators": places}


def _unpack_kernels(plain: Any, arrays: Arrays) -> KernelTable:
    kinds, values = _array(arrays, "kinds", "<i8", 1), _array(arrays, "values", "<f8", 2)
    count, width = len(kinds), len(WORK_FEATURES) + len(SHAPE_FEATURES)
    table = KernelTable(
        kinds=kinds,
        operators=_named(plain, arrays["operators"]),
        values=values,
        repeats=_array(arrays, "repeats", "<f8", 1),
        known=_array(arrays, "known", "|b1", 1),
        warm=_array(arrays, "warm", "<f8", 1),
        undecided=_array(arrays, "undecided", "|b1", 1),
        unsigned=_array(arrays, "unsigned", "|b1", 1),
        graph=np.zeros(count, dtype=np.int64),
    )
    columns = (table.operators, table.repeats, table.known, table.warm, table.undecided, table.unsigned)
    lengths = {count, *map(len, columns)}
    if count and not 0 <= table.warm.min() <= table.warm.max() <= 1:
        raise ValueError("no shares")
    if values.shape != (count, width) or len(lengths) != 1 or not count or not _within(kinds, len(CLASSES)):
        raise ValueError("no table of kernels")
    return table


def _pack_part(graph: Graph, *parts: Any) -> Packed:
    *rules, layouts, last = parts
    read = read_part(graph, _rules(*rules), layouts=layouts, last=bool(last))
    operators, arrays = _packed_table(read.table)
    return [operators, list(read.shape), read.gives_blocks, read.flops, read.size, list(read.converts)], arrays


def _unpack_part(plain: Any, arrays: Arrays) -> PartTable:
    operators, shape, gives_blocks, flops, size, converts = plain
    if (
        not all(type(number) is int and number >= 0 for number in (*shape, flops, size, *converts))
        or type(gives_blocks) is not bool
    ):
        raise ValueError("no part of a network")
    table = _unpack_kernels(operators, arrays)
    return PartTable(
        table=table,
        shape=tuple(shape),
        gives_blocks=gives_blocks,
        flops=flops,
        size=size,
        converts=tuple(converts),
    )


def _pack_names(graph: Graph, *rules: Any) -> Packed:
    names = read_names(graph, _rules(*rules))
    return [name for each in names for name in each], {"sizes": np.array([len(each) for each in names], dtype=np.int64)}


def _unpack_names(plain: Any, arrays: Arrays) -> list[tuple[str, ...]]:
    sizes, names = _array(arrays, "sizes", "<i8", 1), _texts(plain)
    if (len(sizes) and sizes.min() < 0) or sizes.sum() != len(names):
        raise ValueError("no names of kernels")
    return [tuple(names[start:end]) for start, end in pairwise(accumulate(sizes.tolist(), initial=0))]


def _pack_flat(graph: Graph) -> Packed:
    return None, {"vector": read_flat(graph)}


def _unpack_flat(_plain: Any, arrays: Arrays) -> Any:
    vector = _array(arrays, "vector", "<f8", 1)
    if len(vector) != len(FEATURE_NAMES):
        raise ValueError("no flat features")
    return vector


def _pack_costs(graph: Graph) -> Packed:
    costs = node_costs(graph)
    operators, places = _distinct([operator for operator, _, _ in costs])
    numbers = np.array([[cost, times] for _, cost, times in costs], dtype=np.float64).reshape(len(costs), 2)
    return operators, {"operators": places, "numbers": numbers}


def _unpack_costs(plain: Any, arrays: Arrays) -> list[tuple[str, float, float]]:
    numbers = _array(arrays, "numbers", "<f8", 2)
    names = _named(plain, arrays["operators"])
    return [(name, cost, times) for name, (cost, times) in zip(names, numbers.tolist(), strict=True)]


def _pack_nodes(graph: Graph) -> Packed:
    nodes = node_columns(graph)
    arrays = {name: getattr(nodes, name) for name in _NODE_COLUMNS}
    return [list(nodes.names), *zip(*nodes.kinds, strict=True)] if nodes.kinds else [[], [], []], arrays


def _unpack_nodes(plain: Any, arrays: Arrays) -> DrawnNodes:
    names, operators, dtypes = (_texts(list(texts)) for texts in plain)
    columns = {name: _array(arrays, name, dtype, ndim) for name, (dtype, ndim) in _NODE_COLUMNS.items()}
    nodes = DrawnNodes(names=names, kinds=list(zip(operators, dtypes, strict=True)), **columns)
    count = len(names)
    lengths = {count, *(len(columns[name]) for name in ("kind", "input_counts", "ranks", "numbers"))}
    if len(lengths) != 1 or nodes.numbers.shape[1:] != (4,) or not _within(nodes.kind, len(nodes.kinds)):
        raise ValueError("no nodes")
    if not _within(nodes.inputs, count) or (count and (nodes.input_counts.min() < 0 or nodes.ranks.min() < -1)):
        raise ValueError("no places of nodes")
    if nodes.input_counts.sum() != len(nodes.inputs) or nodes.ranks.clip(0).sum() != len(nodes.sizes):
        raise ValueError("no shapes of nodes")
    return nodes


_NODE_COLUMNS = {
    "kind": ("<i4", 1), "input_counts": ("<i8", 1), "inputs": ("<i8", 1), "ranks": ("<i8", 1), "sizes": ("<i8", 1),
    "numbers": ("<i8", 2),
}  # fmt: skip
"""Types and numbers of dimensions of the arrays of `DrawnNodes`."""


def _pack_timings(graph: Graph, *parts: Any) -> Packed:
    *rules, text = parts
    timings = [from_plain(KernelTiming, item) for item in json.loads(text)]
    return None, {"times": attribute_to(read_kernels(graph, _rules(*rules)), timings)}


def _unpack_bytes(_plain: Any, arrays: Arrays) -> bytes:
    return arrays["bytes"].tobytes()


def _unpack_summary(plain: Any, _arrays: Arrays) -> dict[str, Any]:
    if not isinstance(plain, dict):
        raise ValueError("no summary")
    return plain


def _rules(level: int, precision: str, joins_chains: int) -> RewriteRules:
    return RewriteRules(Level(level), precision, bool(joins_chains))


def _distinct(names: Sequence[str]) -> tuple[list[str], Any]:
    """(the different names, int32 (n,) places of each among them)."""
    places = {name: place for place, name in enumerate(dict.fromkeys(names))}
    return list(places), np.array([places[name] for name in names], dtype=np.int32)


def _named(plain: Any, places: Any) -> tuple[str, ...]:
    names = _texts(plain)
    if not _within(places, len(names)):
        raise ValueError("no names")
    return tuple(names[place] for place in places.tolist())


def _texts(plain: Any) -> list[str]:
    if not isinstance(plain, list) or not all(isinstance(item, str) for item in plain):
        raise ValueError("no texts")
    return plain


def _within(places: Any, count: int) -> bool:
    return not len(places) or (places.min() >= 0 and places.max() < count)


def _array(arrays: Arrays, name: str, dtype: str, ndim: int) -> Any:
    """A copy, so that it does not keep the whole message."""
    array = arrays[name]
    if array.dtype.str != dtype or array.ndim != ndim:
        raise ValueError(f"{name} is no such array")
    copied = array.copy()
    copied.setflags(write=False)
    return copied


def _in_reader(*_arguments: Any) -> Packed:
    raise InputError("This part of a model is read by profilers.onnx_graph.isolated.child.")


def _always(feature: Feature) -> Callable[[Target], Feature]:
    return lambda _target: feature


FEATURES: Mapping[str, FeatureKind] = {
    KERNELS: FeatureKind(
        of_target=lambda target: kernels_feature(ExecutionTraits.of(target)), pack=_pack_kernels, unpack=_unpack_kernels
    ),
    KERNEL_NAMES: FeatureKind(
        of_target=lambda target: names_feature(ExecutionTraits.of(target)), pack=_pack_names, unpack=_unpack_names
    ),
    TIMINGS: FeatureKind(
        of_target=lambda target: timings_feature((), ExecutionTraits.of(target)),
        pack=_pack_timings,
        unpack=lambda _, arrays: _array(arrays, "times", "<f8", 1),
    ),
    KERNELS_OF_PART: FeatureKind(
        of_target=lambda target: part_feature(kernels_feature(ExecutionTraits.of(target)), layouts=0, last=False),
        pack=_pack_part,
        unpack=_unpack_part,
    ),
    "flat": FeatureKind(of_target=_always(FLAT), pack=_pack_flat, unpack=_unpack_flat),
    "nodes": FeatureKind(of_target=_always(NODES), pack=_pack_nodes, unpack=_unpack_nodes),
    "costs": FeatureKind(of_target=_always(COSTS), pack=_pack_costs, unpack=_unpack_costs),
    "record": FeatureKind(
        of_target=_always(RECORD), pack=_in_reader, unpack=lambda _, arrays: decode_graph(_unpack_bytes(_, arrays))
    ),
    "summary": FeatureKind(of_target=_always(SUMMARY), pack=_in_reader, unpack=_unpack_summary),
    "compressed_model": FeatureKind(of_target=_always(MODEL), pack=_in_reader, unpack=_unpack_bytes),
}
"""By name; those of the reader of models are not packed here."""
