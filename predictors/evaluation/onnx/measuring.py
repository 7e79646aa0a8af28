"""Measuring models carefully, twice each."""

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
        backend: runtime.
        precision: what the backend does to the models.
        threads: within an operator.
        seconds: timed in all, warming up not included.
        timeout_s: of each process.
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
    """One measurement, out of the journal where it is there.

    Args:
        model: to measure.
        device: this machine.
        settings: how.
        journal: keeps it.
        occasion: 0 at the start of the run, 1 at its end.
    """
    key = _key(model, device, settings, occasion)
    kept = _restored(journal.get(key))
    if kept is not None:
        return kept
    found = _measured(model, device, settings)
    if found.failure is not None:  # not kept: another run may have better luck
        message = f"{found.failure.message} (stage: {found.failure.stage})"
        return FailedModel(name=model.name, stage="measure", message=message)
    journal.put(key, {"name": model.name, "occasion": occasion, "measurement": to_plain(found)})
    return found


def measure_evidence(
    predictor: Predictor, *, device: Device, settings: ProfileSettings, journal: Journal
) -> DeviceEvidence | None:
    """What the predictor wants to know of the target besides latencies; None where that is nothing.

    Raises:
        LatcastError: the microbenchmarks cannot be run, and the predictor cannot do without.
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
    """Measured with bound shapes; as it is in the file, with feeds of these shapes, where the runtime refuses that.

    A branch that never runs may fit other shapes alone, and then a runtime that knows all shapes refuses the model.
    """
    measurement = _attempt(model, model.content(), device, settings)
    if measurement.failure is None or measurement.failure.stage != "open" or not model.shapes:
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
