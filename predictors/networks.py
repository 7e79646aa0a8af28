"""Networks as predictors read them: the record of a graph, or what was read off it in another process.

A service leaves foreign models to limited processes (`predictors.foreign`), from which numbers come back and
no records: whoever reads a network asks for features, and does not see which of the two it has.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from latcast.schema import Graph, GraphHash, LatcastError

__all__ = ["RECORD", "Feature", "GraphFeatures", "Network"]

Feature = tuple[str | int, ...]
"""Something that is read off a graph: its name, and what else it depends on."""

RECORD: Feature = ("record",)
"""The graph's whole record, for predictors that do not say which features they read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphFeatures:
    """What was read off a graph, in place of its record.

    Args:
        hash: content hash of the graph.
        flops: floating-point operations of one run.
        size: nodes, those of bodies included.
        remarks: what people should be told of it.
        features: value of each feature that was asked for, or why it cannot be read.
    """

    hash: GraphHash
    flops: int
    size: int
    remarks: tuple[str, ...] = ()
    features: Mapping[Feature, Any] = field(default_factory=dict)

    def feature(self, wanted: Feature) -> Any:
        """The value of a feature.

        Raises:
            LatcastError: it cannot be read off this graph, or nobody asked for it.
        """
        value = self.features.get(wanted)
        if value is None:
            raise LatcastError(f"A predictor reads {wanted[0]!r} of a graph, but its capabilities do not name that.")
        if isinstance(value, LatcastError):
            raise value
        return value


Network = Graph | GraphFeatures
"""What features are read off."""
