"""How a target runs graphs, as far as it decides which kernels there are."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Self

from profilers.schema import Target

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
    """

    level: Level = Level.ALL
    precision: str = "fp32"

    @classmethod
    def of(cls, target: Target) -> Self:
        """The style of a target; that of ONNX Runtime's default for a backend without known habits."""
        level = _LEVELS.get(target.backend, Level.ALL)
        if target.backend == "onnxruntime":
            level = Level[target.options.get("optimisation", "all").upper()]
        return cls(level, target.precision if target.precision in {"int8_dynamic", "int8_static"} else "fp32")


_LEVELS = {"openvino": Level.EXTENDED, "tract": Level.BASIC}
"""OpenVINO and tract join what ONNX Runtime joins at these levels, and keep their layouts to themselves."""

DEFAULT_STYLE = KernelStyle()
"""ONNX Runtime at its default level, the graph as it is given."""
