"""Ax: latencies with their standard errors, and the outcome constraints that go with limits. Ax is not imported."""

from collections.abc import Callable, Mapping
from typing import Any

from latcast.constraints import Feasible, Judgement

__all__ = ["complete_batch", "outcome_constraints", "raw_data"]

METRIC = "latency_ms"


def outcome_constraints(feasible: Feasible) -> list[str]:
    """The limits as Ax writes them, for `configure_optimization(outcome_constraints=…)` or `create_experiment`."""
    return [f"{METRIC} <= {feasible.limit_ms:g}", *(f"{name} <= {most:g}" for name, most in feasible.limits.items())]


def raw_data(judgement: Judgement, place: int, feasible: Feasible) -> dict[str, tuple[float, float]]:
    """What `complete_trial(raw_data=…)` is told of a network: (mean, standard error) of its latency and of its work.

    Ax takes outcomes as normal. Latency is forecast as log-normal with median m and standard deviation s of its
    logarithm, so mean m·exp(s²/2) and standard error mean·√(exp(s²) − 1) are told.

    Args:
        judgement: that has the network.
        place: of the network.
        feasible: the limits, of which the work is told exactly.
    """
    from math import exp, expm1, sqrt

    median, spread = float(judgement.forecasts.latency_ms[place]), float(judgement.spread[place])
    mean = median * exp(spread**2 / 2)
    told = {METRIC: (mean, mean * sqrt(expm1(spread**2)))}
    work = {name: (1 + float(judgement.violations[name][place])) * most for name, most in feasible.limits.items()}
    return told | {name: (value, 0.0) for name, value in work.items()}


def complete_batch(
    client: Any,
    trials: Mapping[int, Mapping[str, Any]],
    feasible: Feasible,
    *,
    text_of: Callable[[Mapping[str, Any]], str],
    objectives: Callable[[str], Mapping[str, Any]],
) -> Judgement:
    """Judge the networks of several trials in one call and complete the trials.

    Args:
        client: an `ax.Client`, or an `AxClient` of the older service API.
        trials: parameters by index, as `get_next_trials` gives them.
        feasible: the limits.
        text_of: the network that parameters stand for.
        objectives: the other metrics of a network, each a number or (mean, standard error).

    Raises:
        LatcastError: the target cannot be asked.
    """
    texts = {index: text_of(parameters) for index, parameters in trials.items()}
    judgement = feasible.judge(list(texts.values()))
    for place, (index, text) in enumerate(texts.items()):
        client.complete_trial(trial_index=index, raw_data={**raw_data(judgement, place, feasible), **objectives(text)})
    return judgement
