"""Latency as a sum of what stands at each position, by least squares, with standard errors."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latcast.schema import InputError
from latcast.schema.counting import counted
from predictors.base import FloatArray

__all__ = ["AdditiveCosts", "fit_costs"]

HELD_OUT = 3
"""Every third architecture is held out to see how much a sum explains."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdditiveCosts:
    """What options cost at their positions. An option that no architecture has is NaN.

    Args:
        overhead_ms: latency of the cheapest option everywhere.
        costs_ms: for each position float64 (options,), in ms beyond the cheapest option there; where a position may be
            absent, beyond its absence.
        errors_ms: for each position float64 (options,), standard errors of these.
        explained: share of the variance of held-out latencies that the sums explain.
        error_ms: root mean square of the held-out differences.
        rows: architectures that it rests on.
    """

    overhead_ms: float
    costs_ms: tuple[FloatArray, ...]
    errors_ms: tuple[FloatArray, ...]
    explained: float
    error_ms: float
    rows: int


def fit_costs(choices: NDArray[np.intp], options: Sequence[int], latency_ms: FloatArray) -> AdditiveCosts:
    """The costs whose sums come closest to latencies.

    Args:
        choices: intp (n, positions), index of the option at each position; -1 where it is absent.
        options: number of options at each position.
        latency_ms: float64 (n,).

    Raises:
        InputError: there are too few architectures to tell the options' costs.
    """
    design, columns = _design(choices, options)
    rank = int(np.linalg.matrix_rank(design))
    if len(design) < rank + 2 or len(design) < 2 * HELD_OUT:
        needed = max(1 + sum(count - 1 for count in options) + 2, 2 * HELD_OUT)
        raise InputError(
            f"{counted(len(design), 'latency')} cannot tell what {counted(sum(options), 'option')} cost: it "
            f"takes {needed}, of "
            "architectures that have all of them."
        )
    held_out = np.arange(len(design)) % HELD_OUT == 0
    solution, *_ = np.linalg.lstsq(design[~held_out], latency_ms[~held_out])
    differences = latency_ms[held_out] - design[held_out] @ solution
    spread = float(np.var(latency_ms[held_out]))
    weights = np.asarray(np.linalg.lstsq(design, latency_ms)[0], dtype=np.float64)
    residuals = latency_ms - design @ weights
    variance = float(residuals @ residuals) / max(1, len(design) - rank)
    covariance = np.asarray(variance * np.linalg.pinv(design.T @ design), dtype=np.float64)
    overhead, costs, errors = _readable(weights, covariance, columns, choices, options)
    return AdditiveCosts(
        overhead_ms=overhead,
        costs_ms=costs,
        errors_ms=errors,
        explained=1 - float(np.mean(differences**2)) / spread if spread > 0 else 0.0,
        error_ms=float(np.sqrt(np.mean(differences**2))),
        rows=len(design),
    )


def _design(choices: NDArray[np.intp], options: Sequence[int]) -> tuple[FloatArray, list[dict[int, int]]]:
    """A column of ones and one for each option, but for the first of a position that is never absent; and where the
    options' columns are.
    """
    parts, columns, width = [np.ones((len(choices), 1))], list[dict[int, int]](), 1
    for place, count in enumerate(options):
        present = [option for option in range(count) if (choices[:, place] == option).any()]
        told = present if (choices[:, place] < 0).any() else present[1:]
        columns.append({option: width + index for index, option in enumerate(told)})
        parts.append((choices[:, place][:, None] == np.array(told, dtype=np.intp)[None, :]).astype(np.float64))
        width += len(told)
    return np.hstack(parts), columns


def _readable(
    weights: FloatArray,
    covariance: FloatArray,
    columns: Sequence[dict[int, int]],
    choices: NDArray[np.intp],
    options: Sequence[int],
) -> tuple[float, tuple[FloatArray, ...], tuple[FloatArray, ...]]:
    """Costs beyond each position's cheapest option, whose cost is part of the overhead."""
    overhead, costs, errors = float(weights[0]), list[FloatArray](), list[FloatArray]()
    for place, count in enumerate(options):
        cost = np.full(count, np.nan)
        cost[np.unique(choices[:, place][choices[:, place] >= 0])] = 0.0
        for option, column in columns[place].items():
            cost[option] = weights[column]
        where = columns[place]
        if (choices[:, place] < 0).any():
            cheapest = None
        else:
            cheapest = int(np.nanargmin(cost))
            overhead += float(cost[cheapest])
            cost = cost - cost[cheapest]
        costs.append(cost)
        errors.append(np.array([_error(covariance, where, option, cheapest) for option in range(count)]))
        errors[-1][np.isnan(cost)] = np.nan
    return overhead, tuple(costs), tuple(errors)


def _error(covariance: FloatArray, columns: dict[int, int], option: int, cheapest: int | None) -> float:
    """Standard error of the difference of two options' costs."""
    if option == cheapest:
        return 0.0
    signs = [(columns.get(option), 1.0), (None if cheapest is None else columns.get(cheapest), -1.0)]
    terms = [(column, sign) for column, sign in signs if column is not None]
    total = sum(one * other * covariance[a, b] for a, one in terms for b, other in terms)
    return float(np.sqrt(max(0.0, total)))
