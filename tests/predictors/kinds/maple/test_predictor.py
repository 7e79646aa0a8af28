"""MAPLE's predictor: the conformance suite, and which descriptors it reads."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra [torch] is not installed")

import torch

from predictors.artifact import Artifact
from predictors.base import LatencyDataset, Query
from predictors.kinds.maple.predictor import MaplePredictor
from predictors.evaluation.metrics import median_ape, spearman
from predictors.testing import PredictorSuite
from predictors.testing.architectures import architecture_workload
from predictors.testing.devices import DEVICES, NEW_DEVICE
from predictors.testing.graphs import foreign_graph
from predictors.testing.workload import Workload, default_workload
from latcast.schema import DeviceEvidence, InputError, MissingEvidenceError

torch.set_num_threads(1)

TARGET = DEVICES[0].target
SMALL = {"epochs": 30, "width": 64, "layers": 2}


@pytest.mark.slow
class TestMaple(PredictorSuite):
    scale_rtol = 0.02
    min_spearman = 0.85

    def make(self, **hyperparameters: Any) -> MaplePredictor:
        return MaplePredictor(**{**SMALL, **hyperparameters})

    def workload(self) -> Workload:
        return architecture_workload()


@cache
def graph_workload() -> Workload:
    """Graphs on the analytic devices, each with microbenchmarks that say how fast it is."""
    plain = default_workload(120, 60, 15)
    evidence = {
        device.target.id: DeviceEvidence(
            microbench={
                "call_ms": device.overhead_ms,
                "gemm_ms": 1e7 / device.flops_per_ms,
                "depthwise_ms": 1e6 / (device.flops_per_ms * device.depthwise_efficiency),
                "copy_ms": 1e6 / device.bytes_per_ms,
            }
        )
        for device in (*DEVICES, NEW_DEVICE)
    }
    parts = (plain.train, plain.held_out, plain.support, plain.new_held_out)
    return Workload(*(replace(part, evidence=evidence) for part in parts))


class TestMapleOnGraphs(PredictorSuite):
    """Frozen embeddings of a graph network beside the descriptor."""

    scale_rtol = 0.02

    def make(self, **hyperparameters: Any) -> MaplePredictor:
        small = {**SMALL, "epochs": 20, "encoder_epochs": 12, "encoder_width": 16, "encoder_layers": 2}
        return MaplePredictor(**{**small, **hyperparameters})

    def workload(self) -> Workload:
        return graph_workload()

    def test_it_says_what_it_reads(self, fitted: MaplePredictor, adapted: MaplePredictor, data: Workload) -> None:
        artifact = adapted.to_artifact()
        assert (artifact.vocabulary["encoder"], artifact.meta["descriptor"]) == ("graphs", "microbench")
        assert fitted.device_descriptor() == "microbench"
        assert fitted.fitted_capabilities().inputs == {"graph"}
        assert fitted.fitted_capabilities().spaces == ()
        foreign = Query(target=TARGET, graph=foreign_graph())
        assert fitted.unknown_operators(foreign) == ("org.example::Sinkhorn",)
        assert fitted.unknown_operators(data.support.queries[0]) == ()

    def test_measurements_of_the_target_beat_its_descriptor_alone(self, fitted: MaplePredictor, data: Workload) -> None:
        target, new = data.support.queries[0].target, data.new_held_out
        described = fitted.adapt(target, data.support.subset([]), data.support.evidence[target.id])
        adapted = fitted.adapt(target, data.support, data.support.evidence[target.id])
        before, after = (median_ape(new.latency_ms, one.predict(new.queries).median_ms) for one in (described, adapted))
        assert after < before
        assert after < 0.3


def _described(data: LatencyDataset, field: str) -> LatencyDataset:
    """With counters or microbenchmarks that tell how fast each device is."""
    evidence = {}
    for target, known in data.evidence.items():
        mean = float(np.mean(list(known.reference_latency_ms.values())))
        evidence[target] = DeviceEvidence(**{field: {"cycles": 1e6 * mean, "gemm_ms": mean, "zero": 0.0}})
    return replace(data, evidence=evidence)


@pytest.mark.parametrize("field", ["counters", "microbench"])
def test_counters_and_microbenchmarks_describe_devices_too(field: str) -> None:
    workload = architecture_workload()
    fitted = MaplePredictor(**SMALL).fit(_described(workload.train, field))
    artifact = fitted.to_artifact()
    assert artifact.meta["descriptor"] == field
    support = _described(workload.support, field)
    adapted = fitted.adapt(support.queries[0].target, support)
    again = MaplePredictor.from_artifact(Artifact.from_bytes(adapted.to_artifact().to_bytes()))
    forecast = again.predict(workload.new_held_out.queries).median_ms
    assert spearman(workload.new_held_out.latency_ms, forecast) > 0.7
    with pytest.raises(MissingEvidenceError, match="cycles"):
        fitted.adapt(support.queries[0].target, replace(support, evidence={}))


def test_the_first_evidence_that_all_targets_have_is_read() -> None:
    workload = architecture_workload()
    both = dict(_described(workload.train, "counters").evidence)
    first = next(iter(both))
    both[first] = workload.train.evidence[first]
    data = replace(workload.train, evidence={
        target: replace(known, counters=both[target].counters) for target, known in workload.train.evidence.items()
    })  # fmt: skip
    fitted = MaplePredictor(**{**SMALL, "epochs": 1}).fit(data)
    assert fitted.to_artifact().meta["descriptor"] == "reference_latency_ms"


def test_evidence_that_is_not_there_is_named() -> None:
    workload = architecture_workload()
    with pytest.raises(MissingEvidenceError, match="counters"):
        MaplePredictor(descriptor="counters", **SMALL).fit(workload.train)
    with pytest.raises(MissingEvidenceError):
        MaplePredictor(**SMALL).fit(replace(workload.train, evidence={}))
    with pytest.raises(InputError, match="descriptor"):
        MaplePredictor(descriptor="horoscope")
