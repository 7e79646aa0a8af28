"""The content hash of a graph: a versioned Merkle hash over the graph as given.

Every tensor has a digest of how it is computed: an input of its position, type and shape; a constant of its type,
shape and, where they matter, values; a node's output of operator, attributes, bodies and the digests of the inputs.
The graph's hash covers the outputs in order and the multiset of all nodes and constants, dead ones included, each with
the multiset of its readers — so two equal nodes, one of which is dead, differ from one node that is read twice.
Names and the order of nodes never enter.
"""

import hashlib
from collections.abc import Sequence

from onnx import TensorProto, numpy_helper

from profilers.onnx_graph.attributes import Attributes
from profilers.onnx_graph.constants import element_count, has_values
from profilers.onnx_graph.dtypes import dtype_name
from profilers.onnx_graph.values import Value
from profilers.schema import Attribute, GraphHash

__all__ = ["HASH_VERSION", "Merkle", "graph_hash"]

HASH_VERSION = 1
"""Raised when equal graphs get other hashes than before."""

_OMITTED = b"\0" * 32


class Merkle:
    """Collects one graph or body; sets `Value.digest` and tells each value who reads it."""

    def __init__(self) -> None:
        self._made: list[tuple[bytes, Sequence[Value]]] = []

    def leaf(self, value: Value, kind: str, position: int) -> None:
        """An input of the graph or body."""
        value.digest = _digest(b"leaf", _encode((kind, position, value.dtype, value.dims or "?")))
        self._made.append((value.digest, (value,)))

    def constant(self, value: Value, tensor: TensorProto, *, exact: bool) -> None:
        """An initializer or a Constant node; its values enter when `exact`."""
        value.digest = _digest(b"constant", _encode_tensor(tensor, exact=exact))
        self._made.append((value.digest, (value,)))

    def node(
        self,
        operator: tuple[str, str],
        attributes: Attributes,
        inputs: Sequence[Value | None],
        outputs: Sequence[Value],
        bodies: Sequence[bytes] = (),
    ) -> None:
        """A node.

        Args:
            operator: domain (`""` for ai.onnx) and type.
            attributes: of the node.
            inputs: None for an omitted one.
            outputs: all of them; an omitted one has no name.
            bodies: their digests, in the order of their attributes' names.
        """
        digest = _digest(
            b"node", _encode(operator), _encode_attributes(attributes), *bodies,
            b"inputs", *(_OMITTED if value is None else value.digest for value in inputs),
            b"outputs", *(b"+" if value.name else b"-" for value in outputs),
        )  # fmt: skip
        for position, value in enumerate(inputs):
            if value is not None:
                value.readers.append(digest + position.to_bytes(4, "little"))
        for position, value in enumerate(outputs):
            value.digest = _digest(digest, position.to_bytes(4, "little"))
        self._made.append((digest, outputs))

    def finish(self, outputs: Sequence[Value], *, context: bytes = b"") -> bytes:
        """Digest of the whole graph or body; call it once everything inside has been collected.

        Args:
            outputs: in order.
            context: what else the meaning of the graph depends on.
        """
        made = sorted(
            _digest(digest, *(part for value in values for part in (b"readers", *sorted(value.readers))))
            for digest, values in self._made
        )
        return _digest(b"graph", context, *(value.digest for value in outputs), b"made", *made)


def graph_hash(digest: bytes) -> GraphHash:
    """The digest of a graph as it is written."""
    return f"g{HASH_VERSION}-{digest.hex()}"


def _digest(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def _encode(value: Attribute | tuple[object, ...]) -> bytes:
    """An unambiguous encoding: a Python literal. Not `repr`: what it escapes follows the version of Unicode."""
    return ascii(value).encode()


def _encode_attributes(attributes: Attributes) -> bytes:
    names = tuple(name for name, _ in attributes.bodies)
    plain = _encode((sorted(attributes.plain.items()), names, sorted(attributes.other)))
    tensors = (_encode(name) + _encode_tensor(item, exact=True) for name, item in sorted(attributes.tensors.items()))
    return b"".join([plain, *tensors])


def _encode_tensor(tensor: TensorProto, *, exact: bool) -> bytes:
    """Type, shape and values; however the file stores the values, the encoding is the same."""
    dtype = dtype_name(tensor.data_type)
    header = _encode((dtype, tuple(tensor.dims), exact))
    if not exact or not has_values(tensor) or not element_count(tensor):
        return header
    if dtype == "string":
        return header + _encode(tuple(text.decode("utf-8", "backslashreplace") for text in tensor.string_data))
    if tensor.HasField("raw_data"):
        return header + tensor.raw_data  # little-endian by definition
    array = numpy_helper.to_array(tensor)
    return header + array.astype(array.dtype.newbyteorder("<")).tobytes()
