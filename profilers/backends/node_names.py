"""Names of nodes that lead back to a model, through whatever a runtime appends to them."""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import onnx

from latcast.onnx_files import without_weights
from latcast.onnx_files.wire import LENGTH, Bytes, Field, Kept, Later, Parts, encoded_field, field_of, write
from profilers.quantisation import original_tensors

__all__ = ["name_nodes_by_output", "name_nodes_by_position", "nodes_of", "position", "produced"]

POSITION = re.compile(r"^latcast_(\d+)(?!\d)")


_GRAPH, _NODE = 7, 1
_OUTPUT, _NAME, _ATTRIBUTE = 2, 3, 5
_BODY, _BODIES = 6, 11
"""Fields of onnx.proto: of a model its graph, of a graph its nodes; of a node; of an attribute."""

Namer = Callable[[int, Sequence[str]], str]
"""Gives a node's name: (place in its graph, names of its outputs) → name."""


def name_nodes_by_position(model: bytes | Path, named: Path) -> tuple[onnx.NodeProto, ...]:
    """Write the model with every node named after its position, and give the nodes.

    A name holds nothing to separate it at. Weights are never in memory: what is between the names is copied.

    Args:
        model: or its path; a whole ONNX model.
        named: where to write it.
    """
    _write_named(model, named, lambda index, _: f"latcast_{index}")
    return tuple(_structure(model).graph.node)


def name_nodes_by_output(model: bytes | Path, named: Path) -> tuple[onnx.NodeProto, ...]:
    """Write the model with every node named after its first output, and give the nodes, bodies included.

    Args:
        model: or its path; a whole ONNX model.
        named: where to write it.
    """
    _write_named(model, named, lambda _, outputs: next(filter(None, outputs), ""))
    return tuple(nodes_of(_structure(model).graph))


def nodes_of(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """The nodes of a graph and of all bodies in it."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for body in (attribute.g, *attribute.graphs):
                yield from nodes_of(body)


def _structure(model: bytes | Path) -> onnx.ModelProto:
    return onnx.load_model_from_string(without_weights(model))


def _write_named(model: bytes | Path, named: Path, name: Namer) -> None:
    with named.open("wb") as out:
        if isinstance(model, bytes):
            write(_Namer(Bytes(model), name).model(), out)
            return
        with model.open("rb") as file:
            write(_Namer(Bytes(file, model.stat().st_size), name).model(), out)


class _Namer:
    """Gives nodes names in a message that is passed over.

    Args:
        source: the model.
        name: gives the names.
    """

    def __init__(self, source: Bytes, name: Namer) -> None:
        self._source, self._name = source, name

    def model(self) -> Parts:
        return self._changed(0, self._source.size, {_GRAPH: self._graph})

    def _graph(self, at: Field) -> Parts:
        places = iter(range(at.end))
        return self._changed(at.start, at.end, {_NODE: lambda node: self._node(next(places), node)})

    def _node(self, index: int, at: Field) -> Parts:
        outputs = [self._source.text(item) for item in self._source.fields(at.start, at.end) if item.number == _OUTPUT]
        name = self._name(index, outputs).encode("utf-8", "surrogateescape")
        rest = self._changed(at.start, at.end, {_NAME: lambda _: None, _ATTRIBUTE: self._attribute})
        return [*rest, encoded_field(_NAME, name)]

    def _attribute(self, at: Field) -> Parts:
        return self._changed(at.start, at.end, {_BODY: self._graph, _BODIES: self._graph})

    def _changed(self, start: int, end: int, changes: dict[int, Callable[[Field], Parts | None]]) -> Parts:
        """The message with what is said of its members; those for which there is None are left out."""
        parts: list[bytes | Later] = []
        kept = start
        for item in self._source.fields(start, end):
            if item.wire_type != LENGTH or item.number not in changes:
                continue
            parts.append(Kept(self._source, kept, item.at))
            content = changes[item.number](item)
            parts += [] if content is None else field_of(item.number, content)
            kept = item.end
        return [*parts, Kept(self._source, kept, end)]


def produced(node: onnx.NodeProto) -> tuple[str, ...]:
    """Names of the tensors that a node produces; what quantisation added is called after the tensor it belongs to."""
    return original_tensors(filter(None, node.output))


def position(name: str) -> int | None:
    """The position of the node that a name begins with; None for another name."""
    match = POSITION.match(name)
    return int(match[1]) if match else None
