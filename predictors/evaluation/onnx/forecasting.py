"""Splitting models into a support and a rest, and forecasting the rest."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from latcast.schema import DeviceEvidence, KernelTiming, LatcastError
from predictors.base import LatencyDataset, Predictor, Query
from predictors.evaluation.onnx.manifest import FailedModel
from predictors.samplers.base import get_sampler

__all__ = ["Forecast", "Measured", "forecast_rest", "split_readable"]

_LEVEL = 0.9
_POOL_SHARE = 0.75
"""Share of the models among which a sampler chooses in each seed. A deterministic sampler would choose the same ones
every time otherwise, and these would never be forecast."""
_MOST_CANDIDATES = 300
"""Largest number of candidates of a sampler, since some samplers take time for each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A model with its measured latency.

    Args:
        name: unique name of the model.
        query: graph of the model on the target.
        latency_ms: latency that forecasts are compared with, in ms.
        support_ms: latency of a single measurement in ms, used where the model is in the support.
        noise_log: standard error of the logarithm of `support_ms`.
        kernels: kernel timings of the single measurement.
    """

    name: str
    query: Query
    latency_ms: float
    support_ms: float
    noise_log: float
    kernels: tuple[KernelTiming, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """The forecast of one model, by an adaptation to one support.

    Args:
        name: name of the model.
        median_ms: median of the forecast in ms.
        interval_ms: interval of probability 90 % in ms; None where the predictor gives no uncertainty.
        known_share: share of the model's cost in operators and sizes that are in training, 0–1.
    """

    name: str
    median_ms: float
    interval_ms: tuple[float, float] | None
    known_share: float


def split_readable(models: Sequence[Measured], predictor: Predictor) -> tuple[list[Measured], list[FailedModel]]:
    """(models that the predictor can read, the others with the reasons)."""
    try:
        predictor.coverage([model.query for model in models])
    except LatcastError as error:
        if len(models) == 1:
            return [], [FailedModel(name=models[0].name, stage="forecast", message=str(error))]
    else:
        return list(models), []
    middle = len(models) // 2
    left, right = split_readable(models[:middle], predictor), split_readable(models[middle:], predictor)
    return [*left[0], *right[0]], [*left[1], *right[1]]


def forecast_rest(
    models: Sequence[Measured],
    predictor: Predictor,
    *,
    sampler: str,
    shots: int,
    seed: int,
    evidence: DeviceEvidence | None = None,
) -> list[Forecast]:
    """Choose `shots` models as the support, adapt to their measurements, and forecast all others.

    The sampler chooses by graphs alone, among a random three quarters of the models, at most 300.

    Args:
        models: models of one target, more than `shots` of them.
        predictor: predictor to adapt.
        sampler: name of the sampler.
        shots: number of measurements in the support.
        seed: seed of the choice.
        evidence: further evidence of the target.

    Raises:
        UnknownNameError: the sampler is not registered.
        LatcastError: the predictor cannot be adapted, or cannot forecast the others.
    """
    rng = np.random.default_rng(seed)
    count = max(shots, min(_MOST_CANDIDATES, ceil(_POOL_SHARE * len(models))))
    pool = np.sort(rng.choice(len(models), size=count, replace=False))
    queries = [models[index].query for index in pool]
    chosen = get_sampler(sampler).choose(queries, shots, predictor=predictor, rng=rng)
    picked = {int(pool[index]) for index in chosen}
    support = _dataset([models[index] for index in sorted(picked)])
    adapted = predictor
    if predictor.capabilities.adaptable:
        adapted = predictor.adapt(support.queries[0].target, support, evidence)
    return _forecasts(adapted, [model for index, model in enumerate(models) if index not in picked])


def _dataset(models: Sequence[Measured]) -> LatencyDataset:
    kernels = [model.kernels for model in models]
    return LatencyDataset(
        queries=[model.query for model in models],
        latency_ms=np.array([model.support_ms for model in models]),
        noise_log=np.array([model.noise_log for model in models]),
        kernels=kernels if any(kernels) else None,
    )


def _forecasts(predictor: Predictor, models: Sequence[Measured]) -> list[Forecast]:
    queries = [model.query for model in models]
    prediction, coverage = predictor.predict(queries), predictor.coverage(queries)
    intervals = prediction.claimed_intervals_ms(_LEVEL)
    rows = zip(models, prediction.median_ms.tolist(), intervals, coverage.tolist(), strict=True)
    return [
        Forecast(name=model.name, median_ms=median, interval_ms=interval, known_share=share)
        for model, median, interval, share in rows
    ]
