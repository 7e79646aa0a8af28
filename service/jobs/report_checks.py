"""Whether a report is one that the job's agent can have made: what was measured, how, and how much there is of it."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from latcast.schema import (
    PROTOCOL_VERSION,
    CounterReading,
    Environment,
    Failure,
    InputError,
    KernelTiming,
    Measurement,
    ProcessRun,
    ProfileSettings,
    most_kernels,
    most_readings,
)
from service.jobs.payloads import ProfilePayload

__all__ = ["STAGES", "clipped", "require_fit"]

STAGES = frozenset({"load", "open", "feeds", "run", "timeout", "memory", "crash", "unavailable", "internal"})
"""Stages at which measuring fails (`latcast.schema.FailureStage`)."""
LONGEST_REASON, LONGEST_SENT_REASON = 10_000, 100_000
LONGEST_TEXT = 1000
MOST_EVENTS = 500
MOST_DIMENSIONS = 64
MOST_RUNS = 10**9
SHARE_SLACK = 1e-6


def clipped(failure: Failure) -> Failure:
    """The failure with a reason of at most 10,000 characters, its beginning and its end.

    Raises:
        InputError: a stage at which nothing can fail, or a reason that nobody reads.
    """
    if len(failure.message) > LONGEST_SENT_REASON:
        raise InputError(f"failure.message: a reason has at most {LONGEST_SENT_REASON:,} characters.")
    if failure.stage not in STAGES:
        raise InputError(f"failure.stage: {failure.stage[:80]!r} is none of {', '.join(sorted(STAGES))}.")
    if len(failure.message) <= LONGEST_REASON:
        return failure
    half = LONGEST_REASON // 2
    return Failure(stage=failure.stage, message=f"{failure.message[:half]} … {failure.message[-half:]}")


def require_fit(payload: ProfilePayload, measurement: Measurement, *, nodes: int) -> None:
    """Refuse a measurement that was not taken as the job asks, or that says more than such a measurement can.

    Args:
        payload: what the job asks for.
        measurement: what was reported.
        nodes: how many the graph has.

    Raises:
        InputError: says what and where.
    """
    if not 1 <= measurement.protocol_version <= PROTOCOL_VERSION:
        raise InputError(
            f"protocol_version: this service knows versions 1 to {PROTOCOL_VERSION} of the timing protocol, not "
            f"{measurement.protocol_version}; bring service and agent to the same version."
        )
    _require_settings(payload.settings, measurement.settings)
    if payload.feeds and measurement.feeds != payload.feeds:
        raise InputError("feeds: the job asks for others than those that the measurement was taken with.")
    _require_runs(payload.settings, measurement.runs, most_kernels=most_kernels(nodes))
    _require_at_most("sentinel_ms", measurement.sentinel_ms, most_readings(payload.settings))
    for environment in (measurement.before, measurement.after):
        _require_environment(environment)


def _require_settings(asked: ProfileSettings, taken: ProfileSettings) -> None:
    for field in fields(ProfileSettings):
        wanted, used = getattr(asked, field.name), getattr(taken, field.name)
        if wanted != used:
            raise InputError(f"settings.{field.name}: the job asks for {wanted!r}, but {str(used)[:80]!r} was used.")


def _processes(settings: ProfileSettings) -> int:
    return max(1, settings.processes)


def _require_runs(settings: ProfileSettings, runs: Sequence[ProcessRun], *, most_kernels: int) -> None:
    _require_at_most("runs", runs, _processes(settings))
    for index, run in enumerate(runs):
        path = f"runs[{index}]"
        _require_at_most(f"{path}.samples_ms", run.samples_ms, max(1, settings.max_samples))
        _require_between(f"{path}.runs_per_sample", run.runs_per_sample, 1, MOST_RUNS)
        _require_between(f"{path}.warmup_runs", run.warmup_runs, 0, MOST_RUNS)
        _require_between(f"{path}.load_ms", run.load_ms, 0, float("inf"))
        _require_between(f"{path}.peak_memory_bytes", run.peak_memory_bytes, 0, 2**62)
        most = most_kernels if settings.kernels and index == 0 else 0
        _require_kernels(f"{path}.kernels", run.kernels or (), most=most)
        _require_counters(f"{path}.counters", run.counters)
        _require_at_most(f"{path}.no_kernels", run.no_kernels, LONGEST_REASON)


def _require_kernels(path: str, kernels: Sequence[KernelTiming], *, most: int) -> None:
    _require_at_most(path, kernels, most)
    for index, kernel in enumerate(kernels):
        _require_between(f"{path}[{index}].share", kernel.share, 0, 1 + SHARE_SLACK)
        _require_between(f"{path}[{index}].time_ms", kernel.time_ms, 0, float("inf"))
        _require_short(f"{path}[{index}]", kernel.operator, kernel.dtype)
        shapes = (*kernel.input_shapes, *kernel.output_shapes)
        _require_at_most(f"{path}[{index}]: shapes", shapes, LONGEST_TEXT)
        for shape in shapes:
            _require_at_most(f"{path}[{index}]: sizes of a shape", shape, MOST_DIMENSIONS)


def _require_counters(path: str, counters: CounterReading | None) -> None:
    if counters is None:
        return
    for entries in (counters.values, counters.enabled_ns, counters.running_ns, counters.absent):
        _require_at_most(path, entries, MOST_EVENTS)
        _require_short(path, *entries)
    _require_short(path, *counters.absent.values())


def _require_environment(environment: Environment | None) -> None:
    if environment is not None:
        _require_at_most("environment.versions", environment.versions, MOST_EVENTS)
        _require_short("environment", *environment.versions, *environment.versions.values(), environment.governor or "")


def _require_at_most(path: str, values: Any, most: int) -> None:
    if len(values) > most:
        raise InputError(f"{path}: a measurement of this job has at most {most}, found {len(values)}.")


def _require_between(path: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise InputError(f"{path}: {str(value)[:40]} is not between {least:g} and {most:g}.")


def _require_short(path: str, *texts: str) -> None:
    if any(len(text) > LONGEST_TEXT for text in texts):
        raise InputError(f"{path}: a text has at most {LONGEST_TEXT} characters.")
