"""The report of `latcast profile`: units, reasons, and kernels by their share."""

from typing import Any

import pytest

from latcast.schema import (
    CounterReading,
    Environment,
    KernelTiming,
    Measurement,
    ProcessRun,
    ProfileSettings,
    Target,
)
from service.cli.measure.profile_report import _counter_rows, _print_kernels, _steadiness
from service.cli.tables import output


def test_counters_are_shown_with_units_and_reasons() -> None:
    reading = CounterReading(
        values={"cpu-cycles": 2.5e9, "task-clock": 3e6},
        enabled_ns={"cpu-cycles": 100, "task-clock": 100},
        running_ns={"cpu-cycles": 25, "task-clock": 100},
        absent={"LLC-loads": "No such [event].", "LLC-stores": "No such [event]."},
    )
    rows = dict(_counter_rows(reading))
    assert rows["cpu-cycles"] == "2.50 G (counted for 25% of the time)"
    assert rows["task-clock"] == "3.000 ms"
    assert str(rows["not counted"]) == "LLC-loads, LLC-stores: No such [event]."


def test_kernels_are_listed_by_share(capsys: pytest.CaptureFixture[str]) -> None:
    timings = tuple(
        KernelTiming(operator=f"op{i}", share=share, time_ms=share) for i, share in enumerate((0.2, 0.5, 0.3))
    )
    _print_kernels(timings, 2, output())
    title, header, *rows = capsys.readouterr().out.strip().splitlines()
    assert title == "kernels: 2 of 3, by share of the time"
    assert [row.split()[0] for row in (header, *rows)] == ["operator", "op1", "op2"]


def measured(**changes: Any) -> Measurement:
    run = ProcessRun(samples_ms=(1.0, 1.0), no_kernels="The disk is full.")
    target = Target(device="d", backend="fake")
    return Measurement(graph="g1-x", target=target, settings=ProfileSettings(), feeds=(), runs=(run,), **changes)


def test_a_quota_is_named_where_it_disturbed() -> None:
    measurement = measured(noisy=True, after=Environment(time_unix_s=0.0, quota_throttled_share=0.87))
    assert measurement.summary is not None
    said = str(_steadiness(measurement, measurement.summary))
    assert "CPU quota of this container stopped the process in 87% of its periods" in said
    after = Environment(time_unix_s=0.0, quota_throttled_share=0.87, quota_throttled_s=3.21)
    assert "in 87% of its periods for 3.2 s; raise" in str(
        _steadiness(measured(noisy=True, after=after), measurement.summary)
    )
    busy = measured(noisy=True, after=Environment(time_unix_s=0.0, quota_throttled_share=0.0))
    assert "the host was busy" in str(_steadiness(busy, measurement.summary))
