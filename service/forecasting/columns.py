"""Answers to many networks as columns: one list for each quantity rather than an object for each network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latcast.schema import LatcastError
from predictors.base import FloatArray
from service.forecasting.types import Forecast

__all__ = ["Answers", "Responder", "answers_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Responder:
    """The predictor that answered for what was not measured.

    Args:
        predictor: its id.
        kind: its kind.
        adapted: whether it knows the target's own measurements.
        measurements: how many of them.
        warning: what to know of it before trusting it; None where there is nothing.
        descriptor: which evidence describes the device to it; None where none does.
    """

    predictor: str
    kind: str
    adapted: bool
    measurements: int
    warning: str | None = None
    descriptor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Answers to n networks.

    Args:
        latency_ms: float64 (n,), NaN for a network that cannot be forecast.
        low_ms, high_ms: float64 (n,), ends of the intervals; NaN where nobody claims one.
        measured: bool (n,), whether it was measured.
        coverage: float64 (n,), 1 for what was measured, 0 where there is an error.
        statistics: by index, what a measured latency is.
        errors: by index, what is wrong with a network.
        responder: who answered for the rest; None where everything was measured, or several answered.
        origin: public table that the target's measurements are from.
    """

    latency_ms: FloatArray
    low_ms: FloatArray
    high_ms: FloatArray
    measured: NDArray[np.bool_]
    coverage: FloatArray
    statistics: Mapping[int, str]
    errors: Mapping[int, LatcastError]
    responder: Responder | None
    origin: str


def answers_of(forecasts: Sequence[Forecast | LatcastError]) -> Answers:
    """Single answers as columns."""
    good = {index: one for index, one in enumerate(forecasts) if isinstance(one, Forecast)}
    columns = np.full((3, len(forecasts)), np.nan)
    coverage, measured = np.zeros(len(forecasts)), np.zeros(len(forecasts), dtype=np.bool_)
    for index, one in good.items():
        columns[:, index] = (one.latency_ms, *(one.interval_ms or (np.nan, np.nan)))
        coverage[index], measured[index] = one.coverage, one.source == "measured"
    responders = {_responder(one) for one in good.values() if one.source == "predicted"}
    return Answers(
        latency_ms=columns[0],
        low_ms=columns[1],
        high_ms=columns[2],
        measured=measured,
        coverage=coverage,
        statistics={index: one.statistic for index, one in good.items() if one.statistic is not None},
        errors={index: one for index, one in enumerate(forecasts) if isinstance(one, LatcastError)},
        responder=responders.pop() if len(responders) == 1 else None,
        origin=next((one.origin for one in good.values()), ""),
    )


def _responder(forecast: Forecast) -> Responder:
    return Responder(
        predictor=forecast.predictor or "",
        kind=forecast.kind or "",
        adapted=forecast.adapted,
        measurements=forecast.measurements,
        warning=forecast.warning,
        descriptor=forecast.descriptor,
    )
