"""How a target executes graphs: the one place that reads a target's runtime, precision, level and threads."""

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple, Self

from latcast.schema import InputError, Target

__all__ = ["DEFAULT_TRAITS", "ExecutionTraits", "Level", "RewriteRules"]


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


_LEVELS = {"tract": Level.BASIC}
"""Runtimes without levels of their own that do less than ONNX Runtime does by default."""
_INT8 = {"int8_dynamic", "int8_static"}


class RewriteRules(NamedTuple):
    """What decides, beside the graph, which kernels are executed: equal rules, equal kernels.

    Args:
        level: how far the graph is rewritten.
        precision: `int8_dynamic` or `int8_static` where a float graph is quantised before it runs, else `fp32`.
        joins_chains: chains of element-wise work and attention become one kernel each, and views none
            (`predictors.features.kernels.rewrite.openvino_fusion`).
    """

    level: Level
    precision: str
    joins_chains: bool


@dataclass(frozen=True, slots=True)
class ExecutionTraits:
    """How a target executes graphs.

    Args:
        backend: name of the runtime.
        precision: of its arithmetic.
        optimisation: level of the runtime's optimisations, as its option names it.
        several_threads: whether it runs on more than one thread.
    """

    backend: str = "onnxruntime"
    precision: str = "fp32"
    optimisation: str = "all"
    several_threads: bool = False

    @classmethod
    def of(cls, target: Target) -> Self:
        """The traits of a target; a model that runs as it is given runs in its own arithmetic, like one in fp32."""
        precision = "fp32" if target.precision == "as_given" else target.precision
        return cls(target.backend, precision, target.options.get("optimisation", "all"), target.threads > 1)

    @property
    def rewrite_rules(self) -> RewriteRules:
        """What the traits mean for kernels; a runtime whose rules are not known follows ONNX Runtime's defaults.

        Raises:
            InputError: ONNX Runtime has no level of that name.
        """
        precision = self.precision if self.precision in _INT8 else "fp32"
        return RewriteRules(self._level(), precision, joins_chains=self.backend == "openvino")

    def particulars(self) -> frozenset[str]:
        """Names of what sets the target apart: its runtime, and each trait that differs from the default."""
        names = {
            f"backend={self.backend}": True,
            f"precision={self.precision}": self.precision != "fp32",
            f"optimisation={self.optimisation}": self.optimisation != "all",
            "threads=several": self.several_threads,
        }
        return frozenset(name for name, holds in names.items() if holds)

    def _level(self) -> Level:
        if self.backend != "onnxruntime":
            return _LEVELS.get(self.backend, Level.ALL)
        try:
            return Level[self.optimisation.upper()]
        except KeyError:
            levels = ", ".join(level.name.lower() for level in Level)
            raise InputError(f"The level of optimisation is one of {levels}, not {self.optimisation!r}.") from None


DEFAULT_TRAITS = ExecutionTraits()
"""ONNX Runtime at its default level on one thread, the graph as it is given."""
