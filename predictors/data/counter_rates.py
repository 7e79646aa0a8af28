"""Hardware counters of a target as rates: how often each event happens in a ms, over all and in each operator.

MAPLE (Abbasi et al., 2021, section 3.1) describes a device by counters while single operators run; MAPLE-Edge (Nair et
al., 2022, section 3) divides them by the operators' latency. Agents count whole networks. What a network counts in a ms
is the mean of its operators' rates, weighed by their shares of its time, so the rates follow from networks by ridge
regression towards the rate over all.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from predictors.base import FloatArray
from profilers.counters.hardware import is_hardware_event

__all__ = ["SEPARATOR", "CountedRun", "counter_rates"]

SEPARATOR = "@"
"""Stands between an event and the operator in which it was counted."""
LEAST_RATE = 1e-3
"""Counts in a ms; a device on which an event never happens is told from others by no more than this."""
RIDGE = 0.01
"""Squared error of a network's rate by the squared spread between operators: five per cent to a half."""
MOST_UNCERTAIN = 0.25
"""Share of the variance between operators that networks have to leave at most for an operator's rate to be stated."""
LEAST_SHARE = 0.05
"""Least rate of an operator, as a share of the rate over all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedRun:
    """The counts of one measurement.

    Args:
        counts: event → count of one run of the network.
        latency_ms: of one run, positive.
        kernel_ms: operator → time of its kernels in one run, in ms; empty where kernels were not timed.
    """

    counts: Mapping[str, float]
    latency_ms: float
    kernel_ms: Mapping[str, float] = field(default_factory=dict)


def counter_rates(runs: Sequence[CountedRun]) -> dict[str, float]:
    """Counts in a ms by `event`, and by `event@operator` for operators about which the runs say enough.

    Args:
        runs: of one target; events that the operating system counts are left out.

    Returns:
        Positive rates; empty where no run counted an event of the hardware.
    """
    rates: dict[str, float] = {}
    for event in sorted({event for run in runs for event in run.counts if is_hardware_event(event)}):
        counting = [run for run in runs if event in run.counts]
        observed = np.array([run.counts[event] / run.latency_ms for run in counting])
        over_all = max(float(observed.mean()), LEAST_RATE)
        rates[event] = over_all
        relative = _by_operator([run.kernel_ms for run in counting], observed / over_all)
        rates |= {f"{event}{SEPARATOR}{name}": max(over_all * share, LEAST_RATE) for name, share in relative.items()}
    return rates


def _by_operator(kernel_ms: Sequence[Mapping[str, float]], observed: FloatArray) -> dict[str, float]:
    """Rate of each operator by the rate over all.

    Args:
        kernel_ms: of n runs.
        observed: float64 (n,), the runs' rates by the rate over all.
    """
    timed = [place for place, times in enumerate(kernel_ms) if sum(times.values()) > 0]
    names = _names(kernel_ms[place] for place in timed)
    if not names:
        return {}
    times = np.array([[kernel_ms[place].get(name, 0.0) for name in names] for place in timed])
    shares = times / times.sum(axis=1, keepdims=True)
    covariance = np.linalg.inv(shares.T @ shares + RIDGE * np.eye(len(names)))
    differences = covariance @ shares.T @ (observed[timed] - 1)
    certain = RIDGE * np.diag(covariance) <= MOST_UNCERTAIN
    found = np.maximum(1 + differences, LEAST_SHARE)
    return {name: float(rate) for name, rate, known in zip(names, found, certain, strict=True) if known}


def _names(kernel_ms: Iterable[Mapping[str, float]]) -> list[str]:
    return sorted({name for times in kernel_ms for name in times})
