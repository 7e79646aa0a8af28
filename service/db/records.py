"""Rows ↔ records of `latcast.schema`: the only converter.

A measurement becomes one row of its own, one for each kernel and one for each counter event; the rest of its
processes is JSON. What comes back equals what went in.
"""

import hashlib
import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Row

from latcast.schema import (
    CounterReading,
    Device,
    Environment,
    Failure,
    FeedSpec,
    InputError,
    KernelTiming,
    Measurement,
    ProcessRun,
    ProfileSettings,
    Summary,
    Target,
    from_plain,
    to_plain,
)
from service.db import tables

__all__ = [
    "DEFAULT_FEEDS",
    "LONGEST_MS",
    "SHORTEST_MS",
    "MeasurementValues",
    "device_id",
    "device_record",
    "device_row",
    "feeds_key",
    "is_latency",
    "is_storable_text",
    "kernel_record",
    "measurement_record",
    "measurement_row",
    "measurement_values",
    "runs_without_samples",
    "storable",
    "summary_of_runs",
    "summary_record",
    "target_record",
    "target_row",
]

DEFAULT_FEEDS = "default"
"""`feeds_key` of a measurement that was asked for without feeds of its own."""
SHORTEST_MS, LONGEST_MS = 1e-9, 1e9
"""Latencies in ms that can be: means, ratios and logarithms of whatever lies between them are finite."""
SUMMARY = "summary"
"""Name in the first process of a row whose samples are no longer kept: what stayed of them."""
INT64 = range(-(2**63), 2**63)


def storable(record: Any, *, path: str = "") -> Any:
    """`to_plain(record)`, after making sure that both databases can keep every value.

    Raises:
        InputError: a number that is infinite, not a number or beyond 64 bits, or a text with a zero byte or half a
            surrogate pair.
    """
    value = to_plain(record)
    _check(value, path or type(record).__name__)
    return value


def is_storable_text(text: str) -> bool:
    """Whether both databases can keep the text: no zero byte, nothing that UTF-8 cannot express."""
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False


def _check(value: Any, path: str) -> None:
    if isinstance(value, Mapping | list):
        _check_parts(value, path)
    elif isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"{path}: the number has to be finite, found {value}.")
    elif isinstance(value, int) and value not in INT64:
        raise InputError(f"{path}: the number does not fit into 64 bits.")
    elif isinstance(value, str) and not is_storable_text(value):
        raise InputError("A text must not hold a zero byte or half a surrogate pair.")


def _check_parts(value: Mapping[Any, Any] | list[Any], path: str) -> None:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not _is_plainly_well(key):
                _check(key, path)
            if not _is_plainly_well(item):
                _check(item, f"{path}.{key}")
    elif not (set(map(type, value)) <= {float} and all(map(math.isfinite, value))):  # samples need no path each
        for index, item in enumerate(value):
            if not _is_plainly_well(item):
                _check(item, f"{path}[{index}]")


def _is_plainly_well(value: Any) -> bool:
    """Whether it is a value that needs no closer look, nor a path: nearly all that a measurement is made of."""
    kind = type(value)
    if kind is float:
        return math.isfinite(value)
    if kind is str:
        return value.isascii() and "\0" not in value
    return value is None or kind is bool or (kind is int and -(2**63) <= value < 2**63)


def device_id(fingerprint: str) -> str:
    """The identifier of the device with this fingerprint: sixteen hexadecimal digits."""
    return hashlib.sha256(fingerprint.encode()).hexdigest()[:16]


def device_row(device: Device) -> tables.Device:
    """A row that is not in any session yet."""
    return tables.Device(
        id=device_id(device.fingerprint),
        fingerprint=device.fingerprint,
        name=device.name,
        record=storable(device),
    )


def device_record(row: tables.Device) -> Device:
    """The device that the row describes."""
    return from_plain(Device, row.record)


def target_row(target: Target, device: tables.Device | None) -> tables.Target:
    """A row that is not in any session yet; no device for a column of a public table."""
    return tables.Target(
        id=target.id,
        device_id=device.id if device else None,
        backend=target.backend,
        origin=target.origin,
        record=storable(target),
    )


def target_record(row: tables.Target) -> Target:
    """The target that the row describes."""
    return from_plain(Target, row.record)


def feeds_key(feeds: Sequence[FeedSpec]) -> str:
    """Identity of the feeds that were asked for: `default` where none were, else a digest of the recipe."""
    if not feeds:
        return DEFAULT_FEEDS
    recipe = sorted(json.dumps(_recipe(feed), sort_keys=True) for feed in feeds)
    return hashlib.sha256("\n".join(recipe).encode()).hexdigest()[:16]


def _recipe(feed: FeedSpec) -> dict[str, Any]:
    """The feed in JSON values; without `values` where there are none, as before there were any."""
    plain: dict[str, Any] = to_plain(feed)
    return plain if feed.values else {name: value for name, value in plain.items() if name != "values"}


@dataclass(frozen=True, slots=True)
class MeasurementValues:
    """A measurement as values of columns.

    Args:
        row: of its own row, without an id.
        kernels: of the rows of its kernels, without the measurement's id.
        counters: of the rows of its counters, without the measurement's id.
    """

    row: dict[str, Any]
    kernels: list[dict[str, Any]]
    counters: list[dict[str, Any]]


def measurement_row(
    measurement: Measurement,
    *,
    feeds_key: str = DEFAULT_FEEDS,
    job_id: str | None = None,
    lease_token: str | None = None,
    agent_id: str | None = None,
) -> tables.Measurement:
    """A row with its kernels and counters that is not in any session yet; `agent_id` is who reports it.

    Raises:
        InputError: no samples and no failure, both, or values that cannot be (see `storable`).
    """
    values = measurement_values(
        measurement, feeds_key=feeds_key, job_id=job_id, lease_token=lease_token, agent_id=agent_id
    )
    return tables.Measurement(
        **values.row,
        kernels=[tables.KernelMeasurement(**kernel) for kernel in values.kernels],
        counters=[tables.CounterReading(**counter) for counter in values.counters],
    )


def measurement_values(
    measurement: Measurement,
    *,
    feeds_key: str = DEFAULT_FEEDS,
    job_id: str | None = None,
    lease_token: str | None = None,
    agent_id: str | None = None,
    hidden_unix_s: float | None = None,
) -> MeasurementValues:
    """What `measurement_row` makes, to be written with many others (`service.db.measurement_rows`).

    Args:
        measurement: the measurement.
        feeds_key: see `feeds_key`.
        job_id: of the job that asked for it.
        lease_token: of the lease that it was reported with.
        agent_id: of the agent that reports it.
        hidden_unix_s: since when it is hidden.

    Raises:
        InputError: no samples and no failure, both, or values that cannot be (see `storable`).
    """
    _check_outcome(measurement)
    plain = storable(measurement)
    summary, failure = measurement.summary, measurement.failure
    row = {
        "target_id": measurement.target.id,
        "graph_hash": measurement.graph,
        "job_id": job_id,
        "lease_token": lease_token,
        "agent_id": agent_id,
        "with_kernels": any(run.kernels for run in measurement.runs),
        "feeds_key": feeds_key,
        "median_ms": summary.median_ms if summary else None,
        "relative_iqr": summary.iqr_ms / summary.median_ms if summary else None,
        "sentinel_median_ms": measurement.sentinel_median_ms,
        "noisy": measurement.noisy,
        "failure_stage": failure.stage if failure else None,
        "failure_message": failure.message if failure else None,
        "settings": plain["settings"],
        "feeds": plain["feeds"],
        "before": plain["before"],
        "after": plain["after"],
        # Of kernels and counters, which have rows of their own, each run keeps whether it had any.
        "runs": [
            {**run, "kernels": run["kernels"] is not None, "counters": run["counters"] is not None}
            for run in plain["runs"]
        ],
        "sentinel_ms": plain["sentinel_ms"],
        "protocol_version": measurement.protocol_version,
        "hidden_unix_s": hidden_unix_s,
    }
    kernels = [
        {"run": index, "position": position, **kernel}
        for index, run in enumerate(plain["runs"])
        for position, kernel in enumerate(run["kernels"] or ())
    ]
    return MeasurementValues(row, kernels, _counter_values(measurement.runs))


def _check_outcome(measurement: Measurement) -> None:
    if (measurement.failure is None) != bool(measurement.runs):
        raise InputError("A measurement has either the runs of its processes or a failure; send exactly one of them.")
    for index, run in enumerate(measurement.runs):
        if not run.samples_ms:
            raise InputError(f"runs[{index}].samples_ms: there has to be a sample.")
        _check_times(f"runs[{index}].samples_ms", run.samples_ms)
    _check_times("sentinel_ms", measurement.sentinel_ms)


def _check_times(path: str, times_ms: Sequence[float]) -> None:
    wrong = next((ms for ms in times_ms if not is_latency(ms)), None)
    if wrong is not None:
        raise InputError(
            f"{path}: each time has to be positive, between {SHORTEST_MS:g} and {LONGEST_MS:g} ms; found {wrong:g}."
        )


def is_latency(ms: float | None) -> bool:
    """Whether it is a number of ms that something can take."""
    return ms is not None and SHORTEST_MS <= ms <= LONGEST_MS


def _counter_values(runs: Sequence[ProcessRun]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for index, run in enumerate(runs):
        if (reading := run.counters) is None:
            continue
        events = {*reading.values, *reading.enabled_ns, *reading.running_ns, *reading.absent}
        rows += [
            {
                "run": index,
                "event": event,
                "value": reading.values.get(event),
                "enabled_ns": reading.enabled_ns.get(event),
                "running_ns": reading.running_ns.get(event),
                "absent": reading.absent.get(event),
            }
            for event in sorted(events)
        ]
    return rows


def measurement_record(row: tables.Measurement) -> Measurement:
    """The measurement that the row, its kernels and its counters describe.

    Raises:
        InputError: the row is a statistic of a public table, which has no samples.
    """
    if row.statistic != "samples" or row.graph_hash is None:
        raise InputError(f"Row {row.id} is the {row.statistic} of a public table; it has no samples.")
    failed = row.failure_stage is not None
    return Measurement(
        graph=row.graph_hash,
        target=target_record(row.target),
        settings=from_plain(ProfileSettings, row.settings),
        feeds=tuple(from_plain(FeedSpec, feed) for feed in row.feeds),
        before=from_plain(Environment, row.before) if row.before else None,
        after=from_plain(Environment, row.after) if row.after else None,
        runs=_run_records(row),
        failure=Failure(stage=row.failure_stage or "", message=row.failure_message or "") if failed else None,
        noisy=row.noisy,
        sentinel_ms=tuple(row.sentinel_ms),
        protocol_version=row.protocol_version,
    )


def summary_record(row: tables.Measurement | Row[Any]) -> Summary | None:
    """Summary of a row's samples (only `runs` counts); None where it has none (a failure, or a number of a table)."""
    return summary_of_runs(row.runs)


def summary_of_runs(runs: Sequence[Mapping[str, Any]]) -> Summary | None:
    """Summary of the samples of processes as rows keep them, or the one that stayed of them; None without either."""
    if runs and SUMMARY in runs[0]:
        return from_plain(Summary, runs[0][SUMMARY])
    processes = tuple(ProcessRun(samples_ms=tuple(run["samples_ms"])) for run in runs)
    nowhere = Target(device="", backend="")  # a summary looks at samples alone
    return Measurement(graph="", target=nowhere, settings=ProfileSettings(), runs=processes).summary


def runs_without_samples(runs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]] | None:
    """Processes as rows keep them, the summary of all samples in place of the samples; None where none are left."""
    summary = summary_of_runs(runs)
    if summary is None or SUMMARY in runs[0]:
        return None
    bare = [{**run, "samples_ms": []} for run in runs]
    return [{**bare[0], SUMMARY: to_plain(summary)}, *bare[1:]]


def _run_records(row: tables.Measurement) -> tuple[ProcessRun, ...]:
    kernels: dict[int, list[KernelTiming]] = defaultdict(list)
    for kernel in row.kernels:
        kernels[kernel.run].append(kernel_record(kernel))
    runs = []
    for index, stored in enumerate(row.runs):
        plain = {name: value for name, value in stored.items() if name != SUMMARY}
        run = from_plain(ProcessRun, {**plain, "kernels": None, "counters": None})
        runs.append(
            replace(
                run,
                kernels=tuple(kernels[index]) if plain["kernels"] else None,
                counters=_counter_record(row.counters, index) if plain["counters"] else None,
            )
        )
    return tuple(runs)


def kernel_record(row: tables.KernelMeasurement) -> KernelTiming:
    """The kernel that the row describes."""
    return KernelTiming(
        operator=row.operator,
        share=row.share,
        time_ms=row.time_ms,
        node=row.node,
        input_shapes=tuple(tuple(shape) for shape in row.input_shapes),
        output_shapes=tuple(tuple(shape) for shape in row.output_shapes),
        dtype=row.dtype,
    )


def _counter_record(rows: Sequence[tables.CounterReading], run: int) -> CounterReading:
    mine = [row for row in rows if row.run == run]
    return CounterReading(
        values={row.event: row.value for row in mine if row.value is not None},
        enabled_ns={row.event: row.enabled_ns for row in mine if row.enabled_ns is not None},
        running_ns={row.event: row.running_ns for row in mine if row.running_ns is not None},
        absent={row.event: row.absent for row in mine if row.absent is not None},
    )
