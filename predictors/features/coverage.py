"""How much of a graph lies within what training has seen: operators, and the sizes they came in."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from latcast.schema import Graph
from predictors.base import FloatArray
from predictors.features.flat import moved_bytes, walk

__all__ = ["OperatorRanges"]

_FLOPS_PER_BYTE = 8.0
"""Machine balance for weighing nodes: common CPUs and phones do 4 to 16 FLOPs in the time of one byte."""

_NODE_BYTES = 4096
"""What starting a kernel costs, in bytes moved meanwhile: keeps a net of tiny nodes from having no cost at all."""

_SLACK = 2.0
"""Work may leave the trained range by this factor before a node counts as unseen."""


@dataclass(frozen=True, slots=True)
class OperatorRanges:
    """Operators of training, each with the range of cost that its nodes had.

    Args:
        ranges: "domain::operator" → (lowest, highest) cost of a node, in bytes or equivalent FLOPs.
    """

    ranges: Mapping[str, tuple[float, float]]

    @classmethod
    def of(cls, graphs: Iterable[Graph]) -> Self:
        """What these graphs show."""
        ranges: dict[str, tuple[float, float]] = {}
        for graph in graphs:
            for key, cost, _ in _costs(graph):
                low, high = ranges.get(key, (cost, cost))
                ranges[key] = (min(low, cost), max(high, cost))
        return cls(ranges)

    def coverage(self, graph: Graph) -> float:
        """Share of the graph's cost in nodes of known operators and sizes, 0–1; 1 for a graph without nodes."""
        known = total = 0.0
        for key, cost, times in sorted(_costs(graph)):
            total += times * cost
            known += times * cost * self._has(key, cost)
        return known / total if total else 1.0

    def shares(self, graphs: Iterable[Graph]) -> FloatArray:
        """Coverage of each graph, float64 (n,)."""
        return np.array([self.coverage(graph) for graph in graphs], dtype=np.float64)

    def to_vocabulary(self) -> dict[str, Any]:
        """JSON values for an artifact."""
        return {key: list(bounds) for key, bounds in sorted(self.ranges.items())}

    @classmethod
    def from_vocabulary(cls, vocabulary: Mapping[str, Any]) -> Self:
        """What `to_vocabulary` gave."""
        return cls({key: (float(low), float(high)) for key, (low, high) in vocabulary.items()})

    def _has(self, key: str, cost: float) -> bool:
        low, high = self.ranges.get(key, (np.inf, -np.inf))
        return low / _SLACK <= cost <= high * _SLACK


def _costs(graph: Graph) -> Iterable[tuple[str, float, int]]:
    for node, _, flops, times in walk(graph):
        yield f"{node.domain}::{node.operator}", flops / _FLOPS_PER_BYTE + moved_bytes(node) + _NODE_BYTES, times
