"""How a target runs graphs, as far as it decides which kernels there are."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Self

from latcast.schema import Target

__all__ = ["DEFAULT_STYLE", "KernelStyle", "Level"]


class Level(IntEnum):
    """How far a runtime rewrites a graph; the names are ONNX Runtime's."""

    DISABLED = 0
    """Every node is a kernel."""
    BASIC = 1
    """Constants folded, no-operations and repetitions dropped, weights changed for what follows them."""
    EXTENDED = 2
    """Decomposed operators found again, activations joined, 8-bit operators formed."""
    ALL = 3
    """Convolutions on channel blocks, 8-bit ones with channels last."""


@dataclass(frozen=True, slots=True)
class KernelStyle:
    """What decides, beside the graph, which kernels are executed.

    Args:
        level: how far the graph is rewritten.
        precision: `int8_dynamic` and `int8_static` quantise a float graph before it runs; others leave it alone.
        joins: chains of element-wise work and attention become one kernel each, and views none (see `joining`).
    """

    level: Level = Level.ALL
    precision: str = "fp32"
    joins: bool = False

    @classmethod
    def of(cls, target: Target) -> Self:
        """The style of a target; that of ONNX Runtime's default for a backend without known habits."""
        level = _LEVELS.get(target.backend, Level.ALL)
        if target.backend == "onnxruntime":
            level = Level[target.options.get("optimisation", "all").upper()]
        precision = target.precision if target.precision in {"int8_dynamic", "int8_static"} else "fp32"
        return cls(level, precision, joins=target.backend == "openvino")


_LEVELS = {"tract": Level.BASIC}
"""tract joins what ONNX Runtime joins at this level."""

DEFAULT_STYLE = KernelStyle()
"""ONNX Runtime at its default level, the graph as it is given."""
