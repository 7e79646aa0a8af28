"""Nodes of a graph as columns, to be drawn: far less memory than the graph's records take."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from latcast.schema import Graph, Node
from predictors.networks import Feature

__all__ = ["NODES", "DrawnNode", "DrawnNodes", "node_columns"]

NODES: Feature = ("nodes",)
UNKNOWN = -1
"""Rank of a shape that nobody can tell."""
LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnNode:
    """One operator; work for one run, sizes in bytes.

    Args:
        name: in the model, or that of its first output.
        operator: its operator.
        inputs: places of the nodes whose outputs it reads, sorted.
        shape: of its first output; None where nobody can tell.
        dtype: of its first output; empty where it has none.
        flops: floating-point operations.
        parameter_bytes, input_bytes, output_bytes: what it reads and writes.
    """

    name: str
    operator: str
    inputs: tuple[int, ...]
    shape: tuple[int, ...] | None
    dtype: str
    flops: int
    parameter_bytes: int
    input_bytes: int
    output_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnNodes:
    """n nodes in the order of execution.

    Args:
        names: (n,).
        kinds: the different (operator, type of the first output).
        kind: int32 (n,), place among them.
        input_counts: int64 (n,), how many nodes each reads of.
        inputs: int64 (all of them), places of these.
        ranks: int64 (n,), of the shapes; -1 where a shape is unknown.
        sizes: int64 (all ranks), the shapes one after the other.
        numbers: int64 (n, 4), FLOPs, and bytes of parameters, inputs and outputs.
    """

    names: Sequence[str]
    kinds: Sequence[tuple[str, str]]
    kind: Any
    input_counts: Any
    inputs: Any
    ranks: Any
    sizes: Any
    numbers: Any

    def __iter__(self) -> Iterator[DrawnNode]:
        """The nodes, made one at a time."""
        reads = pairwise(accumulate(map(int, self.input_counts), initial=0))
        shapes = pairwise(accumulate((max(0, int(rank)) for rank in self.ranks), initial=0))
        for place, ((first, last), (start, end)) in enumerate(zip(reads, shapes, strict=True)):
            operator, dtype = self.kinds[self.kind[place]]
            flops, parameter_bytes, input_bytes, output_bytes = self.numbers[place].tolist()
            yield DrawnNode(
                name=self.names[place], operator=operator, inputs=tuple(self.inputs[first:last].tolist()),
                shape=None if self.ranks[place] == UNKNOWN else tuple(self.sizes[start:end].tolist()), dtype=dtype,
                flops=flops, parameter_bytes=parameter_bytes, input_bytes=input_bytes, output_bytes=output_bytes,
            )  # fmt: skip


def node_columns(graph: Graph) -> DrawnNodes:
    """The nodes of a graph; counts beyond 64 bits are cut off there."""
    makers = {output: place for place, node in enumerate(graph.nodes) for output in node.outputs if output >= 0}
    reads = [sorted({makers[tensor] for tensor in node.inputs if tensor in makers}) for node in graph.nodes]
    firsts = [_first_output(graph, node) for node in graph.nodes]
    tensors = [graph.tensors[first] if first >= 0 else None for first in firsts]
    kinds = [(node.operator, tensor.dtype if tensor else "") for node, tensor in zip(graph.nodes, tensors, strict=True)]
    places = {kind: place for place, kind in enumerate(dict.fromkeys(kinds))}
    shapes = [tensor.shape if tensor else None for tensor in tensors]
    return DrawnNodes(
        names=[
            node.name or (tensor.name if tensor else node.operator)
            for node, tensor in zip(graph.nodes, tensors, strict=True)
        ],
        kinds=list(places),
        kind=np.array([places[kind] for kind in kinds], dtype=np.int32),
        input_counts=np.array([len(each) for each in reads], dtype=np.int64),
        inputs=np.array([place for each in reads for place in each], dtype=np.int64),
        ranks=np.array([UNKNOWN if shape is None else len(shape) for shape in shapes], dtype=np.int64),
        sizes=np.array([min(size, LARGEST) for shape in shapes for size in shape or ()], dtype=np.int64),
        numbers=np.array(
            [[min(number, LARGEST) for number in _numbers(node)] for node in graph.nodes], dtype=np.int64
        ).reshape(len(graph.nodes), 4),
    )


def _numbers(node: Node) -> tuple[int, int, int, int]:
    return node.flops, node.parameter_bytes, node.input_bytes, node.output_bytes


def _first_output(graph: Graph, node: Node) -> int:
    return next((output for output in node.outputs if 0 <= output < len(graph.tensors)), -1)
