"""Several measurements of one graph on one target, taken together.

A machine's speed drifts by more than a measurement's own noise, and neither the sentinel nor networks of the same
minutes reveal all of the drift. A neighbour makes a network slower, never faster, so the lower half of several
measurements is the less disturbed one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from latcast.schema import GraphHash, TargetId
from predictors.data.host_drift import scaled_kernels
from predictors.data.measured.drift_factors import at_baseline_speed
from predictors.data.measured.records import MeasuredRow

__all__ = ["pooled_rows"]

_BEYOND = 0.3
"""Standard error of a log drift factor, as a share of it."""
_UNSEEN_LOG = 0.05
"""Standard deviation of the log drift factor where no sentinel ran."""
_LEAST_NOISE_LOG = 0.01
"""Least standard error of a single measurement: two of one graph in quiet minutes differ by more than either claims."""


def pooled_rows(rows: Iterable[MeasuredRow]) -> list[MeasuredRow]:
    """One row for each graph and target, in the order of first appearance, pooled from all steady measurements.

    The latency is the geometric mean of the lower half of the measurements (of one, two and three measurements one,
    one and two) at the machine's baseline speed, weighted by the inverse of their variances. All other fields are those
    of the measurement among these that weighs most, preferably one with kernels; its kernels are scaled to the latency.
    Where no measurement is steady, all count. Rows without a latency and stale ones are left out.
    """
    groups: dict[tuple[TargetId, GraphHash], list[MeasuredRow]] = {}
    for row in rows:
        if row.latency_ms is not None and not row.stale:
            groups.setdefault((row.target, row.graph), []).append(row)
    return [_pooled([row for row in group if not row.noisy] or group) for group in groups.values()]


def _pooled(rows: Sequence[MeasuredRow]) -> MeasuredRow:
    logs = np.log([float(at_baseline_speed(row)[0] or np.nan) for row in rows])
    variances = np.array([_variance(row) for row in rows])
    lower = np.argsort(logs, kind="stable")[: (len(rows) + 1) // 2]
    weights = 1 / variances[lower]
    centre = float(weights @ logs[lower] / weights.sum())
    place = int(min(lower, key=lambda place: (not rows[place].kernels, variances[place])))
    chosen, scale = rows[place], float(np.exp(centre - logs[place]))
    return replace(
        chosen,
        latency_ms=(chosen.latency_ms or np.nan) * scale,
        kernels=scaled_kernels(chosen.kernels, scale),
        noise_log=float((1 / variances).sum() ** -0.5),
    )


def _variance(row: MeasuredRow) -> float:
    """Variance of the row's log latency at baseline speed: of the measurement, and of its drift factor."""
    drift = _UNSEEN_LOG if row.sentinel_ms is None else _BEYOND * float(np.log(row.slowness))
    return max(row.noise_log or 0.0, _LEAST_NOISE_LOG) ** 2 + drift**2
