"""Optuna: constraints of trials, one by one or in batches that are asked about in one call. Versions 4 and 5."""

from collections.abc import Callable, Sequence
from typing import Any

from latcast.constraints import Feasible, Judgement

__all__ = ["ask_batch", "constrain", "constraints_of"]

ATTRIBUTE = "latcast:constraints"


def constrain(trial: Any, feasible: Feasible, text: str) -> Judgement:
    """Tell a trial how far its network is beyond each limit; at most 0 is feasible.

    Args:
        trial: an `optuna.Trial`. With Optuna 5 its constraints are set; with Optuna 4 they are attributes, which
            `constraints_of` gives to the sampler.
        feasible: the limits.
        text: the network that the trial stands for.

    Returns:
        What is known of the one network: columns of length 1.

    Raises:
        LatcastError: the target cannot be asked.
    """
    judgement = feasible.judge([text])
    _tell(trial, judgement, 0)
    return judgement


def constraints_of(trial: Any) -> Sequence[float]:
    """The constraints of a finished trial, for `constraints_func=` of the samplers of Optuna 4."""
    return tuple(trial.user_attrs.get(ATTRIBUTE, (float("inf"),)))


def ask_batch(
    study: Any, count: int, feasible: Feasible, text_of: Callable[[Any], str]
) -> tuple[list[Any], list[str], Judgement]:
    """Ask a study for several trials and judge their networks in one call.

    Args:
        study: an `optuna.Study`; `study.tell` is the caller's.
        count: trials.
        feasible: the limits.
        text_of: the network of a trial, out of what it suggests.

    Returns:
        The trials, which know their constraints, their networks and what is known of these.

    Raises:
        LatcastError: the target cannot be asked.
    """
    trials = [study.ask() for _ in range(count)]
    texts = [text_of(trial) for trial in trials]
    judgement = feasible.judge(texts)
    for place, trial in enumerate(trials):
        _tell(trial, judgement, place)
    return trials, texts, judgement


def _tell(trial: Any, judgement: Judgement, place: int) -> None:
    values = {name: float(column[place]) for name, column in judgement.violations.items()}
    if hasattr(trial, "set_constraint"):
        for name, value in values.items():
            trial.set_constraint(name, value)
    else:
        trial.set_user_attr(ATTRIBUTE, list(values.values()))
    trial.set_user_attr("latency_ms", float(judgement.forecasts.latency_ms[place]))
