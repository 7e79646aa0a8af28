"""Declarations of a model's tensors, taken from another form of it: sizes are bound without parsing weights."""

from latcast.onnx_files.wire import LENGTH, Bytes, Edit, Field, MalformedError
from latcast.schema import InvalidModelError

__all__ = ["declared_as"]

_GRAPH, _INPUT, _OUTPUT, _TENSOR = 7, 11, 12, 13
"""Fields of onnx.proto: of a model its graph; of a graph what it declares of inputs, outputs and other tensors."""


def declared_as(source: Bytes, model: bytes) -> list[Edit]:
    """The edits that make a model declare its inputs and outputs as another does, and nothing of other tensors.

    Args:
        source: a whole ONNX file.
        model: another form of it, such as one with its shapes bound.

    Raises:
        InvalidModelError: it has other inputs or outputs, or a graph in several pieces.
        MalformedError: one of them is no message.
    """
    other = Bytes(model)
    edits = [Edit(item.start, item.end, None) for item in _declarations(source, _TENSOR)]
    for number in (_INPUT, _OUTPUT):
        items, wanted = _declarations(source, number), _declarations(other, number)
        if len(items) != len(wanted):
            raise InvalidModelError("The model's inputs and outputs are not where they should be: export it again.")
        edits += [
            Edit(item.start, item.end, other.read(new.start, new.end)) for item, new in zip(items, wanted, strict=True)
        ]
    return edits


def _declarations(source: Bytes, number: int) -> list[Field]:
    graphs = [item for item in source.fields(0, source.size) if item.number == _GRAPH and item.wire_type == LENGTH]
    if len(graphs) != 1:
        raise InvalidModelError("The model's graph is not in one piece: export it again.")
    found = [item for item in source.fields(graphs[0].start, graphs[0].end) if item.number == number]
    if any(item.wire_type != LENGTH for item in found):
        raise MalformedError("a declaration that is no message")
    return found
