"""Ray Tune: a function to tune that knows a network's latency and trains only what keeps the limits. Needs no import of
Ray: a function that returns its metrics is one that Tune takes.
"""

from collections.abc import Callable, Mapping
from typing import Any

from latcast.constraints import Feasible

__all__ = ["trainable"]


def trainable(
    feasible: Feasible,
    *,
    text_of: Callable[[Mapping[str, Any]], str],
    train: Callable[[Mapping[str, Any], str], Mapping[str, float]],
    metric: str,
    worst: float,
) -> Callable[[Mapping[str, Any]], dict[str, float]]:
    """A function for `ray.tune.Tuner`. It travels to Ray's workers, as the client does.

    Args:
        feasible: the limits.
        text_of: the network that a configuration stands for.
        train: the metrics of a network; called for those that keep the limits.
        metric: what is tuned, one of these metrics.
        worst: its value for a network that is not trained.

    Returns:
        A function of the configuration that gives the metrics of `train`, `latency_ms`, `feasible` (1 or 0) and
        `violation`, the largest share by which a limit is exceeded.
    """

    def tried(config: Mapping[str, Any]) -> dict[str, float]:
        text = text_of(config)
        judgement = feasible.judge([text])
        keeps = bool(judgement.feasible[0])
        metrics = dict(train(config, text)) if keeps else {metric: worst}
        violation = max(float(column[0]) for column in judgement.violations.values())
        latency_ms = float(judgement.forecasts.latency_ms[0])
        return {**metrics, "latency_ms": latency_ms, "feasible": float(keeps), "violation": violation}

    return tried
