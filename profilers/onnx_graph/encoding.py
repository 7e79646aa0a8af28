"""Graphs and errors as JSON bytes, for the pipe between a `GraphLoader` and its worker.

Compact because a graph crosses the pipe for every model: one list for each field of all tensors and of all nodes, and
equal attributes once. Checked on the way back, because a hostile model may have corrupted the worker's memory.
"""

import json
from collections.abc import Callable
from itertools import chain
from typing import Any, NoReturn

from profilers.onnx_graph.records import make_node, make_tensor
from profilers.schema import (
    DTYPE_BYTES,
    Attribute,
    Graph,
    InputError,
    InvalidModelError,
    ModelLimitError,
    Node,
    TensorSpec,
    UnboundDimensionError,
    UnsupportedOperatorError,
)

__all__ = ["decode_error", "decode_graph", "encode_error", "encode_graph"]


def encode_graph(graph: Graph) -> bytes:
    """The graph in UTF-8 JSON."""
    return json.dumps(_graph_items(graph), separators=(",", ":")).encode("utf-8", "surrogatepass")


def decode_graph(data: bytes) -> Graph:
    """The graph that `encode_graph` wrote.

    Raises:
        InvalidModelError: these bytes are no such thing.
    """
    try:
        return _graph(json.loads(data))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):
        raise InvalidModelError(
            "The process that reads models gave a malformed answer; the model is refused."
        ) from None


def encode_error(error: InputError) -> dict[str, Any]:
    """An error of the tree as JSON values."""
    kind = type(error).__name__
    if isinstance(error, ModelLimitError):
        return {"kind": kind, "limit": error.limit, "allowed": error.allowed, "found": error.found}
    if isinstance(error, UnboundDimensionError):
        return {"kind": kind, "dimensions": error.dimensions}
    if isinstance(error, UnsupportedOperatorError):
        return {"kind": kind, "operators": error.operators}
    return {"kind": kind, "message": str(error)}


def decode_error(plain: dict[str, Any]) -> InputError:
    """The error that `encode_error` wrote; anything malformed becomes an `InvalidModelError`."""
    build = _ERRORS.get(str(plain.get("kind")), _ERRORS["InvalidModelError"])
    try:
        return build(plain)
    except (KeyError, TypeError, ValueError):
        return InvalidModelError("The model is refused; the reason was lost on its way.")


_ERRORS: dict[str, Callable[[dict[str, Any]], InputError]] = {
    "InputError": lambda item: InputError(str(item["message"])),
    "InvalidModelError": lambda item: InvalidModelError(str(item["message"])),
    "ModelLimitError": lambda item: ModelLimitError(
        str(item["limit"]), allowed=int(item["allowed"]), found=str(item["found"])
    ),
    "UnboundDimensionError": lambda item: UnboundDimensionError(
        [(str(name), int(axis), str(symbol)) for name, axis, symbol in item["dimensions"]]
    ),
    "UnsupportedOperatorError": lambda item: UnsupportedOperatorError([str(name) for name in item["operators"]]),
}


def _graph_items(graph: Graph) -> list[Any]:
    tensors, nodes = graph.tensors, graph.nodes
    attributes = {id(node.attributes): node.attributes for node in nodes}
    place = {key: index for index, key in enumerate(attributes)}
    return [
        graph.hash, graph.inputs, graph.outputs, sorted(graph.initializers), graph.opset, graph.outer,
        graph.denormal_weights,
        [item.name for item in tensors], [item.dtype for item in tensors], [item.shape for item in tensors],
        list(map(dict, attributes.values())), [place[id(node.attributes)] for node in nodes],
        [node.operator for node in nodes], [node.domain for node in nodes], [node.name for node in nodes],
        [node.inputs for node in nodes], [node.outputs for node in nodes],
        [[node.macs, node.flops, node.parameter_bytes, node.input_bytes, node.output_bytes] for node in nodes],
        [node.trips for node in nodes],
        [[index, [_graph_items(body) for body in node.bodies]] for index, node in enumerate(nodes) if node.bodies],
    ]  # fmt: skip


def _graph(items: Any) -> Graph:
    (digest, inputs, outputs, initializers, opset, outer, denormal, names, dtypes, shapes, *columns) = items
    count = len(names)
    return Graph(
        hash=_text(digest), tensors=_tensors(names, dtypes, shapes), inputs=_indices(inputs, 0, count),
        outputs=_indices(outputs, 0, count), initializers=frozenset(_indices(initializers, 0, count)),
        nodes=_nodes(count, columns), opset=_size(opset), outer=_indices(outer, 0, count),
        denormal_weights=denormal is True,
    )  # fmt: skip


def _tensors(names: Any, dtypes: Any, shapes: Any) -> tuple[TensorSpec, ...]:
    _check_texts(names)
    if not _KNOWN_TYPES.issuperset(dtypes):
        _refuse(dtypes)
    _check_numbers([shape for shape in shapes if shape is not None], 0, 2**63)
    return tuple([
        make_tensor(name, dtype, None if shape is None else tuple(shape))
        for name, dtype, shape in zip(names, dtypes, shapes, strict=True)
    ])  # fmt: skip


def _nodes(count: int, columns: Any) -> tuple[Node, ...]:
    kinds, which, operators, domains, names, inputs, outputs, works, trips, bodies = columns
    for texts in (operators, domains, names):
        _check_texts(texts)
    _check_numbers(inputs, -1, count)
    _check_numbers(outputs, -1, count)
    _check_numbers(works, 0, None)
    _indices(trips, 0, None)
    attributes = [{_text(key): _attribute(item) for key, item in kind.items()} for kind in kinds]
    inside = {_size(index): tuple(map(_graph, graphs)) for index, graphs in bodies}
    rows = zip(_indices(which, 0, len(kinds)), operators, domains, names, inputs, outputs, works, trips, strict=True)
    return tuple([
        make_node(
            operator=operator, domain=domain, name=name, inputs=tuple(read), outputs=tuple(written),
            attributes=attributes[kind], work=work, bodies=inside.get(index, ()), trips=trips,
        )
        for index, (kind, operator, domain, name, read, written, work, trips) in enumerate(rows)
    ])  # fmt: skip


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


def _check_texts(values: Any) -> None:
    if not set(map(type, values)) <= {str}:
        _refuse(values)


def _size(value: Any) -> int:
    return value if type(value) is int and value >= 0 else _refuse(value)


def _check_numbers(lists: Any, low: int, high: int | None) -> None:
    """Lists of integers that all lie in low .. high - 1."""
    if not set(map(type, lists)) <= {list}:
        _refuse(lists)
    _indices(list(chain.from_iterable(lists)), low, high)


def _indices(values: Any, low: int, high: int | None) -> tuple[int, ...]:
    if not isinstance(values, list) or not set(map(type, values)) <= {int}:
        _refuse(values)
    if values and (min(values) < low or (high is not None and max(values) >= high)):
        _refuse(values)
    return tuple(values)


def _refuse(value: Any) -> NoReturn:
    raise ValueError(f"unexpected {type(value).__name__}")
