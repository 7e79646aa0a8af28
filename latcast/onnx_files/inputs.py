"""Inputs and symbols of a model whose sizes can be given, read off the wire."""

from typing import NamedTuple

from latcast.onnx_files.wire import LENGTH, Bytes, Field, MalformedError

__all__ = ["DeclaredInputs", "declared_inputs"]

_GRAPH, _INITIALIZER, _INPUT = 7, 5, 11
_NAME_OF_VALUE, _TYPE, _TENSOR_TYPE, _SHAPE, _DIMENSION, _SYMBOL = 1, 2, 1, 2, 1, 2
_NAME_OF_TENSOR = 8
"""Fields of onnx.proto: of a model, its graph, an input down to the symbol of a dimension, and a tensor."""


class DeclaredInputs(NamedTuple):
    """Names by which the sizes of a model's inputs are given.

    Args:
        names: of the inputs that are fed; none of an initializer.
        symbols: of their dimensions, each once.
    """

    names: tuple[str, ...]
    symbols: tuple[str, ...]


def declared_inputs(model: bytes) -> DeclaredInputs | None:
    """The names in a model; None where it is no ONNX, of which whoever loads it says what is wrong.

    Args:
        model: the bytes of an ONNX file, with its weights or without.
    """
    source = Bytes(model)
    try:
        graphs = [item for item in source.fields(0, source.size) if item.number == _GRAPH and item.wire_type == LENGTH]
        return _of_graphs(source, graphs) if graphs else None
    except MalformedError:
        return None


def _of_graphs(source: Bytes, graphs: list[Field]) -> DeclaredInputs:
    constants, inputs = set[str](), list[Field]()
    for graph in graphs:
        for item in source.fields(graph.start, graph.end):
            if item.number == _INITIALIZER and item.wire_type == LENGTH:
                constants.update(source.text(name) for name in _inside(source, item, _NAME_OF_TENSOR))
            elif item.number == _INPUT and item.wire_type == LENGTH:
                inputs.append(item)
    names, symbols = list[str](), list[str]()
    for item in inputs:
        (name, *_) = [source.text(one) for one in _inside(source, item, _NAME_OF_VALUE)] or [""]
        if name not in constants:
            names.append(name)
            symbols += [
                source.text(one) for one in _at(source, item, (_TYPE, _TENSOR_TYPE, _SHAPE, _DIMENSION, _SYMBOL))
            ]
    return DeclaredInputs(tuple(names), tuple(dict.fromkeys(symbol for symbol in symbols if symbol)))


def _at(source: Bytes, item: Field, numbers: tuple[int, ...]) -> list[Field]:
    """The fields that are reached from a message by these numbers."""
    found = [item]
    for number in numbers:
        found = [inner for outer in found for inner in _inside(source, outer, number)]
    return found


def _inside(source: Bytes, item: Field, number: int) -> list[Field]:
    return [one for one in source.fields(item.start, item.end) if one.number == number and one.wire_type == LENGTH]
