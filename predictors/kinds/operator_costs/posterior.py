"""One device's positive costs after k measurements: a few logarithms, near their most likely values.

Relative latency is o + Σ over places of count · e[operator] · Σ_q r[q] · work[place, q]: an overhead o, a cost e of
each operator and a rate r of each quantity, all positive, so that none of them has to be known to within its size.
Their logarithms are Gaussian beforehand; the measurements' are theirs plus noise, and each place may be off by a factor
of its own. The maximum is found by Levenberg and Marquardt's method, and the covariance is that of the model linearised
there (Laplace's approximation: MacKay, Information Theory, Inference, and Learning Algorithms, chapter 27).
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.optimize import least_squares

from predictors.base import FloatArray
from predictors.kinds.operator_costs.readings import Reading

__all__ = ["Costs", "Design", "Prior", "fitted", "size_of"]

_EVALUATIONS = 60
_FAR = 30.0
"""Logarithms beyond which nothing changes any more: the search must not overflow on its way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """Expectations of a device before anything was measured there.

    Args:
        mean, std: float64 (d,), of the logarithms: of each operator's cost, each quantity's rate, the overhead, and the
            level of all of them, see `size_of`.
        noise: standard deviation of a measurement's logarithm.
        places: standard deviation of the logarithm of each place's own factor.
    """

    mean: FloatArray
    std: FloatArray
    noise: float
    places: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """Architectures as a reading has them.

    Args:
        counts: float64 (n, p), in parts of the usual architecture.
        reading: the reading.
    """

    counts: FloatArray
    reading: Reading

    def forecast(self, logs: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Log relative latency (n,), its derivatives by the logarithms (n, d), and each place's share of it (n, p)."""
        reading, clipped = self.reading, np.clip(logs, -_FAR, _FAR)
        operators, rates, overhead = _parts(reading, np.exp(clipped))
        by_quantity = operators[reading.operators, None] * reading.work * rates
        whole = overhead + self.counts @ by_quantity.sum(axis=1)
        shares = self.counts * by_quantity.sum(axis=1) / whole[:, None]
        slopes = np.column_stack([
            shares @ np.eye(len(operators))[reading.operators],
            self.counts @ by_quantity / whole[:, None],
            overhead / whole,
            np.ones(len(whole)),
        ])  # fmt: skip
        return np.log(whole) + clipped[-1], slopes, shares


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """The costs of one device.

    Args:
        logs: float64 (d,), see `Prior`; the level is that of ms.
        places: float64 (p,), logarithm of each place's own factor.
        std: float64 (d + p,), of the logarithms and factors beforehand.
        gain: float64 (k, d + p), what the k measurements take off their covariance is its square.
        noise: standard deviation of a measurement's logarithm.
        log_evidence: of the measurements.
        errors, variances: float64 (k,), of each measurement's logarithm as the others forecast it.
    """

    logs: FloatArray
    places: FloatArray
    std: FloatArray
    gain: FloatArray
    noise: float
    log_evidence: float
    errors: FloatArray
    variances: FloatArray

    def forecast(self, design: Design) -> tuple[FloatArray, FloatArray]:
        """Mean and variance of log latency in ms, float64 (n,) each."""
        mean, slopes, shares = design.forecast(self.logs)
        rows = np.hstack([slopes, shares])
        variance = (rows * self.std) ** 2 @ np.ones(len(self.std)) - ((rows @ self.gain.T) ** 2).sum(axis=1)
        return mean + shares @ self.places, np.maximum(variance, 0.0) + self.noise**2


def size_of(reading: Reading) -> int:
    """Number d of logarithms: operators, quantities, the overhead and the level."""
    return 1 + int(reading.operators.max()) + int(reading.work.shape[1]) + 2


def fitted(design: Design, log_ms: FloatArray, prior: Prior, *, start: FloatArray | None = None) -> Costs:
    """The costs, given measurements.

    Args:
        design: the k measured architectures.
        log_ms: float64 (k,), logarithms of their latencies in ms.
        prior: of the device; its level is relative to the measurements' mean.
        start: float64 (d,), logarithms near the result, where some are known.
    """
    centred = replace(prior, mean=prior.mean + np.eye(len(prior.mean))[-1] * log_ms.mean())
    logs = centred.mean if start is None else start
    for _ in range(2 if prior.places > 0 else 1):  # the shares are those of the costs, which are found with them
        logs = _most_likely(design, log_ms, centred, logs)
    return _linearised(design, log_ms, centred, logs)


def _most_likely(design: Design, log_ms: FloatArray, prior: Prior, start: FloatArray) -> FloatArray:
    """The logarithms of highest posterior density, where places' factors count by their shares at the start."""
    mean, std, shares = prior.mean, prior.std, design.forecast(start)[2]
    noise = prior.places**2 * shares @ shares.T + prior.noise**2 * np.eye(len(shares))
    factor = np.tril(cho_factor(noise, lower=True)[0])
    white = solve_triangular(factor, np.eye(len(factor)), lower=True)

    def residuals(z: FloatArray) -> FloatArray:
        return np.append(white @ (design.forecast(mean + std * z)[0] - log_ms), z)

    def slopes(z: FloatArray) -> FloatArray:
        return np.vstack([white @ (design.forecast(mean + std * z)[1] * std), np.eye(len(z))])

    found = least_squares(residuals, (start - mean) / std, jac=slopes, method="lm", max_nfev=_EVALUATIONS)
    return np.asarray(mean + std * found.x)


def _linearised(design: Design, log_ms: FloatArray, prior: Prior, logs: FloatArray) -> Costs:
    """The Gaussian posterior of the model that is linear around the logarithms."""
    forecast, slopes, shares = design.forecast(logs)
    std = np.append(prior.std, np.full(shares.shape[1], prior.places))
    rows = np.hstack([slopes, shares]) * std
    covariance = rows @ rows.T + prior.noise**2 * np.eye(len(rows))
    factor = np.tril(cho_factor(covariance, lower=True)[0])
    # Around the most likely logarithms: what the linear model says of the measurements before they were seen.
    off = log_ms - forecast + slopes @ (logs - prior.mean)
    inverse = cho_solve((factor, True), np.eye(len(rows)))
    solved = inverse @ off
    change = std * (rows.T @ solved)
    evidence = -0.5 * float(off @ solved) - float(np.log(np.diag(factor)).sum())
    count = len(prior.mean)
    return Costs(
        logs=logs,
        places=change[count:],
        std=std,
        gain=solve_triangular(factor, rows * std, lower=True),
        noise=prior.noise,
        log_evidence=evidence,
        errors=solved / np.diag(inverse),
        variances=1 / np.diag(inverse),
    )


def _parts(reading: Reading, values: FloatArray) -> tuple[FloatArray, FloatArray, float]:
    """Costs of operators, rates of quantities, and the overhead."""
    quantities = reading.work.shape[1]
    return values[: -quantities - 2], values[-quantities - 2 : -2] / quantities, float(values[-2])
