"""What the kernels of a target's measured graphs say beyond its factors: a Gaussian process over their residuals.

Factors and tilts move all kernels of a class alike, or along a few shapes. A kernel that was timed on the target says
more of kernels of its class with nearly its shapes: residuals of log time have an exponential covariance over the
network's standardised inputs, class by class (Rasmussen and Williams, Gaussian Processes, sections 2.2 and 4.2.1).
Its peak is blunt: exp(-(√(d² + b²) - b) / r) is a covariance, too, for √(t + b²) - b is a Bernstein function of t, and
it is smooth, so that `predictors.kinds.kernel_sum.part_curves` can read it off a few sizes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from latcast.schema import ArtifactError
from predictors.artifact import Artifact
from predictors.base import FloatArray
from predictors.execution.side_by_side import side_by_side
from predictors.features.kernels import CLASSES
from predictors.inference.random_effects import DEGREES
from predictors.kinds.kernel_sum.sums import Kernels, Labels, factors
from predictors.kinds.universal.graphs.kernel_network import Floats, KernelInputs, parts_of

__all__ = ["KernelResiduals"]

_REACH = 4.0
"""Distance over the standardised inputs in which the covariance falls to 1/e."""
_BLUNT = 0.2
"""Distance within which two kernels are nearly the same."""
_STD = 0.25
"""Standard deviation of what factors leave of a kernel's log time."""
_NOISE_STD = 0.3
"""Standard deviation of one timed kernel's noise; of many alike a quarter of that at best."""
_MOST_ALIKE = 16
_BOUND = 1.0
"""Residuals of log time beyond it are mistaken attributions rather than shapes."""
_MOST_OF_CLASS = 600
"""Timed kernels of a class that are kept, those that take longest first."""
_PART = 256
"""Kernels that are looked at together: their distances to all of a class stay in a core's second cache."""
_CALL = CLASSES.index("call")
_JUDGING_PARTS = 5
"""Parts of the graphs, each forecast by the kernels of the others."""
_LATENCY_STD = 0.1
"""Scale of what is left of a graph's log latency, with tails of Student's t."""

Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelResiduals:
    """The n timed kernels of one target, and what each contributes to the forecasts of kernels near it.

    Args:
        numbers: float32 (n, f), inputs of the network, standardised.
        classes: int64 (n,), index into `CLASSES`.
        weights: float64 (n,), of the covariance with each kernel.
        blunt: distance within which the covariance is flat; zero in artifacts that do not say it.
    """

    numbers: Floats
    classes: Indices
    weights: FloatArray
    blunt: float = _BLUNT

    @classmethod
    def fit(cls, inputs: KernelInputs, kernels: Kernels, labels: Labels, u: FloatArray) -> "KernelResiduals | None":
        """Learn from the support of a target; None where no kernel of it was timed.

        Args:
            inputs: of K kernels.
            kernels: the same, as the shared model forecasts them.
            labels: of them.
            u: float64 (d,), the target's multipliers given the support.
        """
        times = kernels.times(u)
        profiler = factors(u).profiler[kernels.kinds]
        residual = np.clip(np.log(labels.kernel_time) - np.log(times) - profiler, -_BOUND, _BOUND)
        timed = np.flatnonzero(np.isfinite(residual) & (kernels.kinds != _CALL))
        if not len(timed):
            return None
        first, alike = _merged(inputs, timed)
        count = np.bincount(alike)
        cost = np.asarray(np.bincount(alike, weights=times[timed]), dtype=np.float64)
        kept = _costliest(inputs.classes[first], cost)
        mean = (np.bincount(alike, weights=residual[timed]) / count)[kept]
        noise = (_NOISE_STD**2 / np.minimum(count, _MOST_ALIKE))[kept]
        numbers, classes = inputs.numbers[first[kept]], inputs.classes[first[kept]]
        weights = np.zeros(len(kept))
        for kind in np.unique(classes):
            mine = np.flatnonzero(classes == kind)
            covariance = _covariance(numbers[mine], numbers[mine], _BLUNT) + np.diag(noise[mine])
            weights[mine] = np.linalg.solve(covariance, mean[mine])
        return cls(numbers=numbers, classes=classes, weights=weights)

    @classmethod
    def believed(
        cls, inputs: KernelInputs, kernels: Kernels, labels: Labels, u: FloatArray
    ) -> "KernelResiduals | None":
        """`fit`, less the more the kernels of other graphs spoil forecasts of latencies that are left out.

        Kernels are timed by a profiler, whose times are not what they take without one. On a machine that is like those
        of training their residuals are mostly that; on one that is not, they say what its shapes take. Which it is,
        latencies tell: correction and none are averaged by how likely these are of graphs in five parts, each forecast
        by the kernels of the others (pseudo-Bayesian model averaging: Yao et al., Using stacking to average Bayesian
        predictive distributions, Bayesian Analysis 13, 2018).
        """
        residuals = cls.fit(inputs, kernels, labels, u)
        if residuals is None:
            return None
        times, count = kernels.times(u), kernels.count
        part = np.random.default_rng(0).permutation(count) % min(_JUDGING_PARTS, count)
        without = np.log(labels.latency) - np.log(kernels.totals(times))
        with_others = without.copy()
        for left_out in range(int(part.max()) + 1):
            others = np.where(part[kernels.rows] == left_out, np.nan, labels.kernel_time)
            told = cls.fit(inputs, kernels, replace(labels, kernel_time=others), u)
            if told is not None:
                forecast = kernels.totals(times * np.exp(told.correction(inputs)))
                mine = part == left_out
                with_others[mine] = (np.log(labels.latency) - np.log(forecast))[mine]
        odds = float(np.clip((_log_likelihood(with_others) - _log_likelihood(without)).sum(), -50.0, 50.0))
        return replace(residuals, weights=residuals.weights / (1 + np.exp(-odds)))

    def correction(self, inputs: KernelInputs) -> FloatArray:
        """To be added to the log time of kernels of this target, float64 (K,)."""
        near = {kind: _Near.of(self, kind) for kind in np.intersect1d(self.classes, inputs.classes).tolist()}
        parts = [inputs.part(part) for part in parts_of(len(inputs), _PART)]
        return np.concatenate(side_by_side(partial(_correction, near), parts))

    def to_arrays(self, prefix: str) -> dict[str, np.ndarray[Any, Any]]:
        """Arrays for an artifact."""
        arrays = {f"{prefix}{name}": getattr(self, name) for name in ("numbers", "classes", "weights")}
        return {**arrays, f"{prefix}blunt": np.array(self.blunt)}

    @classmethod
    def from_artifact(cls, artifact: Artifact, prefix: str, width: int) -> Self:
        """What `to_arrays` wrote; `width` is the number of inputs.

        Raises:
            ArtifactError: arrays are missing or do not fit each other.
        """
        numbers = artifact.array(f"{prefix}numbers", ndim=2)
        classes, weights = (artifact.array(f"{prefix}{name}", ndim=1) for name in ("classes", "weights"))
        if numbers.shape != (len(classes), width) or weights.shape != classes.shape:
            raise ArtifactError("The artifact's kernels of a target do not fit each other: it is corrupt.")
        name = f"{prefix}blunt"
        return cls(
            numbers=numbers.astype(np.float32),
            classes=classes.astype(np.int64),
            weights=weights.astype(np.float64),
            blunt=float(artifact.array(name, ndim=0)) if name in artifact.arrays else 0.0,
        )


@dataclass(frozen=True, slots=True)
class _Near:
    """The timed kernels of one class, as distances to them are worked out: one product in place of three sums.

    Args:
        factors: float64 (f + 2, n), of which the product with (numbers, their square's sum, 1) is a squared distance,
            with what blunts it.
        least: of these, of a kernel that is timed itself.
        weights: float64 (n,), of what falls with the distance.
    """

    factors: FloatArray
    least: float
    weights: FloatArray

    @classmethod
    def of(cls, residuals: KernelResiduals, kind: int) -> "_Near":
        mine, blunt = residuals.classes == kind, residuals.blunt / _REACH
        numbers = residuals.numbers[mine].astype(np.float64).T / _REACH
        squares = (numbers**2).sum(axis=0) + blunt**2
        return cls(
            factors=np.concatenate([-2 / _REACH * numbers, np.full((1, numbers.shape[1]), _REACH**-2), squares[None]]),
            least=blunt**2,
            weights=residuals.weights[mine] * (_STD**2 * np.exp(blunt)),
        )

    def correction(self, numbers: FloatArray) -> FloatArray:
        """Log residuals of m kernels of the class, float64 (m,), as the timed ones say; of numbers float64 (m, f)."""
        squares = (numbers**2).sum(axis=1)[:, None]
        each = np.concatenate([numbers, squares, np.ones_like(squares)], axis=1) @ self.factors
        # In place: new arrays for each step take twice as long as what is computed.
        np.maximum(each, self.least, out=each)
        np.sqrt(each, out=each)
        np.negative(each, out=each)
        np.exp(each, out=each)
        return np.asarray(each @ self.weights)


def _correction(near: Mapping[int, _Near], inputs: KernelInputs) -> FloatArray:
    total = np.zeros(len(inputs))
    for kind, those in near.items():
        theirs = np.flatnonzero(inputs.classes == kind)
        if len(theirs):
            total[theirs] = those.correction(inputs.numbers[theirs].astype(np.float64))
    return total


def _merged(inputs: KernelInputs, timed: Indices) -> tuple[Indices, Indices]:
    """(one timed kernel of each class and shapes, which of these each timed kernel is)."""
    keys = np.column_stack([inputs.classes[timed], np.round(inputs.numbers[timed], 3)])
    _, first, alike = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    return timed[first], alike.reshape(-1)


def _costliest(classes: Indices, cost: FloatArray) -> Indices:
    """The kernels of each class that take longest, ascending, int64."""
    order = np.lexsort((-cost, classes))
    rank = np.arange(len(order)) - np.searchsorted(classes[order], classes[order])
    return np.asarray(np.sort(order[rank < _MOST_OF_CLASS]), dtype=np.int64)


def _log_likelihood(residual: FloatArray) -> FloatArray:
    """Log likelihood of each residual, up to a constant."""
    return np.asarray(-(DEGREES + 1) / 2 * np.log1p((residual / _LATENCY_STD) ** 2 / DEGREES))


def _covariance(left: Floats, right: Floats, blunt: float) -> FloatArray:
    a, b = left.astype(np.float64), right.astype(np.float64)
    each = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T
    # In place: new arrays for each step take twice as long as what is computed.
    np.maximum(each, 0.0, out=each)
    each += blunt**2
    np.sqrt(each, out=each)
    each -= blunt
    each /= -_REACH
    np.exp(each, out=each)
    each *= _STD**2
    return np.asarray(each)
