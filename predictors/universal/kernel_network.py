"""A small network from a kernel's shapes to what the roofline leaves of its time; here it is read, not trained.

Numbers come in standardised and bounded, so that beyond the sizes of training the network is nearly constant and the
roofline alone extrapolates. Class, operator and the habits of the target (its runtime, precision, level and threads)
have a vector each, added in the first layer; what training has not seen has none. Forward passes are three products of
matrices in NumPy: whoever forecasts needs no torch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from predictors.artifact import Artifact
from predictors.base import FloatArray
from predictors.features.kernels import CLASSES, KernelTable
from predictors.kernel_sum.residual import tree_features
from profilers.schema import ArtifactError, Target

__all__ = ["KernelEncoding", "KernelInputs", "KernelNetwork", "ensemble_mean", "habits_of"]

_BOUND = 4.0
"""Standard deviations beyond which a size counts as no further away."""

_LAYERS: Mapping[str, int] = {
    "numbers": 2, "classes": 2, "operators": 2, "habits": 2, "bias": 1,
    "hidden": 2, "hidden_bias": 1, "out": 1, "out_bias": 0,
}  # fmt: skip

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelInputs:
    """What the network reads of K kernels.

    Args:
        numbers: float32 (K, f), standardised.
        classes: int64 (K,), index into `CLASSES`.
        operators: int64 (K,), index into the encoding's operators; their number for one that it does not know.
        habits: float32 (n, a), which habits each graph's target has.
        rows: int64 (K,), which graph.
    """

    numbers: Floats
    classes: NDArray[np.int64]
    operators: NDArray[np.int64]
    habits: Floats
    rows: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.classes)


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelEncoding:
    """How kernels become inputs.

    Args:
        centre, scale: float64 (f,), of the numbers.
        operators: names that training has seen.
        habits: of targets that training has seen, see `habits_of`.
    """

    centre: FloatArray
    scale: FloatArray
    operators: tuple[str, ...]
    habits: tuple[str, ...]

    @classmethod
    def fit(cls, table: KernelTable, targets: Sequence[Target], log_time: FloatArray, shares: FloatArray) -> Self:
        """The encoding that makes these kernels standard; see `encode`."""
        numbers = _numbers(table, log_time, shares)
        return cls(
            centre=numbers.mean(axis=0),
            scale=numbers.std(axis=0) + 1e-6,
            operators=tuple(sorted(set(table.operators))),
            habits=tuple(sorted({habit for target in _distinct(targets) for habit in habits_of(target)})),
        )

    def encode(
        self, table: KernelTable, targets: Sequence[Target], log_time: FloatArray, shares: FloatArray
    ) -> KernelInputs:
        """Inputs of kernels.

        Args:
            table: K kernels.
            targets: n, of the graphs.
            log_time: float64 (K,), the roofline's forecast.
            shares: float64 (K, terms), the roofline's shares.
        """
        numbers = (_numbers(table, log_time, shares) - self.centre) / self.scale
        index = {name: place for place, name in enumerate(self.operators)}
        return KernelInputs(
            numbers=np.clip(numbers, -_BOUND, _BOUND).astype(np.float32),
            classes=table.kinds,
            operators=np.array([index.get(name, len(index)) for name in table.operators], dtype=np.int64),
            habits=self.multi_hot(targets),
            rows=table.graph,
        )

    def multi_hot(self, targets: Sequence[Target]) -> Floats:
        """Which habits each target has, float32 (n, a)."""
        known = {target.id: habits_of(target) for target in _distinct(targets)}
        rows = [[float(name in known[target.id]) for name in self.habits] for target in targets]
        return np.array(rows, dtype=np.float32).reshape(len(targets), len(self.habits))


def habits_of(target: Target) -> frozenset[str]:
    """What is particular to how a target runs kernels; nothing for ONNX Runtime with float32 on one thread.

    A target whose habits training has not seen is read as that one.
    """
    found = {f"backend={target.backend}": target.backend != "onnxruntime"}
    found[f"precision={target.precision}"] = target.precision not in {"fp32", "as_given"}
    level = target.options.get("optimisation", "all")
    found[f"optimisation={level}"] = level != "all"
    found["threads=several"] = target.threads > 1
    return frozenset(name for name, holds in found.items() if holds)


def _distinct(targets: Sequence[Target]) -> list[Target]:
    return list({target.id: target for target in targets}.values())


def _numbers(table: KernelTable, log_time: FloatArray, shares: FloatArray) -> FloatArray:
    return np.nan_to_num(tree_features(table, (), log_time, shares)[:, 2:])


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelNetwork:
    """Two hidden layers of h units (SiLU), one output.

    Args:
        numbers: float32 (f, h); classes: (C, h); operators: (O + 1, h), the last row zero; habits: (a, h); bias: (h,).
        hidden: float32 (h, h); hidden_bias: (h,).
        out: float32 (h,); out_bias: ().
    """

    numbers: Floats
    classes: Floats
    operators: Floats
    habits: Floats
    bias: Floats
    hidden: Floats
    hidden_bias: Floats
    out: Floats
    out_bias: Floats

    def predict(self, inputs: KernelInputs) -> FloatArray:
        """Log time over the roofline's, float64 (K,)."""
        first = inputs.numbers @ self.numbers + self.classes[inputs.classes] + self.operators[inputs.operators]
        first += (inputs.habits @ self.habits + self.bias)[inputs.rows]
        second = _silu(first) @ self.hidden + self.hidden_bias
        return np.asarray(_silu(second) @ self.out + self.out_bias, dtype=np.float64)

    def to_arrays(self, prefix: str) -> dict[str, NDArray[Any]]:
        """Arrays for an artifact, in half precision: rounding moves a forecast by some hundredths of a percent."""
        return {f"{prefix}{name}": np.asarray(getattr(self, name), dtype=np.float16) for name in _LAYERS}

    @classmethod
    def from_artifact(cls, artifact: Artifact, prefix: str, encoding: KernelEncoding) -> Self:
        """The network whose `to_arrays` went into the artifact.

        Args:
            artifact: with the arrays.
            prefix: of their names.
            encoding: of its inputs.

        Raises:
            ArtifactError: arrays are missing or do not fit each other.
        """
        stored = {name: artifact.array(f"{prefix}{name}", ndim=ndim) for name, ndim in _LAYERS.items()}
        network = cls(**{name: array.astype(np.float32) for name, array in stored.items()})
        rows = (len(network.classes), len(network.operators), len(network.habits))
        if rows != (len(CLASSES), len(encoding.operators) + 1, len(encoding.habits)):
            raise ArtifactError(
                f"The network {prefix!r} has {rows} classes, operators and habits: the artifact is corrupt."
            )
        return network


def ensemble_mean(networks: Sequence[KernelNetwork], inputs: KernelInputs) -> FloatArray:
    """Mean of the networks' forecasts, float64 (K,)."""
    return np.asarray(np.mean([network.predict(inputs) for network in networks], axis=0))


def _silu(x: Floats) -> Floats:
    return np.asarray(x / (1.0 + np.exp(-np.maximum(x, -30.0))), dtype=np.float32)
