"""Reading what a node does: equal operations, as one network repeats them, are read once and shared."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

from onnx import AttributeProto

from profilers.onnx_graph.long_lists import floats, integers, texts
from profilers.onnx_graph.source import Operation, Plain, SourceTensor

__all__ = ["PLAIN", "Shared", "plain_value", "shared_operation"]

_LARGEST_SHARED = 512
"""Bytes of an attribute that may be kept; tree ensembles hold megabytes."""


_TENSOR = AttributeProto.TENSOR
_NUMBERS = frozenset({AttributeProto.INT, AttributeProto.FLOAT})


class Shared(NamedTuple):
    """An operation without bodies, and what its attributes hold at most, for the limits."""

    operation: Operation
    names: tuple[str, ...]
    most_elements: int
    most_bytes: int


def shared_operation(operator: str, domain: str, attributes: Sequence[AttributeProto]) -> Shared | None:
    """The operation, where all attributes are small and no bodies; else None.

    A Constant's tensor stays where it is in the model: its values may be taken out there.
    """
    written = []
    for attribute in attributes:
        kind = attribute.type
        if kind not in PLAIN and (kind != _TENSOR or operator == "Constant"):
            return None
        if kind not in _NUMBERS and attribute.ByteSize() > _LARGEST_SHARED:
            return None
        written.append(attribute.SerializeToString())
    return _read(operator, domain, tuple(written))


@lru_cache(maxsize=8192)
def _read(operator: str, domain: str, written: tuple[bytes, ...]) -> Shared:
    attributes = [AttributeProto.FromString(data) for data in written]
    plain = {item.name: plain_value(item) for item in attributes if item.type in PLAIN}
    tensors = {
        item.name: SourceTensor(item.t, item.t.name, tuple(item.t.dims))
        for item in attributes
        if item.type == AttributeProto.TENSOR
    }
    fault = "has an attribute twice" if len(plain) + len(tensors) != len(attributes) else ""
    lists = [len(value) for value in plain.values() if isinstance(value, tuple)]
    texts = [len(text) for item in attributes for text in (item.s, *item.strings)]
    operation = Operation(operator, domain, plain=plain, tensors=tensors, fault=fault, shared=True)
    return Shared(operation, tuple(item.name for item in attributes), max(lists, default=0), max(texts, default=0))


def plain_value(attribute: AttributeProto) -> Plain:
    """The value of an attribute whose type is in `PLAIN`."""
    return PLAIN[attribute.type](attribute)


def _text(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")


PLAIN: dict[int, Callable[[AttributeProto], Plain]] = {
    AttributeProto.INT: lambda attribute: attribute.i,
    AttributeProto.INTS: lambda attribute: integers(attribute.ints),
    AttributeProto.FLOAT: lambda attribute: attribute.f,
    AttributeProto.FLOATS: lambda attribute: floats(attribute.floats),
    AttributeProto.STRING: lambda attribute: _text(attribute.s),
    AttributeProto.STRINGS: lambda attribute: texts(attribute.strings, _text),
}
"""How a value is read, by `AttributeProto.type`."""
