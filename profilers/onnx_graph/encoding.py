"""Graphs and errors as JSON bytes, for the pipe between a `GraphLoader` and its worker.

Compact (lists, not objects) because a graph crosses the pipe for every model; checked item by item on the way back,
because a hostile model may have corrupted the worker's memory.
"""

import json
from collections.abc import Callable
from typing import Any, NoReturn

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
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError):
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
    return [
        graph.hash, [[item.name, item.dtype, item.shape] for item in graph.tensors], graph.inputs, graph.outputs,
        sorted(graph.initializers), [_node_items(node) for node in graph.nodes], graph.opset, graph.outer,
        graph.denormal_weights,
    ]  # fmt: skip


def _node_items(node: Node) -> list[Any]:
    return [
        node.operator, node.domain, node.inputs, node.outputs, dict(node.attributes), node.macs, node.flops,
        node.parameter_bytes, node.input_bytes, node.output_bytes, [_graph_items(body) for body in node.bodies],
        node.trips, node.name,
    ]  # fmt: skip


def _graph(items: Any) -> Graph:
    digest, tensors, inputs, outputs, initializers, nodes, opset, outer, denormal = items
    count = len(tensors)
    return Graph(
        hash=_text(digest), tensors=tuple(_tensor(*item) for item in tensors), inputs=_indices(inputs, 0, count),
        outputs=_indices(outputs, 0, count), initializers=frozenset(_indices(initializers, 0, count)),
        nodes=tuple(_node(item, count) for item in nodes), opset=_size(opset), outer=_indices(outer, 0, count),
        denormal_weights=denormal is True,
    )  # fmt: skip


def _tensor(name: Any, dtype: Any, shape: Any) -> TensorSpec:
    if dtype and dtype not in DTYPE_BYTES:
        _refuse(dtype)
    return TensorSpec(name=_text(name), dtype=dtype, shape=None if shape is None else _indices(shape, 0, 2**63))


def _node(items: Any, count: int) -> Node:
    operator, domain, inputs, outputs, attributes, macs, flops, parameters, read, written, bodies, trips, name = items
    return Node(
        operator=_text(operator), domain=_text(domain), inputs=_indices(inputs, -1, count),
        outputs=_indices(outputs, -1, count),
        attributes={_text(key): _attribute(item) for key, item in attributes.items()},
        macs=_size(macs), flops=_size(flops), parameter_bytes=_size(parameters), input_bytes=_size(read),
        output_bytes=_size(written), bodies=tuple(map(_graph, bodies)), trips=_size(trips), name=_text(name),
    )  # fmt: skip


def _attribute(value: Any) -> Attribute:
    if isinstance(value, list):
        kinds = set(map(type, value))
        if len(kinds) > 1 or not kinds <= {int, float, str}:
            _refuse(value)
        return tuple(value)
    return value if isinstance(value, int | float | str) and not isinstance(value, bool) else _refuse(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else _refuse(value)


def _size(value: Any) -> int:
    return value if type(value) is int and value >= 0 else _refuse(value)


def _indices(values: Any, low: int, high: int) -> tuple[int, ...]:
    if not isinstance(values, list) or any(type(item) is not int or not low <= item < high for item in values):
        _refuse(values)
    return tuple(values)


def _refuse(value: Any) -> NoReturn:
    raise ValueError(f"unexpected {type(value).__name__}")
