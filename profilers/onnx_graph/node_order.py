"""The order of nodes: each behind those whose outputs it reads, as ONNX wants it and ONNX Runtime makes it.

Tools that edit graphs append what they insert, and runtimes do not mind.
"""

from collections.abc import Sequence
from heapq import heapify, heappop, heappush

from profilers.onnx_graph.source import SourceGraph, SourceNode

__all__ = ["in_order"]


def in_order(nodes: list[SourceNode]) -> list[SourceNode]:
    """The nodes of one graph, in their own order as far as it holds; as they are where they read in a circle.

    Args:
        nodes: in the file's order.
    """
    to_come = {name for node in nodes for name in node.outputs if name}
    for node in nodes:
        if not to_come.isdisjoint(_read(node)):
            return _sorted(nodes)
        to_come.difference_update(node.outputs)
    return nodes


def _sorted(nodes: Sequence[SourceNode]) -> list[SourceNode]:
    """Kahn's algorithm: of the nodes that have all they read, the one that stood first comes next."""
    maker = {name: at for at, node in enumerate(nodes) for name in node.outputs if name}
    needed = [{maker[name] for name in _read(node) if name in maker} for node in nodes]
    readers: list[list[int]] = [[] for _ in nodes]
    for at, makers in enumerate(needed):
        for before in makers:
            readers[before].append(at)
    ready = [at for at, makers in enumerate(needed) if not makers]
    heapify(ready)
    placed: list[SourceNode] = []
    while ready:
        at = heappop(ready)
        placed.append(nodes[at])
        for reader in readers[at]:
            needed[reader].discard(at)
            if not needed[reader]:
                heappush(ready, reader)
    return placed if len(placed) == len(nodes) else list(nodes)


def _read(node: SourceNode) -> set[str]:
    """Names that a node reads, by itself or in its bodies."""
    if not node.operation.graphs:
        return set(node.inputs)
    return set(node.inputs).union(*map(_captured, node.operation.graphs))


def _captured(body: SourceGraph) -> set[str]:
    """Names that a body reads from around it."""
    made = {name for node in body.nodes for name in node.outputs}
    made.update(info.name for info in body.inputs)
    made.update(tensor.name for tensor in body.tensors)
    made.update(sparse.values.name for sparse in body.sparse)
    read = {info.name for info in body.outputs}
    for node in body.nodes:
        read |= _read(node)
    return read - made
