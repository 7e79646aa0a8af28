"""Graphs as arrays: what a node is and does, and which tensors go from node to node.

Node features follow NNLQP (Liu et al., ICPP 2022, https://github.com/ModelTC/NNLQP): the operator, its attributes, its
output's shape, and its work; edges are the tensors that a node writes and another one reads, with their sizes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Self

import numpy as np
from numpy.typing import NDArray

from latcast.schema import DTYPE_BYTES, Graph, Node

__all__ = ["EDGE_FEATURES", "FEATURE_VERSION", "GLOBAL_FEATURES", "NODE_FEATURES", "GraphArrays", "roofline_cost"]

FEATURE_VERSION = "gcn-2"
NODE_FEATURES = (
    "flops", "macs", "parameter_bytes", "input_bytes", "output_bytes", "cost", "kernel", "stride", "dilation", "group",
    "rank", "batch", "channels", "last", "elements", "element_bytes", "inputs", "trips",
)  # fmt: skip
EDGE_FEATURES = ("bytes",)
GLOBAL_FEATURES = ("cost", "flops", "bytes", "nodes")
MOST = 1e18
"""Largest size that is told from larger ones."""
FLOPS_PER_BYTE, NODE_BYTES = 8.0, 4096.0
"""A typical machine's balance, and what a launch costs, as in `predictors.features.coverage`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphArrays:
    """One graph.

    Args:
        operators: intp (n,), places in a vocabulary; 0 for one that it lacks.
        nodes: float64 (n, `NODE_FEATURES`), logarithms of sizes.
        sources, sinks: intp (e,), nodes that write and read each tensor.
        edges: float64 (e, `EDGE_FEATURES`), logarithms of sizes.
        share: float64 (n,), each node's share of the graph's cost under a roofline.
        whole: float64 (`GLOBAL_FEATURES`,), logarithms of the graph's sizes.
    """

    operators: NDArray[np.intp]
    nodes: NDArray[np.float64]
    sources: NDArray[np.intp]
    sinks: NDArray[np.intp]
    edges: NDArray[np.float64]
    share: NDArray[np.float64]
    whole: NDArray[np.float64]

    @classmethod
    def of(cls, graph: Graph, vocabulary: Mapping[str, int]) -> Self:
        """The arrays of a graph; one without nodes has a node that does nothing.

        Args:
            graph: any.
            vocabulary: place of each operator, from 1 on.
        """
        costs = np.array([roofline_cost(node) for node in graph.nodes] or [NODE_BYTES])
        pairs = _edges(graph)
        moved = sum(node.parameter_bytes + node.input_bytes + node.output_bytes for node in graph.nodes)
        operators = [vocabulary.get(operator_of(node), 0) for node in graph.nodes] or [0]
        nodes = [_node_features(graph, node) for node in graph.nodes] or [[0.0] * len(NODE_FEATURES)]
        return cls(
            operators=np.array(operators, dtype=np.intp),
            nodes=np.array(nodes),
            sources=np.array([source for source, _, _ in pairs], dtype=np.intp),
            sinks=np.array([sink for _, sink, _ in pairs], dtype=np.intp),
            edges=np.log1p(np.array([size for _, _, size in pairs], dtype=np.float64))[:, None],
            share=costs / costs.sum(),
            whole=np.log1p([costs.sum(), _bounded(graph.flops), _bounded(moved), len(graph.nodes)]),
        )


def operator_of(node: Node) -> str:
    """The name of a node's operator, with its domain."""
    return f"{node.domain}::{node.operator}"


def roofline_cost(node: Node) -> float:
    """Time of a node on a typical machine, in bytes moved in that time."""
    moved = _bounded(node.parameter_bytes + node.input_bytes + node.output_bytes)
    return max(_bounded(node.flops) / FLOPS_PER_BYTE, moved) + NODE_BYTES * max(1.0, _bounded(node.trips))


def _bounded(size: float) -> float:
    """A size between 0 and `MOST`, whatever a model says."""
    return float(min(max(size, 0), MOST)) if size == size else 0.0  # noqa: PLR0124 - not a number is not itself


def _edges(graph: Graph) -> list[tuple[int, int, float]]:
    """(writer, reader, bytes) of each tensor that goes from node to node."""
    writers = {tensor: place for place, node in enumerate(graph.nodes) for tensor in node.outputs if tensor >= 0}
    return [
        (writers[tensor], place, _bounded(graph.tensors[tensor].size_bytes))
        for place, node in enumerate(graph.nodes)
        for tensor in node.inputs
        if tensor in writers
    ]


def _node_features(graph: Graph, node: Node) -> list[float]:
    written = [graph.tensors[tensor] for tensor in node.outputs if tensor >= 0]
    shape = (written[0].shape if written else None) or ()
    sizes = (
        node.flops, node.macs, node.parameter_bytes, node.input_bytes, node.output_bytes, roofline_cost(node),
        *(_product(node, name) for name in ("kernel_shape", "strides", "dilations")), _product(node, "group"),
        len(shape), shape[0] if shape else 1, shape[1] if len(shape) > 1 else 1, shape[-1] if shape else 1,
        prod(shape), DTYPE_BYTES.get(written[0].dtype, 4) if written else 4, len(node.inputs), node.trips,
    )  # fmt: skip
    logs: list[float] = np.log1p([_bounded(size) for size in sizes]).tolist()
    return logs


def _product(node: Node, name: str) -> float:
    """The product of an attribute's numbers; 1 where the node lacks it, or it holds anything else."""
    value = node.attributes.get(name, 1)
    numbers: Sequence[object] = value if isinstance(value, tuple) else (value,)
    if not all(isinstance(number, int | float) for number in numbers):
        return 1.0
    return _bounded(float(np.prod([_bounded(number) for number in numbers if isinstance(number, int | float)])))
