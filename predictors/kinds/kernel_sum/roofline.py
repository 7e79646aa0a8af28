"""The smooth part: a kernel's time is a sum of kinds of work, each at its class's own rate.

t = Σ_j exp(θ_cj) · w_j with the work w_j (launch, multiply-accumulates, bytes, …) known and the cost exp(θ_cj) per unit
learned for each kernel class c. Costs are positive and the form is linear in work, so that it extrapolates to kernels
larger than any measured. A roofline has a maximum in place of the sum (Williams, Waterman and Patterson, Communications
of the ACM 52, 2009); the sum is smooth, and the trees over it learn how much of the work overlaps.

θ has a weakly informative Gaussian prior around a plain machine's costs, shifted to the measured speed, which decides
where a class has few kernels or none. The loss is that of a Student-t on log time.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.optimize import minimize

from predictors.base import FloatArray
from predictors.features.kernels import CLASSES, KernelTable

__all__ = ["WORK_TERMS", "Costs", "Roofline", "work_matrix"]

WORK_TERMS: tuple[str, ...] = (
    "launch", "macs", "operations", "moved_bytes", "parameter_bytes", "parts", "spilled_bytes", "streamed_bytes",
)  # fmt: skip
"""Kinds of work: columns of `work_matrix`."""

_PLAIN_COST = np.log([2e-3, 3e-8, 1e-7, 5e-8, 1e-7, 5e-6, 5e-8, 5e-8])
"""log ms for each unit of work on a plain core: 33 GMAC/s, 10 Gop/s, 20 GB/s, 5 ns for each contiguous part."""

_PRIOR_STD = 1.5
_PRIOR_REACH = 10.0
_NEGLIGIBLE = 10.0
_TERM_SCALE = 0.3
"""Spread of log time that one kernel's label is taken to have: sets the prior's weight against the data."""
_SPILL_BYTES = 2**20
_STREAM_BYTES = 16 * 2**20
_SLOW_CLASSES = {
    "conv_plain": 1.0,
    "conv_plain_grouped": 1.0,
    "conv_plain_depthwise": 1.0,
    "conv_depthwise": 1.0,
    "rnn": 0.7,
    "other": 1.0,
    "einsum": 1.0,
    "sort": 2.0,
}


def work_matrix(table: KernelTable) -> FloatArray:
    """Work of each kernel, float64 (n, len(WORK_TERMS)); `launch` is one."""
    moved = table.column("input_bytes") + table.column("output_bytes")
    parameters = table.column("parameter_bytes")
    spilled = moved * moved / (moved + _SPILL_BYTES)
    context = table.column("graph_parameter_bytes")
    columns = [
        np.ones(len(table)),
        table.column("macs"),
        table.column("operations"),
        moved,
        parameters,
        table.column("parts"),
        spilled,
        parameters * context / (context + _STREAM_BYTES),
    ]
    return np.stack(columns, axis=1)


@dataclass(frozen=True, slots=True)
class Costs:
    """What a roofline says of n kernels.

    Args:
        log_time: float64 (n,), of one run of each.
        shares: float64 (n, terms), which part of it each kind of work takes; rows sum to one.
    """

    log_time: FloatArray
    shares: FloatArray

    def part(self, kernels: slice) -> "Costs":
        """What it says of some of the kernels in a row."""
        return Costs(self.log_time[kernels], self.shares[kernels])


@dataclass(frozen=True, slots=True, kw_only=True)
class Roofline:
    """Costs by class.

    Args:
        log_cost: θ, float64 (classes, terms), log time for each unit of work.
    """

    log_cost: FloatArray

    @classmethod
    def fit(cls, work: FloatArray, kinds: np.ndarray, log_time: FloatArray, weights: FloatArray) -> Self:
        """Learn the costs of each class from single kernels.

        Args:
            work: float64 (n, terms), see `work_matrix`.
            kinds: int64 (n,), index into `CLASSES`.
            log_time: float64 (n,), log of each kernel's time.
            weights: float64 (n,).
        """
        prior = _prior()
        prior += np.median(log_time - _log_time(prior[kinds], work)) if len(log_time) else 0.0
        log_cost = prior.copy()
        for kind in np.unique(kinds):
            part = kinds == kind
            log_cost[kind] = _fit_class(work[part], log_time[part], weights[part], prior[kind])
        return cls(log_cost=log_cost)

    def with_call(self, time: float) -> Self:
        """The roofline with that time for what a run takes besides its kernels; next to nothing where it is zero."""
        log_cost = self.log_cost.copy()
        call = CLASSES.index("call")
        log_cost[call, 0] = np.log(time) if time > 0 else log_cost[:, 0].min() - _NEGLIGIBLE
        return type(self)(log_cost=log_cost)

    def log_time(self, work: FloatArray, kinds: np.ndarray) -> FloatArray:
        """Log of each kernel's time, float64 (n,)."""
        return _log_time(self.log_cost[kinds], work)

    def costs(self, table: KernelTable) -> Costs:
        """What it says of these kernels."""
        parts = work_matrix(table) * np.exp(self.log_cost)[table.kinds]
        time = parts.sum(axis=1)
        return Costs(np.log(time), parts / time[:, None])


def _prior() -> FloatArray:
    prior = np.tile(_PLAIN_COST, (len(CLASSES), 1))
    for name, slower in _SLOW_CLASSES.items():
        prior[CLASSES.index(name), 1:] += slower
    return np.asarray(prior)


def _log_time(log_cost: FloatArray, work: FloatArray) -> FloatArray:
    return np.asarray(np.log((work * np.exp(log_cost)).sum(axis=1)))


def _fit_class(work: FloatArray, log_time: FloatArray, weights: FloatArray, prior: FloatArray) -> FloatArray:
    """Maximum a posteriori costs of one class, by L-BFGS with the exact gradient."""

    def loss(log_cost: FloatArray) -> tuple[float, FloatArray]:
        parts = work * np.exp(log_cost)
        time = parts.sum(axis=1)
        residual = (np.log(time) - log_time) / _TERM_SCALE
        offset = (log_cost - prior) / _PRIOR_STD
        value = float(weights @ (2.5 * np.log1p(residual**2 / 4)) + 0.5 * offset @ offset)
        slope = weights * (5 * residual / (4 + residual**2)) / _TERM_SCALE / time
        return value, np.asarray(slope @ parts + offset / _PRIOR_STD)

    bounds = [(middle - _PRIOR_REACH, middle + _PRIOR_REACH) for middle in prior]
    optimum = minimize(loss, prior, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 300})
    return np.asarray(optimum.x, dtype=np.float64)
