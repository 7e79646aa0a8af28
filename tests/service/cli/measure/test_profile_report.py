"""The report of `latcast profile`: units, reasons, and kernels by their share."""

from typing import Any

import numpy as np
import pytest
from onnx import helper

from latcast.schema import (
    CounterReading,
    Environment,
    KernelTiming,
    Measurement,
    ProcessRun,
    ProfileSettings,
    Target,
)
from profilers.onnx_graph import load_graph
from service.cli.measure.profile_report import _counter_rows, _model_rows, _print_kernels, _steadiness
from service.cli.tables import output
from tests.profilers.onnx_graph.models import I64, F, made


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


def model_rows(data: bytes) -> dict[str, str]:
    measurement = measured()
    assert measurement.summary is not None
    return {label: str(value) for label, value in _model_rows(load_graph(data), measurement, measurement.summary)}


def test_the_work_of_a_small_model_has_digits() -> None:
    rows = model_rows(made([helper.make_node("Relu", ["x"], ["y"])], [("x", F, (1, 8))], [("y", F)], []))
    assert (rows["FLOPs"], rows["arithmetic intensity"], rows["achieved"]) == ("8", "0.12 FLOPs/byte", "8e-06 GFLOP/s")


def test_work_that_depends_on_values_is_told_as_unknown_and_nothing_is_made_of_a_part() -> None:
    nodes = [helper.make_node("Slice", ["x", "zero", "ends"], ["s"]), helper.make_node("MatMul", ["s", "w"], ["y"])]
    weights = [("zero", np.zeros(1, np.int64)), ("w", np.ones((16, 16), np.float32))]
    rows = model_rows(made(nodes, [("x", F, (32, 16)), ("ends", I64, (1,))], [("y", F)], weights))
    assert rows["MACs"] == rows["FLOPs"] == "0, unknown of 1 node"
    assert not {"arithmetic intensity", "achieved"} & set(rows)


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
