"""The figures of a benchmark, as a JSON document.

Each model's figures are averaged over the seeds in which it was forecast; the document's figures are means (or the
median) of these over the models. Shares and errors are fractions; a figure that does not exist is null.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import fmean, median
from typing import Any

from predictors.evaluation.metrics import spearman
from predictors.evaluation.onnx.forecasting import Forecast
from predictors.evaluation.onnx.manifest import FailedModel

__all__ = ["LITTLE_KNOWN", "document"]

LITTLE_KNOWN = 0.7
"""Known share below which a model counts in `coverage_90_little_known`."""


def document(
    latency_ms: Mapping[str, float],
    forecasts: Sequence[Forecast],
    failed: Sequence[FailedModel],
    *,
    differences: Sequence[float],
    host_drift: float | None = None,
    precisions: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The document: `models`, `failed` and the figures over all models.

    Args:
        latency_ms: measured latencies in ms, by name of the model.
        forecasts: forecasts of all seeds.
        failed: models that the run continued without.
        differences: |a − b| / mean of each model's two measurements.
        host_drift: share by which the machine was slower in the second measurements than in the first; None where the
            sentinel did not run.
        precisions: what each model's file computes in, by name of the model; "" in the document where left out.
    """
    by_name: dict[str, list[Forecast]] = {}
    for forecast in forecasts:
        by_name.setdefault(forecast.name, []).append(forecast)
    measured_ms = {name: latency_ms[name] for name in latency_ms if name in by_name}
    models = [
        {**_model(name, measured, by_name[name]), "precision": (precisions or {}).get(name, "")}
        for name, measured in measured_ms.items()
    ]
    errors = {name: [_error(one, measured) for one in by_name[name]] for name, measured in measured_ms.items()}
    mean_errors = [fmean(values) for values in errors.values()]
    little_known = {model["name"] for model in models if model["known_share"] < LITTLE_KNOWN}
    covered = {name: share for name, ms in measured_ms.items() if (share := _covered(by_name[name], ms)) is not None}
    return {
        "models": models,
        "failed": [asdict(one) for one in failed],
        "median_ape": median(mean_errors) if mean_errors else None,
        "mape": _mean(mean_errors),
        "within_10": _mean([_share(values, 0.10) for values in errors.values()]),
        "within_20": _mean([_share(values, 0.20) for values in errors.values()]),
        "spearman": _spearman(models),
        "coverage_90": _mean(list(covered.values())),
        "coverage_90_little_known": _mean([share for name, share in covered.items() if name in little_known]),
        "repeatability": median(differences) if differences else None,
        "host_drift": host_drift,
    }


def _model(name: str, measured: float, forecasts: Sequence[Forecast]) -> dict[str, Any]:
    intervals = [one.interval_ms for one in forecasts if one.interval_ms is not None]
    return {
        "name": name,
        "measured_ms": measured,
        "forecast_ms": fmean(one.median_ms for one in forecasts),
        "interval_ms": [fmean(bound) for bound in zip(*intervals, strict=True)] or None,
        "known_share": fmean(one.known_share for one in forecasts),
    }


def _error(forecast: Forecast, measured: float) -> float:
    return abs(forecast.median_ms - measured) / measured


def _share(errors: Sequence[float], bound: float) -> float:
    return fmean(error <= bound for error in errors)


def _covered(forecasts: Sequence[Forecast], measured: float) -> float | None:
    """Share of the intervals that contain the latency; None where there are no intervals."""
    return _mean([one.interval_ms[0] <= measured <= one.interval_ms[1] for one in forecasts if one.interval_ms])


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None


def _spearman(models: Sequence[Mapping[str, Any]]) -> float | None:
    """Spearman of the averaged forecasts, as the document shows them."""
    value = spearman([model["measured_ms"] for model in models], [model["forecast_ms"] for model in models])
    return None if math.isnan(value) else value
