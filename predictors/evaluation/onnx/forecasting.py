"""Some of the models are measured, the rest is forecast; by seed."""

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
"""Of the models a sampler sees in each seed: a sampler without chance would choose the same ones every time, and these
would never be forecast."""
_MOST_CANDIDATES = 300
"""Some samplers take time for each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A model whose latency is known.

    Args:
        name: unique.
        query: its graph on the target.
        latency_ms: what forecasts are compared with.
        support_ms: what a predictor is told where the model is among the support: one measurement.
        noise_log: standard error of its log.
        kernels: timings of that measurement.
    """

    name: str
    query: Query
    latency_ms: float
    support_ms: float
    noise_log: float
    kernels: tuple[KernelTiming, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What was said of one model with one support.

    Args:
        name: of the model.
        median_ms: the forecast.
        interval_ms: 90 % of it; None where the predictor claims nothing.
        known_share: of its cost in operators and sizes that training saw, 0–1.
    """

    name: str
    median_ms: float
    interval_ms: tuple[float, float] | None
    known_share: float


def split_readable(models: Sequence[Measured], predictor: Predictor) -> tuple[list[Measured], list[FailedModel]]:
    """(models that the predictor can read, the others with the reason)."""
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
    """Choose `shots` models, adapt to their measurements, forecast all others.

    The sampler sees graphs alone, of a random three quarters of the models, and of 300 at most.

    Args:
        models: of one target, more than `shots` of them.
        predictor: to adapt.
        sampler: its name.
        shots: measurements.
        seed: of the choice.
        evidence: what else is known of the target.
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
    prediction, known = predictor.predict(queries), predictor.coverage(queries)
    intervals: list[tuple[float, float] | None] = [None] * len(models)
    if prediction.log_std is not None:
        low, high = prediction.interval_ms(_LEVEL)
        intervals = list(zip(low.tolist(), high.tolist(), strict=True))
    rows = zip(models, prediction.median_ms.tolist(), intervals, known.tolist(), strict=True)
    return [
        Forecast(name=model.name, median_ms=median, interval_ms=interval, known_share=share)
        for model, median, interval, share in rows
    ]
