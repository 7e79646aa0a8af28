"""MAPLE's predictor: the conformance suite, and which descriptors it reads."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra [torch] is not installed")

import torch

from predictors.artifact import Artifact
from predictors.base import LatencyDataset
from predictors.kinds.maple.predictor import MaplePredictor
from predictors.evaluation.metrics import spearman
from predictors.testing import PredictorSuite
from predictors.testing.architectures import architecture_workload
from predictors.testing.workload import Workload
from latcast.schema import DeviceEvidence, InputError, MissingEvidenceError

torch.set_num_threads(1)

SMALL = {"epochs": 30, "width": 64, "layers": 2}


class TestMaple(PredictorSuite):
    scale_rtol = 0.02
    min_spearman = 0.85

    def make(self, **hyperparameters: Any) -> MaplePredictor:
        return MaplePredictor(**{**SMALL, **hyperparameters})

    def workload(self) -> Workload:
        return architecture_workload()


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
