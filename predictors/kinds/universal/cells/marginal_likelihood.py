"""Marginal likelihood of Gaussian observations as a function of log scales, and its maximum."""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize

from predictors.base import FloatArray

__all__ = ["JITTER", "Task", "best_scales", "joint_best_scales"]

JITTER = 1e-7
"""Relative variance that is below any clock's noise."""

_BOUNDS = (-9.0, 2.0)
_CENTRE, _WIDTH = -4.0, 2.0
"""Weak log-normal prior on joint scales: it keeps a useless component small instead of at minus infinity."""

Task = tuple[FloatArray, FloatArray, float]
"""Kernels (c, n, n), residuals (n,), log noise."""


def best_scales(kernels: FloatArray, residuals: FloatArray, start: FloatArray, iterations: int) -> FloatArray:
    """Log scales of kernels and, last, of the noise that maximise the evidence: float64 (c + 1,)."""
    return _minimise(lambda scales: _negative_evidence(scales, kernels, residuals), start, iterations)


def joint_best_scales(tasks: Sequence[Task], start: FloatArray, iterations: int) -> FloatArray:
    """Log scales of kernels that maximise the evidence of several tasks together, each with its own noise."""

    def objective(scales: FloatArray) -> tuple[float, FloatArray]:
        away = (scales - _CENTRE) / _WIDTH
        value, gradient = 0.5 * float(away @ away), away / _WIDTH
        for kernels, residuals, noise in tasks:
            part, slope = _negative_evidence(np.append(scales, noise), kernels, residuals)
            value, gradient = value + part, gradient + slope[:-1]
        return value, gradient

    return _minimise(objective, start, iterations)


def _negative_evidence(scales: FloatArray, kernels: FloatArray, residuals: FloatArray) -> tuple[float, FloatArray]:
    """−log marginal likelihood and its gradient (Rasmussen and Williams 2006, equation 5.9)."""
    variances = np.exp(2 * scales)
    matrix = np.tensordot(variances[:-1], kernels, axes=1)
    matrix[np.diag_indices(len(residuals))] += variances[-1] + JITTER
    factor = cho_factor(matrix, lower=True, check_finite=False)
    inverse = cho_solve(factor, np.eye(len(residuals)), check_finite=False)
    alpha = inverse @ residuals
    value = 0.5 * residuals @ alpha + np.log(np.diag(factor[0])).sum()
    slope = 0.5 * (inverse - np.outer(alpha, alpha))
    gradient = np.append(kernels.reshape(len(kernels), -1) @ slope.ravel(), np.trace(slope))
    return float(value), 2 * variances * gradient


def _minimise(
    function: Callable[[FloatArray], tuple[float, FloatArray]], start: FloatArray, iterations: int
) -> FloatArray:
    bounds = [_BOUNDS] * len(start)
    optimum = minimize(function, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": iterations})
    return np.asarray(optimum.x, dtype=np.float64)
