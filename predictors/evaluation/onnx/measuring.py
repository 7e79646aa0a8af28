"""Careful measurements of models and of a target's evidence, kept in a journal."""

import hashlib
import json

from latcast.schema import (
    Device,
    DeviceEvidence,
    Failure,
    InputError,
    LatcastError,
    Measurement,
    ProfileSettings,
    from_plain,
    to_plain,
)
from predictors.base import Predictor
from predictors.evaluation.journal import Journal
from predictors.evaluation.onnx.manifest import FailedModel
from predictors.evaluation.onnx.models import Model
from profilers.backends.target_settings import target_for
from profilers.microbench import run_microbench
from profilers.timing.sandbox import measure

__all__ = ["careful_settings", "measure_evidence", "measure_once"]

_PROCESSES = 2


def careful_settings(
    *, backend: str, precision: str, threads: int, seconds: float, timeout_s: float
) -> ProfileSettings:
    """Settings of one of a model's two measurements: two fresh processes, kernels included.

    Args:
        backend: name of the runtime.
        precision: precision in which the backend runs the models.
        threads: number of threads within an operator.
        seconds: seconds that are timed in all, without the warm-up.
        timeout_s: time limit of each process in seconds.
    """
    share = seconds / _PROCESSES
    return ProfileSettings(
        backend=backend,
        precision=precision,
        threads=threads,
        processes=_PROCESSES,
        max_seconds=share,
        warmup_seconds=min(share, ProfileSettings().warmup_seconds),
        timeout_s=timeout_s,
    )


def measure_once(
    model: Model, *, device: Device, settings: ProfileSettings, journal: Journal, occasion: int
) -> Measurement | FailedModel:
    """One measurement of a model, taken from the journal where it has one; failures are not stored there.

    Args:
        model: model to measure.
        device: this machine.
        settings: settings of the measurement.
        journal: journal that stores the measurement.
        occasion: 0 at the start of the run, 1 at its end.
    """
    key = _key(model, device, settings, occasion)
    kept = _restored(journal.get(key))
    if kept is not None:
        return kept
    measurement = _measured(model, device, settings)
    if measurement.failure is not None:  # not stored: another run may succeed
        message = f"{measurement.failure.message} (stage: {measurement.failure.stage})"
        return FailedModel(name=model.name, stage="measure", message=message)
    journal.put(key, {"name": model.name, "occasion": occasion, "measurement": to_plain(measurement)})
    return measurement


def measure_evidence(
    predictor: Predictor, *, device: Device, settings: ProfileSettings, journal: Journal
) -> DeviceEvidence | None:
    """The microbenchmarks of the target where the predictor uses them as evidence; None otherwise.

    Raises:
        LatcastError: the microbenchmarks cannot be run, and the predictor needs them.
    """
    capabilities = predictor.capabilities
    needed = "microbench" in capabilities.evidence | capabilities.any_evidence
    if not needed and "microbench" not in capabilities.useful_evidence:
        return None
    key = f"microbench {target_for(device, settings).id}"
    if journal.get(key) is None:
        try:
            journal.put(key, dict(run_microbench(settings, device=device).values))
        except LatcastError:
            if needed:
                raise
            return None
    return DeviceEvidence(microbench=journal.get(key))


def _measured(model: Model, device: Device, settings: ProfileSettings) -> Measurement:
    """A measurement of the model with bound shapes, or, where the runtime refuses it, of the unchanged file.

    A branch that never runs may fit other shapes alone, so that a runtime that knows all shapes refuses the model.
    """
    measurement = _attempt(model, model.content(), device, settings)
    if measurement.failure is None or measurement.failure.stage != "open" or not (model.shapes or model.entry.dims):
        return measurement
    again = _attempt(model, model.content(bound=False), device, settings)
    return measurement if again.failure else again


def _attempt(model: Model, content: bytes, device: Device, settings: ProfileSettings) -> Measurement:
    try:
        return measure(content, device=device, settings=settings, feeds=model.feeds, graph=model.graph)
    except (LatcastError, MemoryError, OSError) as error:
        failure = Failure(stage="internal", message=str(error) or type(error).__name__)
        return Measurement(
            graph=model.graph.hash, target=target_for(device, settings), settings=settings, failure=failure
        )


def _restored(value: object) -> Measurement | None:
    try:
        return from_plain(Measurement, value["measurement"]) if isinstance(value, dict) else None
    except (InputError, LookupError, TypeError, ValueError):
        return None


def _key(model: Model, device: Device, settings: ProfileSettings, occasion: int) -> str:
    parts = [model.digest, target_for(device, settings).id, to_plain(settings), occasion]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
