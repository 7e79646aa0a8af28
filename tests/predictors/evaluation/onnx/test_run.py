"""A run measures every model twice, forecasts those outside the support, and outlives models that fail."""

from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from latcast.schema import Environment, Graph, Measurement, ProcessRun
from predictors.evaluation.journal import Journal
from predictors.evaluation.onnx import FailedModel, Manifest, ManifestEntry, Model, Plan, careful_settings
from predictors.kinds.flops import FlopsPredictor
from predictors.testing import NEW_DEVICE, default_workload, random_graph
from profilers.backends.target_settings import target_for
from tests.predictors.data.measured.campaigns import DEVICE

run_module = import_module("predictors.evaluation.onnx.run")  # the package has the function under that name
SETTINGS = careful_settings(backend="fake", precision="fp32", threads=1, seconds=2.0, timeout_s=30.0)
GRAPHS = [random_graph(np.random.default_rng(seed)) for seed in range(8)]


def measurement(graph: Graph, ms: float, *, at: float, sentinel_ms: float) -> Measurement:
    return Measurement(
        graph=graph.hash, target=target_for(DEVICE, SETTINGS), settings=SETTINGS,
        runs=(ProcessRun(samples_ms=(ms, ms, ms)),), before=Environment(time_unix_s=at),
        sentinel_ms=(sentinel_ms, sentinel_ms),
    )  # fmt: skip


@pytest.fixture
def manifest(monkeypatch: pytest.MonkeyPatch) -> Manifest:
    """Eight models, of which one cannot be read and one cannot be measured again; the machine is 20 % slower later."""
    entries = [ManifestEntry(name=f"m{index}", onnx=Path("m.onnx")) for index in range(len(GRAPHS))]

    def read_models(entries: Sequence[ManifestEntry], loader: object) -> list[Model | FailedModel]:
        models: list[Model | FailedModel] = [
            Model(entry=entry, graph=graph, shapes={}, feeds=None, digest=entry.name)
            for entry, graph in zip(entries, GRAPHS, strict=True)
        ]
        return [FailedModel(name="m0", stage="load", message="It is no model."), *models[1:]]

    def measure_once(model: Model, *, occasion: int, **more: Any) -> Measurement | FailedModel:
        if occasion == 1 and model.name == "m7":
            return FailedModel(name="m7", stage="measure", message="It broke.")
        slow = (1.0, 1.2)[occasion]
        ms = NEW_DEVICE.latency_ms(model.graph) * slow
        return measurement(model.graph, ms, at=1000.0 * (1 + occasion), sentinel_ms=slow)

    monkeypatch.setattr(run_module, "read_models", read_models)
    monkeypatch.setattr(run_module, "measure_once", measure_once)
    return Manifest(entries=entries, failed=[FailedModel(name="line 9", stage="manifest", message="No JSON.")])


@pytest.fixture(scope="module")
def plan() -> Plan:
    predictor = FlopsPredictor().fit(default_workload().train)
    return Plan(device=DEVICE, settings=SETTINGS, predictor=predictor, sampler="random", shots=3, seeds=6)


def test_the_document_has_models_failures_and_drift(manifest: Manifest, plan: Plan) -> None:
    reports: list[tuple[str, int, int, str]] = []
    written = run_module.run(manifest, plan, Journal(None), lambda *report: reports.append(report))
    assert [one["name"] for one in written["failed"]] == ["line 9", "m0", "m7"]
    assert {model["name"] for model in written["models"]} == {"m1", "m2", "m3", "m4", "m5", "m6"}
    assert written["host_drift"] == pytest.approx(0.2)
    assert written["repeatability"] == pytest.approx(0.2 / 1.1)
    assert list(dict.fromkeys(stage for stage, *_ in reports)) == [
        "reading", "measuring", "measuring again", "forecasting"
    ]  # fmt: skip


def test_latencies_are_stated_at_baseline_speed(manifest: Manifest, plan: Plan) -> None:
    written = run_module.run(manifest, plan, Journal(None), lambda *report: None)
    exact = {f"m{index}": NEW_DEVICE.latency_ms(graph) for index, graph in enumerate(GRAPHS)}
    ratios = [model["measured_ms"] / exact[model["name"]] for model in written["models"]]
    assert np.ptp(ratios) < 1e-9, "the drift of the second round is removed"
    assert 1.0 < ratios[0] < 1.2


def test_too_few_models_are_failures_not_an_error(manifest: Manifest, plan: Plan) -> None:
    written = run_module.run(manifest, replace(plan, shots=6), Journal(None), lambda *report: None)
    assert written["models"] == []
    assert written["median_ape"] is None
    left = [one for one in written["failed"] if one["stage"] == "forecast"]
    assert len(left) == 6
    assert "name more models" in left[0]["message"]
