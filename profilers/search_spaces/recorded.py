"""What a `GraphBuilder` has recorded of a graph, before any ONNX is written."""

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from profilers.onnx_graph import Role

__all__ = ["Recorded", "RecordedNode", "RecordedWeight", "Tensor"]


@dataclass(frozen=True, slots=True)
class Tensor:
    """A value of the graph under construction."""

    name: str
    shape: tuple[int, ...]
    dtype: str = "float32"

    @property
    def channels(self) -> int:
        """Size of axis 1."""
        return self.shape[1]

    @property
    def elements(self) -> int:
        """Number of elements."""
        return prod(self.shape)


class RecordedNode(NamedTuple):
    """A node; an attribute is a number, a text, a list of them, an array, or a body (a `Recorded`)."""

    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]
    domain: str


class RecordedWeight(NamedTuple):
    """A parameter without its values."""

    name: str
    shape: tuple[int, ...]
    role: "Role"
    dtype: str


class Recorded(NamedTuple):
    """A graph.

    Args:
        name: of the graph.
        opset: version of the ai.onnx opset.
        nodes: in order.
        inputs, outputs: of the graph.
        weights: parameters.
        constants: (name, values) of each.
    """

    name: str
    opset: int
    nodes: list[RecordedNode]
    inputs: list[Tensor]
    outputs: list[Tensor]
    weights: list[RecordedWeight]
    constants: list[tuple[str, np.ndarray[Any, Any]]]
