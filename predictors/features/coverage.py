"""Coverage of a graph by the training set: the operators in it, and the sizes that they have there."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from latcast.schema import Graph, Node
from predictors.base import FloatArray
from predictors.features.flat import moved_bytes, walk
from predictors.features.number_types import is_rare
from predictors.networks import Feature, GraphFeatures, Network

__all__ = ["COSTS", "NodeCost", "OperatorRanges", "node_costs"]

NodeCost = tuple[str, float, int]
COSTS: Feature = ("costs",)
"""What coverage is judged by, as it is asked for in another process."""

_FLOPS_PER_BYTE = 8.0
"""Machine balance by which nodes are weighed: common CPUs and phones do 4 to 16 FLOPs in the time of one byte."""

_NODE_BYTES = 4096
"""Cost of launching a kernel, in bytes moved in that time; without it, a network of tiny nodes would have no cost."""

_SLACK = 2.0
"""Factor by which a node's cost may leave the range of training before the node counts as uncovered."""


@dataclass(frozen=True, slots=True)
class OperatorRanges:
    """Operators of training, each with the range of cost that its nodes had.

    Args:
        ranges: "domain::operator", with "::type" for rare number types → (lowest, highest) cost of a node, in bytes or
            equivalent FLOPs.
    """

    ranges: Mapping[str, tuple[float, float]]

    @classmethod
    def of(cls, graphs: Iterable[Network]) -> Self:
        """The ranges of the graphs of a training set."""
        ranges: dict[str, tuple[float, float]] = {}
        for graph in graphs:
            for key, cost, _ in node_costs(graph):
                low, high = ranges.get(key, (cost, cost))
                ranges[key] = (min(low, cost), max(high, cost))
        return cls(ranges)

    def coverage(self, graph: Network) -> float:
        """Share of the graph's cost in nodes whose operator and size are in training, 0–1; 1 without nodes."""
        covered = total = 0.0
        for key, cost, times in node_costs(graph):
            total += times * cost
            covered += times * cost * self._has(key, cost)
        return covered / total if total else 1.0

    def shares(self, graphs: Iterable[Network]) -> FloatArray:
        """Coverage of each graph, float64 (n,)."""
        return np.array([self.coverage(graph) for graph in graphs], dtype=np.float64)

    def to_vocabulary(self) -> dict[str, Any]:
        """The ranges as JSON values, for an artifact."""
        return {key: list(bounds) for key, bounds in sorted(self.ranges.items())}

    @classmethod
    def from_vocabulary(cls, vocabulary: Mapping[str, Any]) -> Self:
        """The ranges that `to_vocabulary` stored."""
        return cls({key: (float(low), float(high)) for key, (low, high) in vocabulary.items()})

    def _has(self, key: str, cost: float) -> bool:
        low, high = self.ranges.get(key, (np.inf, -np.inf))
        return low / _SLACK <= cost <= high * _SLACK


def node_costs(network: Network) -> Sequence[NodeCost]:
    """(operator, cost, how often it runs) of each node, sorted."""
    if isinstance(network, GraphFeatures):
        costs: Sequence[NodeCost] = network.feature(COSTS)
        return costs
    return sorted(
        (_key(node, holder), flops / _FLOPS_PER_BYTE + moved_bytes(node) + _NODE_BYTES, times)
        for node, holder, flops, times in walk(network)
    )


def _key(node: Node, holder: Graph) -> str:
    """A node's operator, and its number type where that is one that few runtimes compute in."""
    dtype = holder.tensors[node.inputs[0]].dtype if node.inputs and node.inputs[0] >= 0 else ""
    operator = f"{node.domain}::{node.operator}"
    return f"{operator}::{dtype}" if is_rare(dtype) else operator
