"""What runtimes read of a model beside the network: names of nodes, and the version of the file's format.

The graph's hash covers neither. A stored model has one form of both, so that whoever uploads a graph first does not
decide whether a runtime opens it for everybody after him.
"""

from collections.abc import Iterator

from onnx import IR_VERSION, helper

from profilers.onnx_graph.source import Source, SourceNode, walk_graphs

__all__ = ["make_readable", "name_nodes", "set_format"]

_FORMAT = 8
"""The format of stored models: all runtimes of today read it, and it has functions."""
_OVERRIDABLE_SINCE = 4
"""In older formats an initializer that is an input is a constant, and the hash says which one it is."""


def name_nodes(source: Source) -> None:
    """Call all nodes `n0`, `n1` and so on, in place: bodies and functions included, in the file's order."""
    for index, node in enumerate(node for nodes in _node_lists(source) for node in nodes):
        node.proto.name = f"n{index}"


def set_format(source: Source) -> None:
    """Set the version of the file's format to what the operator sets need, in place; the hash stays the same."""
    model = source.proto
    if model.ir_version < _OVERRIDABLE_SINCE:
        model.ir_version = _OVERRIDABLE_SINCE - 1
        return
    needed = helper.find_min_ir_version_for(model.opset_import, ignore_unknown=True)
    model.ir_version = max(_FORMAT, needed)


def make_readable(source: Source) -> bool:
    """Mend what runtimes refuse although it is none of the network, in place: names twice, a format of the future.

    Returns:
        Whether there was anything to mend.
    """
    twice = any(_has_twins(nodes) for nodes in _node_lists(source))
    future = source.proto.ir_version > IR_VERSION
    if twice:
        name_nodes(source)
    if future:
        set_format(source)
    return twice or future


def _node_lists(source: Source) -> Iterator[list[SourceNode]]:
    for graph in walk_graphs(source.graph):
        yield graph.nodes
    for function in source.functions:
        yield list(function.nodes)


def _has_twins(nodes: list[SourceNode]) -> bool:
    names = [node.name for node in nodes if node.name]
    return len(set(names)) < len(names)
