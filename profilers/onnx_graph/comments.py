"""Dropping what a model holds besides the network: doc strings, metadata, unknown fields, how it was trained.

Nothing that is measured or forecast depends on it, it may take any number of bytes, and it may say more of its author
than is meant to be stored.
"""

from collections.abc import Iterable

from profilers.onnx_graph.placeholders import role_of
from profilers.onnx_graph.source import Source, SourceNode, walk_graphs

__all__ = ["drop_comments"]

_KEPT = "latcast"
"""Beginning of the keys of metadata that this project writes itself."""
_COMMENTS = ("doc_string", "metadata_props")


def drop_comments(source: Source) -> None:
    """Drop them in place; the marks of placeholders and of quantised models stay."""
    model = source.proto
    kept = [(entry.key, entry.value) for entry in model.metadata_props if entry.key.startswith(_KEPT)]
    _clear([model, model.graph])
    for key, value in kept:
        model.metadata_props.add(key=key, value=value)
    for graph in walk_graphs(source.graph):
        _clear((*graph.inputs, *graph.outputs, *graph.value_info))
        _clear(tensor.proto for tensor in graph.tensors if role_of(tensor.proto) is None)
        _drop_of_nodes(graph.nodes)
    for function in source.functions:
        _clear([function.proto])
        _drop_of_nodes(function.nodes)
    model.DiscardUnknownFields()


def _drop_of_nodes(nodes: Iterable[SourceNode]) -> None:
    for node in nodes:
        attributes = node.proto.attribute
        _clear([node.proto, *attributes])
        _clear(item.t for item in attributes if item.HasField("t") and role_of(item.t) is None)
        _clear(item.g for item in attributes if item.HasField("g"))


def _clear(messages: Iterable[object]) -> None:
    for message in messages:
        for field in _COMMENTS:
            if getattr(message, field, None):
                message.ClearField(field)  # type: ignore[attr-defined]  # a protocol buffer's
