"""The content hash of a graph: a versioned Merkle hash over the graph as given.

Every tensor has a digest of how it is computed: an input of its position, type and shape; a constant of its type,
shape and, where they matter, values; a node's output of operator, attributes, bodies and the digests of the inputs.
The graph's hash covers the outputs in order and the multiset of all nodes and constants, dead ones included, each with
the multiset of its readers — so two equal nodes, one of which is dead, differ from one node that is read twice.
Names and the order of nodes never enter.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING

from onnx import numpy_helper

from latcast.schema import GraphHash
from profilers.onnx_graph.long_lists import LongList
from profilers.onnx_graph.source import Operation, SourceTensor
from profilers.onnx_graph.values import Dims, Value

if TYPE_CHECKING:
    from hashlib import _Hash as HASH

__all__ = ["HASH_VERSION", "Merkle", "graph_hash"]

HASH_VERSION = 1
"""Raised when equal graphs get other hashes than before."""

_OMITTED = b"\0" * 32
_POSITIONS = [position.to_bytes(4, "little") for position in range(16)]
"""Positions among a node's inputs or outputs, as they are hashed; later ones are made when needed."""


class Merkle:
    """Collects one graph or body; sets `Value.digest` and tells each value who reads it."""

    def __init__(self) -> None:
        self._made: list[tuple[bytes, Sequence[Value]]] = []

    def leaf(self, value: Value, kind: str, position: int) -> None:
        """An input of the graph or body."""
        value.digest = _digest(b"leaf", _encode((kind, position, value.dtype, value.dims or "?")))
        self._made.append((value.digest, (value,)))

    def constant(self, value: Value, tensor: SourceTensor, *, exact: bool) -> None:
        """An initializer or a Constant node; its values enter when `exact`."""
        if exact:
            value.digest = _digest(b"constant", _encode_tensor(tensor))
        else:
            value.digest = _weight_digest(tensor.dtype, tensor.dims)
        if value.overridable:
            value.digest = _digest(b"overridable", value.digest)
        self._made.append((value.digest, (value,)))

    def node(
        self,
        operation: Operation,
        inputs: Sequence[Value | None],
        outputs: Sequence[Value],
        bodies: Sequence[bytes] = (),
    ) -> None:
        """A node.

        Args:
            operation: what it does.
            inputs: None for an omitted one.
            outputs: all of them; an omitted one has no name.
            bodies: their digests, in the order of their attributes' names.
        """
        state = sha256(operation.encoded) if operation.encoded else _started(operation)
        state.update(b"".join([
            *bodies,
            b"inputs", *[_OMITTED if value is None else value.digest for value in inputs],
            b"outputs", *[b"+" if value.name else b"-" for value in outputs],
        ]))  # fmt: skip
        digest = state.digest()
        positions = _POSITIONS if len(inputs) + len(outputs) <= 16 else _positions(len(inputs) + len(outputs))
        for value, position in zip(inputs, positions, strict=False):
            if value is not None:
                value.readers.append(digest + position)
        for value, position in zip(outputs, positions, strict=False):
            value.digest = sha256(digest + position).digest()
        self._made.append((digest, outputs))

    def finish(self, outputs: Sequence[Value], *, context: bytes = b"") -> bytes:
        """Digest of the whole graph or body; call it once everything inside has been collected.

        Args:
            outputs: in order.
            context: what else the meaning of the graph depends on.
        """
        made = sorted([_made_digest(digest, values) for digest, values in self._made])
        return _digest(b"graph", context, *(value.digest for value in outputs), b"made", *made)


def graph_hash(digest: bytes) -> GraphHash:
    """The digest of a graph as it is written."""
    return f"g{HASH_VERSION}-{digest.hex()}"


def _digest(*parts: bytes) -> bytes:
    return sha256(b"".join(parts)).digest()


def _positions(count: int) -> list[bytes]:
    return [position.to_bytes(4, "little") for position in range(count)]


def _made_digest(digest: bytes, values: Sequence[Value]) -> bytes:
    """Of a node, constant or input, with everybody who reads what it makes."""
    if len(values) == 1 and len(values[0].readers) == 1:
        return sha256(b"%breaders%b" % (digest, values[0].readers[0])).digest()
    parts = [digest]
    for value in values:
        parts.append(b"readers")
        parts += sorted(value.readers)
    return sha256(b"".join(parts)).digest()


def _encode(value: object) -> bytes:
    """An unambiguous encoding: a Python literal. Not `repr`: what it escapes follows the version of Unicode."""
    return ascii(value).encode()


def _started(operation: Operation) -> "HASH":
    """A hash that has taken operator and attributes, but for the bodies; short encodings stay with the operation."""
    if operation.long:
        state = sha256()
        for part in _operation_parts(operation):
            state.update(part)
        return state
    operation.encoded = b"".join(_operation_parts(operation))
    return sha256(operation.encoded)


def _operation_parts(operation: Operation) -> Iterator[bytes]:
    yield b"node" + _encode((operation.domain, operation.operator)) + b"(["
    for place, (name, value) in enumerate(sorted(operation.plain.items())):
        yield (b", (" if place else b"(") + _encode(name) + b", "
        if isinstance(value, LongList):
            yield from (piece.encode() for piece in value.literals())
        else:
            yield _encode(value)
        yield b")"
    names = tuple(name for name, _ in operation.bodies)
    yield b"], " + _encode(names) + b", " + _encode(sorted(operation.other)) + b")"
    for name, item in sorted(operation.tensors.items()):
        yield _encode(name) + _encode_tensor(item)


@lru_cache(maxsize=4096)
def _weight_digest(dtype: str, dims: Dims) -> bytes:
    """Of a constant whose values do not matter."""
    return _digest(b"constant", _encode((dtype, dims, False)))


def _encode_tensor(tensor: SourceTensor) -> bytes:
    """Type, shape and values; however the file stores the values, the encoding is the same."""
    header = _encode((tensor.dtype, tensor.dims, True))
    if not tensor.filled or not tensor.elements:
        return header
    proto = tensor.proto
    if tensor.dtype == "string":
        return header + _encode(tuple(text.decode("utf-8", "backslashreplace") for text in proto.string_data))
    if proto.HasField("raw_data"):
        return header + proto.raw_data  # little-endian by definition
    array = numpy_helper.to_array(proto) if tensor.data is None else tensor.data
    return header + array.astype(array.dtype.newbyteorder("<")).tobytes()
