"""Graphs and errors as bytes, for the pipe between a `GraphLoader` and its worker.

A graph crosses the pipe for every model, so it is made to be read quickly: all texts and attributes in one JSON tree,
equal ones once, and all numbers in one array of 64-bit integers, field by field. Checked on the way back, because a
hostile model may have corrupted the worker's memory.
"""

import json
import struct
from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import accumulate, chain, pairwise
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from latcast.schema import (
    DTYPE_BYTES,
    Attribute,
    Graph,
    InputError,
    InvalidArchitectureError,
    InvalidModelError,
    ModelLimitError,
    TensorSpec,
    UnboundDimensionError,
    UnknownNameError,
    UnsupportedGraphError,
    UnsupportedOperatorError,
)
from profilers.onnx_graph.records import make_node, make_tensor

__all__ = ["checked_remarks", "decode_error", "decode_graph", "encode_error", "encode_graph", "malformed_answer"]


_LENGTH = struct.Struct("<Q")
_UNKNOWN_RANK = -1
MOST_REMARKS, LONGEST_REMARK = 10, 10_000


def encode_graph(graph: Graph) -> bytes:
    """The graph in bytes: the length of a JSON text, the text, 64-bit integers.

    Raises:
        OverflowError: it has a number above 2⁶³.
    """
    numbers: list[int] = []
    texts = json.dumps(_add_graph(graph, numbers), separators=(",", ":")).encode("utf-8", "surrogatepass")
    return b"".join((_LENGTH.pack(len(texts)), texts, np.array(numbers, dtype="<i8").tobytes()))


def decode_graph(data: bytes) -> Graph:
    """The graph that `encode_graph` wrote.

    Raises:
        InvalidModelError: these bytes are no such thing.
    """
    try:
        end = _LENGTH.size + _LENGTH.unpack_from(data)[0]
        numbers = _Numbers(np.frombuffer(data, dtype="<i8", offset=end))
        graph = _graph(json.loads(data[_LENGTH.size : end]), numbers)
        return graph if numbers.exhausted else _refuse(numbers)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError, IndexError, struct.error):
        raise malformed_answer() from None


def checked_remarks(plain: Any) -> tuple[str, ...]:
    """The remarks that a worker gave of a graph.

    Raises:
        ValueError: they are none.
    """
    texts = _texts(plain, len(plain))
    if len(texts) > MOST_REMARKS or max(map(len, texts), default=0) > LONGEST_REMARK:
        _refuse(plain)
    return tuple(texts)


def malformed_answer() -> InvalidModelError:
    """The error for an answer that is none."""
    return InvalidModelError("The process that reads models gave a malformed answer; the model is refused.")


def encode_error(error: InputError) -> dict[str, Any]:
    """An error of the tree as JSON values."""
    kind = type(error).__name__
    if isinstance(error, ModelLimitError):
        return {"kind": kind, "limit": error.limit, "allowed": error.allowed, "found": error.found}
    if isinstance(error, UnboundDimensionError):
        return {"kind": kind, "dimensions": error.dimensions, "declared": error.declared}
    if isinstance(error, UnsupportedOperatorError):
        return {"kind": kind, "operators": error.operators}
    if isinstance(error, UnsupportedGraphError):
        return {"kind": kind, "message": str(error), "operators": error.operators}
    if isinstance(error, UnknownNameError):
        return {"kind": kind, "what": error.what, "name": error.name, "known": error.known}
    return {"kind": kind, "message": str(error)}


def decode_error(plain: Any) -> InputError:
    """The error that `encode_error` wrote; anything malformed becomes an `InvalidModelError`."""
    try:
        return _ERRORS.get(str(plain["kind"]), _ERRORS["InvalidModelError"])(plain)
    except (KeyError, TypeError, ValueError, AttributeError):
        return InvalidModelError("The model is refused; the reason was lost on its way.")


_ERRORS: dict[str, Callable[[dict[str, Any]], InputError]] = {
    "InputError": lambda item: InputError(str(item["message"])),
    "InvalidArchitectureError": lambda item: InvalidArchitectureError(str(item["message"])),
    "InvalidModelError": lambda item: InvalidModelError(str(item["message"])),
    "ModelLimitError": lambda item: ModelLimitError(
        str(item["limit"]), allowed=int(item["allowed"]), found=str(item["found"])
    ),
    "UnboundDimensionError": lambda item: UnboundDimensionError(
        [(str(name), int(axis), str(symbol)) for name, axis, symbol in item["dimensions"]],
        declared={str(name): _declared(shape) for name, shape in item["declared"].items()},
    ),
    "UnknownNameError": lambda item: UnknownNameError(
        str(item["what"]), str(item["name"]), [str(name) for name in item["known"]]
    ),
    "UnsupportedGraphError": lambda item: UnsupportedGraphError(
        str(item["message"]), operators=[str(name) for name in item["operators"]]
    ),
    "UnsupportedOperatorError": lambda item: UnsupportedOperatorError([str(name) for name in item["operators"]]),
}


def _declared(shape: Any) -> list[int | str] | None:
    if shape is None:
        return None
    return [part if isinstance(part, int) else str(part) for part in shape]


def _add_graph(graph: Graph, numbers: list[int]) -> list[Any]:
    """The graph's texts; its numbers go to the end of `numbers`, in the order in which `_graph` takes them."""
    tensors, nodes = graph.tensors, graph.nodes
    dtypes, dtype_at = _distinct([item.dtype for item in tensors])
    operators, operator_at = _distinct([(node.operator, node.domain) for node in nodes])
    attributes = {id(node.attributes): node.attributes for node in nodes}
    place = {key: index for index, key in enumerate(attributes)}
    groups = (graph.inputs, graph.outputs, sorted(graph.initializers), graph.outer)
    flags = graph.denormal_weights + 2 * graph.training_mode
    numbers += (graph.opset, flags, len(tensors), len(nodes), *map(len, groups))
    numbers += chain(*groups, dtype_at)
    numbers += [_UNKNOWN_RANK if item.shape is None else len(item.shape) for item in tensors]
    numbers += chain.from_iterable([item.shape for item in tensors if item.shape])
    numbers += chain(operator_at, [place[id(node.attributes)] for node in nodes])
    for node in nodes:
        numbers += (node.macs, node.flops, node.parameter_bytes, node.input_bytes, node.output_bytes)
    numbers += [node.trips for node in nodes]
    for lists in ([node.inputs for node in nodes], [node.outputs for node in nodes]):
        numbers += chain(map(len, lists), *lists)
    holders = [(index, node.bodies) for index, node in enumerate(nodes) if node.bodies]
    return [
        graph.hash, [item.name for item in tensors], dtypes, operators, list(map(dict, attributes.values())),
        [node.name for node in nodes],
        [[index, [_add_graph(body, numbers) for body in bodies]] for index, bodies in holders],
        None if graph.stored is None else dict(graph.stored),
    ]  # fmt: skip


def _distinct(values: Sequence[Hashable]) -> tuple[list[Hashable], list[int]]:
    """(the different ones, the place of each among them)."""
    places = {value: index for index, value in enumerate(dict.fromkeys(values))}
    return list(places), [places[value] for value in values]


class _Numbers:
    """Hands out the numbers of a graph, one field after the other, each within its bounds."""

    def __init__(self, values: NDArray[np.int64]) -> None:
        self._values, self._at = values, 0

    @property
    def exhausted(self) -> bool:
        """Whether none is left."""
        return self._at == len(self._values)

    def take(self, count: int, low: int, high: int | None = None) -> list[int]:
        """The next numbers, which all lie in low .. high - 1."""
        start, self._at = self._at, self._at + count
        found = self._values[start : self._at]
        if len(found) != count:
            _refuse(found)
        if count and (found.min() < low or (high is not None and found.max() >= high)):
            _refuse(found)
        return list(found.tolist())

    def groups(self, sizes: Iterable[int], low: int, high: int | None = None) -> list[tuple[int, ...]]:
        """The next numbers in groups of these sizes, none of which is negative."""
        ends = list(accumulate(sizes, initial=0))
        flat = tuple(self.take(ends[-1], low, high))
        return [flat[start:end] for start, end in pairwise(ends)]


def _graph(texts: Any, numbers: _Numbers) -> Graph:
    digest, names, dtypes, operators, kinds, node_names, bodies, stored = texts
    opset, flags, count, steps, *sizes = numbers.take(8, 0)
    inputs, outputs, initializers, outer = numbers.groups(sizes, 0, count)
    tensors = _tensors(_texts(names, count), _texts(dtypes, len(dtypes)), numbers)
    rows = list(zip(*_columns(operators, kinds, _texts(node_names, steps), numbers, count), strict=True))
    inside = {index: tuple([_graph(body, numbers) for body in graphs]) for index, graphs in bodies}
    return Graph(
        hash=_text(digest), tensors=tensors, inputs=inputs, outputs=outputs, initializers=frozenset(initializers),
        nodes=tuple([
            make_node(
                operator=operator, domain=domain, name=name, inputs=read, outputs=written, attributes=attributes,
                work=work, bodies=inside.get(index, ()), trips=trips,
            )
            for index, ((operator, domain), attributes, name, work, trips, read, written) in enumerate(rows)
        ]),
        opset=opset, outer=outer, denormal_weights=flags % 2 == 1,
        training_mode=flags >= 2, stored=_stored(stored),
    )  # fmt: skip


def _stored(counts: Any) -> dict[str, int] | None:
    if counts is None:
        return None
    if not _KNOWN_TYPES.issuperset(counts) or not all(type(size) is int and size >= 0 for size in counts.values()):
        _refuse(counts)
    return dict(counts)


def _tensors(names: list[str], dtypes: list[str], numbers: _Numbers) -> tuple[TensorSpec, ...]:
    if not _KNOWN_TYPES.issuperset(dtypes):
        _refuse(dtypes)
    which = numbers.take(len(names), 0, len(dtypes))
    ranks = numbers.take(len(names), _UNKNOWN_RANK)
    shapes = numbers.groups([rank if rank > 0 else 0 for rank in ranks], 0)
    return tuple([
        make_tensor(name, dtypes[kind], None if rank < 0 else shape)
        for name, kind, rank, shape in zip(names, which, ranks, shapes, strict=True)
    ])  # fmt: skip


def _columns(operators: Any, kinds: Any, names: list[str], numbers: _Numbers, count: int) -> tuple[Sequence[Any], ...]:
    """For each node: (operator, domain), attributes, name, work, trips, inputs, outputs."""
    known = [(_text(operator), _text(domain)) for operator, domain in operators]
    attributes = [{_text(key): _attribute(item) for key, item in kind.items()} for kind in kinds]
    steps = len(names)
    return (
        [known[at] for at in numbers.take(steps, 0, len(known))],
        [attributes[at] for at in numbers.take(steps, 0, len(attributes))],
        names,
        numbers.groups([5] * steps, 0),
        numbers.take(steps, 0),
        numbers.groups(numbers.take(steps, 0), -1, count),
        numbers.groups(numbers.take(steps, 0), -1, count),
    )


def _attribute(value: Any) -> Attribute:
    if isinstance(value, list):
        kinds = set(map(type, value))
        if len(kinds) > 1 or not kinds <= {int, float, str}:
            _refuse(value)
        return tuple(value)
    return value if isinstance(value, int | float | str) and not isinstance(value, bool) else _refuse(value)


_KNOWN_TYPES = frozenset({"", *DTYPE_BYTES})


def _text(value: Any) -> str:
    return value if isinstance(value, str) else _refuse(value)


def _texts(values: Any, count: int) -> list[str]:
    if not isinstance(values, list) or len(values) != count or not set(map(type, values)) <= {str}:
        _refuse(values)
    return list(values)


def _refuse(value: Any) -> NoReturn:
    raise ValueError(f"unexpected {type(value).__name__}")
