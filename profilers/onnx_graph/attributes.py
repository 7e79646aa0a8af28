"""Attributes of a node, sorted into plain values, tensors and bodies."""

from collections.abc import Callable
from typing import NamedTuple

from onnx import AttributeProto, GraphProto, NodeProto, TensorProto

from profilers.schema import Attribute, InvalidModelError

__all__ = ["Attributes", "read_attributes"]


class Attributes(NamedTuple):
    """What a node's attributes hold.

    Args:
        plain: numbers, strings and lists of them.
        tensors: constant tensors.
        bodies: subgraphs, in the order of their attributes' names.
        other: names of attributes of kinds that no known operator uses (types, sparse tensors, lists of tensors).
    """

    plain: dict[str, Attribute]
    tensors: dict[str, TensorProto]
    bodies: tuple[tuple[str, GraphProto], ...]
    other: tuple[str, ...]


def read_attributes(node: NodeProto) -> Attributes:
    """The node's attributes.

    Raises:
        InvalidModelError: an attribute twice, without a type, or that refers to a function's attribute.
    """
    plain: dict[str, Attribute] = {}
    tensors: dict[str, TensorProto] = {}
    bodies: list[tuple[str, GraphProto]] = []
    other: list[str] = []
    for attribute in node.attribute:
        name, kind = attribute.name, attribute.type
        if kind == AttributeProto.TENSOR:
            tensors[name] = attribute.t
        elif kind == AttributeProto.GRAPH:
            bodies.append((name, attribute.g))
        elif kind in _READERS:
            plain[name] = _READERS[kind](attribute)
        elif kind == AttributeProto.UNDEFINED or attribute.ref_attr_name:
            raise InvalidModelError(f"The attribute {name!r} of a {node.op_type} node has no value of its own.")
        else:
            other.append(name)
    if len(plain) + len(tensors) + len(bodies) + len(other) != len(node.attribute):
        raise InvalidModelError(f"A {node.op_type} node has an attribute twice.")
    return Attributes(plain, tensors, tuple(sorted(bodies, key=lambda item: item[0])), tuple(other))


def _text(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")


_READERS: dict[int, Callable[[AttributeProto], Attribute]] = {
    AttributeProto.INT: lambda attribute: attribute.i,
    AttributeProto.INTS: lambda attribute: tuple(attribute.ints),
    AttributeProto.FLOAT: lambda attribute: attribute.f,
    AttributeProto.FLOATS: lambda attribute: tuple(attribute.floats),
    AttributeProto.STRING: lambda attribute: _text(attribute.s),
    AttributeProto.STRINGS: lambda attribute: tuple(map(_text, attribute.strings)),
}
