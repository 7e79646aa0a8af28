"""A small network from a kernel's shapes to what the roofline leaves of its time; here it is read, not trained.

Numbers come in standardised and bounded, so that beyond the sizes of training the network is nearly constant and the
roofline alone extrapolates. Class, operator and the traits of the target (its runtime, precision, level and threads)
have a vector each, added in the first layer; what training has not seen has none. Forward passes are three products of
matrices in NumPy: whoever forecasts needs no torch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from latcast.schema import ArtifactError, Target
from predictors.artifact import Artifact
from predictors.base import FloatArray
from predictors.data.splits import target_ids
from predictors.execution.side_by_side import side_by_side
from predictors.features.kernels import CLASSES, ExecutionTraits, KernelTable
from predictors.inference.blas_threads import products_on_one_thread
from predictors.kinds.kernel_sum.residual import kernel_numbers
from predictors.kinds.kernel_sum.roofline import Costs

__all__ = ["KernelEncoding", "KernelEnsemble", "KernelInputs", "KernelNetwork", "parts_of"]

_BOUND = 4.0
"""Standard deviations beyond which a size counts as no further away."""

_PART = 8192
"""Kernels that are looked at together: a graph of a hundred thousand would take a gigabyte of hidden units."""

_HIDDEN_PART = 512
"""Kernels whose hidden units are computed together: they stay in a core's second cache."""

_SATURATED = np.float32(30.0)
"""SiLU of what is further below zero is zero; exponentials of much more overflow."""

_LAYERS = (
    ("numbers", "numbers", 2), ("classes", "classes", 2), ("operators", "operators", 2), ("traits", "habits", 2),
    ("bias", "bias", 1), ("hidden", "hidden", 2), ("hidden_bias", "hidden_bias", 1), ("out", "out", 1),
    ("out_bias", "out_bias", 0),
)  # fmt: skip
"""(attribute, name in artifacts, dimensions) of each array."""

Floats = NDArray[np.float32]


def parts_of(count: int, size: int = _PART) -> list[slice]:
    """All of so many kernels, in parts that fit into memory; one part, if empty, where there are few."""
    return [slice(start, start + size) for start in range(0, max(count, 1), size)]


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelInputs:
    """What the network reads of K kernels.

    Args:
        numbers: float32 (K, f), standardised.
        classes: int64 (K,), index into `CLASSES`.
        operators: int64 (K,), index into the encoding's operators; their number for one that it does not know.
        traits: float32 (n, a), which traits each graph's target has.
        rows: int64 (K,), which graph.
    """

    numbers: Floats
    classes: NDArray[np.int64]
    operators: NDArray[np.int64]
    traits: Floats
    rows: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.classes)

    def part(self, kernels: slice) -> "KernelInputs":
        """Some of the kernels in a row; the graphs stay."""
        return KernelInputs(
            numbers=self.numbers[kernels],
            classes=self.classes[kernels],
            operators=self.operators[kernels],
            traits=self.traits,
            rows=self.rows[kernels],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelEncoding:
    """How kernels become inputs.

    Args:
        centre, scale: float64 (f,), of the numbers.
        operators: names that training has seen.
        traits: of targets of training, see `ExecutionTraits.particulars`.
    """

    centre: FloatArray
    scale: FloatArray
    operators: tuple[str, ...]
    traits: tuple[str, ...]

    @classmethod
    def fit(cls, table: KernelTable, targets: Sequence[Target], costs: Costs) -> Self:
        """The encoding that makes these kernels standard; see `encode`."""
        numbers, unique = kernel_numbers(table, costs), {id(target): target for target in targets}
        return cls(
            centre=numbers.mean(axis=0),
            scale=numbers.std(axis=0) + 1e-6,
            operators=tuple(sorted(set(table.operators))),
            traits=tuple(sorted(frozenset().union(*(_particulars(one) for one in unique.values())))),
        )

    def encode(self, table: KernelTable, targets: Sequence[Target], costs: Costs) -> KernelInputs:
        """Inputs of kernels.

        Args:
            table: K kernels.
            targets: n, of the graphs.
            costs: of the kernels, by the roofline.
        """
        places = _places(self.operators)
        unknown = len(places)
        return KernelInputs(
            numbers=np.concatenate(
                [self._standardised(table.part(part), costs.part(part)) for part in parts_of(len(table))]
            ),
            classes=table.kinds,
            operators=np.array([places.get(name, unknown) for name in table.operators], dtype=np.int64),
            traits=self.multi_hot(targets),
            rows=table.graph,
        )

    def _standardised(self, table: KernelTable, costs: Costs) -> Floats:
        numbers = (kernel_numbers(table, costs) - self.centre) / self.scale
        return np.fmin(np.fmax(numbers, -_BOUND), _BOUND).astype(np.float32)

    def multi_hot(self, targets: Sequence[Target]) -> Floats:
        """Which traits each target has, float32 (n, a); one that training has not seen counts for nothing."""
        names = target_ids(targets)
        by_name = {name: _particulars(target) for name, target in dict(zip(names, targets, strict=True)).items()}
        rows = {name: [float(trait in present) for trait in self.traits] for name, present in by_name.items()}
        hot = np.array([rows[name] for name in names], dtype=np.float32)
        return hot.reshape(len(targets), len(self.traits))


@lru_cache(maxsize=16)
def _places(names: tuple[str, ...]) -> Mapping[str, int]:
    return {name: place for place, name in enumerate(names)}


def _particulars(target: Target) -> frozenset[str]:
    return ExecutionTraits.of(target).particulars()


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelNetwork:
    """Two hidden layers of h units (SiLU), one output.

    Args:
        numbers: float32 (f, h); classes: (C, h); operators: (O + 1, h), the last row zero; traits: (a, h); bias: (h,).
        hidden: float32 (h, h); hidden_bias: (h,).
        out: float32 (h,); out_bias: ().
    """

    numbers: Floats
    classes: Floats
    operators: Floats
    traits: Floats
    bias: Floats
    hidden: Floats
    hidden_bias: Floats
    out: Floats
    out_bias: Floats

    def predict(self, inputs: KernelInputs) -> FloatArray:
        """Log time over the roofline's, float64 (K,)."""
        first = inputs.numbers @ self.numbers + self.classes[inputs.classes] + self.operators[inputs.operators]
        first += (inputs.traits @ self.traits + self.bias)[inputs.rows]
        second = _silu(first) @ self.hidden + self.hidden_bias
        return np.asarray(_silu(second) @ self.out + self.out_bias, dtype=np.float64)

    def to_arrays(self, prefix: str) -> dict[str, NDArray[Any]]:
        """Arrays for an artifact, in half precision: rounding moves a forecast by some hundredths of a percent."""
        return {f"{prefix}{key}": np.asarray(getattr(self, name), dtype=np.float16) for name, key, _ in _LAYERS}

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
        stored = {name: artifact.array(f"{prefix}{key}", ndim=ndim) for name, key, ndim in _LAYERS}
        network = cls(**{name: array.astype(np.float32) for name, array in stored.items()})
        rows = (len(network.classes), len(network.operators), len(network.traits))
        if rows != (len(CLASSES), len(encoding.operators) + 1, len(encoding.traits)):
            raise ArtifactError(
                f"The network {prefix!r} has {rows} classes, operators and traits: the artifact is corrupt."
            )
        return network


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelEnsemble:
    """m networks of h units side by side: the mean of their forecasts in three products instead of three for each.

    Args:
        numbers: float32 (f, m·h); classes: (C, m·h); operators: (O + 1, m·h); traits: (a, m·h); bias: (m·h,).
        hidden: float32 (m, h, h); hidden_bias: (m, 1, h).
        out: float32 (m, h, 1), of the mean; out_bias: mean.
    """

    numbers: Floats
    classes: Floats
    operators: Floats
    traits: Floats
    bias: Floats
    hidden: Floats
    hidden_bias: Floats
    out: Floats
    out_bias: float

    @classmethod
    def of(cls, networks: Sequence[KernelNetwork]) -> Self:
        """The ensemble of networks that read the same inputs."""
        first = {
            name: np.concatenate([getattr(network, name) for network in networks], axis=-1)
            for name in ("numbers", "classes", "operators", "traits", "bias")
        }
        return cls(
            **first,
            hidden=np.stack([network.hidden for network in networks]),
            hidden_bias=np.stack([network.hidden_bias for network in networks])[:, None, :],
            out=np.stack([network.out for network in networks])[:, :, None] / np.float32(len(networks)),
            out_bias=float(np.mean([network.out_bias for network in networks])),
        )

    def predict(self, inputs: KernelInputs) -> FloatArray:
        """Log time over the roofline's, float64 (K,)."""
        with products_on_one_thread():
            parts = [inputs.part(part) for part in parts_of(len(inputs), _HIDDEN_PART)]
            return np.concatenate(side_by_side(self._predict, parts))

    def _predict(self, inputs: KernelInputs) -> FloatArray:
        members, width, _ = self.hidden.shape
        first = inputs.numbers @ self.numbers
        first += self.classes[inputs.classes]
        first += self.operators[inputs.operators]
        first += (inputs.traits @ self.traits + self.bias)[inputs.rows]
        shape = (len(inputs), members, width)
        second = _silu(first).reshape(shape).transpose(1, 0, 2) @ self.hidden + self.hidden_bias
        return np.asarray((_silu(second) @ self.out)[:, :, 0].sum(axis=0) + self.out_bias, dtype=np.float64)


def _silu(x: Floats) -> Floats:
    divisor = np.negative(x)
    np.minimum(divisor, _SATURATED, out=divisor)
    np.exp(divisor, out=divisor)
    divisor += 1
    return np.asarray(x / divisor, dtype=np.float32)
