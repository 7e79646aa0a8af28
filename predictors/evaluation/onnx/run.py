"""One run of the benchmark over the models of a manifest."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from latcast.schema import Device, DeviceEvidence, Measurement, ProfileSettings
from latcast.schema.counting import counted
from predictors.base import Predictor, Query
from predictors.data.host_drift import scaled_kernels, sentinel_drift_factors
from predictors.evaluation.journal import Journal
from predictors.evaluation.onnx.figures import document
from predictors.evaluation.onnx.forecasting import Forecast, Measured, forecast_rest, split_readable
from predictors.evaluation.onnx.manifest import FailedModel, Manifest
from predictors.evaluation.onnx.measuring import measure_once
from predictors.evaluation.onnx.models import Model, read_models
from profilers.onnx_graph import GraphLoader
from profilers.onnx_graph.remarks import precision_of

__all__ = ["Plan", "run"]

Progress = Callable[[str, int, int, str], None]
"""A function that is called with the stage, the number of models done, their total, and the present model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The settings of a run.

    Args:
        device: this machine.
        settings: settings of each measurement.
        predictor: predictor to adapt.
        sampler: name of the sampler that chooses the support.
        shots: number of measurements in the support.
        seeds: number of repetitions.
        evidence: further evidence of the target.
    """

    device: Device
    settings: ProfileSettings
    predictor: Predictor
    sampler: str
    shots: int
    seeds: int
    evidence: DeviceEvidence | None = None


def run(manifest: Manifest, plan: Plan, journal: Journal, progress: Progress) -> dict[str, Any]:
    """Measure all models twice, and forecast those that are not in the support. A failing model does not end the run.

    Returns:
        The document that `latcast bench onnx --json` writes, see `predictors.evaluation.onnx.figures`.

    Raises:
        UnknownNameError: the sampler is not registered.
    """
    failed = list(manifest.failed)
    models = _read(manifest, failed, progress)
    pairs = _measure_twice(models, plan, journal, failed, progress)
    measured, unreadable = split_readable(_at_baseline_speed(pairs), plan.predictor)
    failed += unreadable
    forecasts = _forecast(measured, plan, failed, progress)
    return document(
        {model.name: model.latency_ms for model in measured},
        forecasts,
        failed,
        differences=[_difference(*pair) for _, pair in pairs],
        host_drift=_host_drift([pair for _, pair in pairs]),
        precisions={model.name: precision_of(model.graph) for model, _ in pairs},
    )


def _read(manifest: Manifest, failed: list[FailedModel], progress: Progress) -> list[Model]:
    models: list[Model] = []
    with GraphLoader(timeout_s=120.0) as loader:
        total = len(manifest.entries)
        for index, outcome in enumerate(read_models(manifest.entries, loader)):
            progress("reading", index + 1, total, manifest.entries[index].name)
            if isinstance(outcome, FailedModel):
                failed.append(outcome)
            else:
                models.append(outcome)
    return models


Pair = tuple[Measurement, Measurement]


def _measure_twice(
    models: Sequence[Model], plan: Plan, journal: Journal, failed: list[FailedModel], progress: Progress
) -> list[tuple[Model, Pair]]:
    first = _measure_all(models, plan, journal, failed, progress, occasion=0)
    again = _measure_all([model for model, _ in first], plan, journal, failed, progress, occasion=1)
    before = {model.name: measurement for model, measurement in first}
    return [(model, (before[model.name], after)) for model, after in again]


def _measure_all(
    models: Sequence[Model],
    plan: Plan,
    journal: Journal,
    failed: list[FailedModel],
    progress: Progress,
    *,
    occasion: int,
) -> list[tuple[Model, Measurement]]:
    stage = ("measuring", "measuring again")[occasion]
    measured = []
    for index, model in enumerate(models):
        progress(stage, index, len(models), model.name)
        outcome = measure_once(model, device=plan.device, settings=plan.settings, journal=journal, occasion=occasion)
        if isinstance(outcome, FailedModel):
            failed.append(outcome)
        else:
            measured.append((model, outcome))
        progress(stage, index + 1, len(models), model.name)
    return measured


def _at_baseline_speed(pairs: Sequence[tuple[Model, Pair]]) -> list[Measured]:
    """Each model with its latencies, stated at the machine's median speed over all measurements."""
    measured = [one for _, pair in pairs for one in pair]
    drift = sentinel_drift_factors([one.sentinel_median_ms for one in measured], [one.begun_unix_s for one in measured])
    return [_pooled(model, *pair, *slow) for (model, pair), slow in zip(pairs, drift.reshape(-1, 2), strict=True)]


def _pooled(model: Model, first: Measurement, again: Measurement, first_slow: float, again_slow: float) -> Measured:
    summary = first.summary
    assert summary is not None  # noqa: S101 - failures were left out
    support_ms = summary.median_ms / first_slow
    return Measured(
        name=model.name,
        query=Query(target=first.target, graph=model.graph),
        latency_ms=(support_ms + _median_ms(again) / again_slow) / 2,
        support_ms=support_ms,
        noise_log=summary.noise_log,
        kernels=scaled_kernels(first.kernels, 1 / first_slow),
    )


def _host_drift(pairs: Sequence[Pair]) -> float | None:
    """Share by which the sentinel took longer in the second measurements than in the first; None where it never ran."""
    readings = [[one.sentinel_median_ms for one in occasion] for occasion in zip(*pairs, strict=True)]
    first, again = ([ms for ms in occasion if ms is not None] for occasion in readings or ([], []))
    return median(again) / median(first) - 1 if first and again else None


def _median_ms(measurement: Measurement) -> float:
    summary = measurement.summary
    assert summary is not None  # noqa: S101 - failures were left out
    return summary.median_ms


def _difference(first: Measurement, again: Measurement) -> float:
    a, b = _median_ms(first), _median_ms(again)
    return abs(a - b) / ((a + b) / 2)


def _forecast(
    measured: Sequence[Measured], plan: Plan, failed: list[FailedModel], progress: Progress
) -> list[Forecast]:
    if len(measured) <= plan.shots:
        message = (
            f"{counted(plan.shots, 'measurement')} of {counted(len(measured), 'model')} leave none to "
            "forecast: name more models."
        )
        failed += [FailedModel(name=model.name, stage="forecast", message=message) for model in measured]
        return []
    forecasts: list[Forecast] = []
    for seed in range(plan.seeds):
        progress("forecasting", seed, plan.seeds, f"seed {seed}")
        forecasts += forecast_rest(
            measured, plan.predictor, sampler=plan.sampler, shots=plan.shots, seed=seed, evidence=plan.evidence
        )
        progress("forecasting", seed + 1, plan.seeds, f"seed {seed}")
    return forecasts
