"""Descriptors are standardised over the devices of training and read from whatever evidence there is."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from latcast.schema import DeviceEvidence, MissingEvidenceError
from predictors.base import LatencyDataset
from predictors.features.descriptors import DescriptorReader
from predictors.testing import architecture_workload

WORKLOAD = architecture_workload(train=20, held_out=20, support=5)
TARGETS = list(WORKLOAD.train.targets())
NEW = WORKLOAD.support.queries[0].target.id


def measured(**extra: float) -> LatencyDataset:
    """Every target with microbenchmarks that grow with its place, and entries that only the first one has."""
    evidence = {
        target: DeviceEvidence(microbench={"gemm_ms": 2.0**place, "copy_ms": 3.0, **(extra if place == 0 else {})})
        for place, target in enumerate(TARGETS)
    }
    return replace(WORKLOAD.train, evidence=evidence)


def test_the_first_kind_that_all_targets_have_is_read() -> None:
    assert DescriptorReader.fit(WORKLOAD.train).kind == "reference_latency_ms"
    assert DescriptorReader.fit(measured()).kind == "microbench"
    counted = {target: replace(one, counters={"cycles": 1.0}) for target, one in measured().evidence.items()}
    assert DescriptorReader.fit(replace(WORKLOAD.train, evidence=counted)).kind == "counters"


def test_entries_are_those_in_common_standardised_over_training() -> None:
    data = measured(odd_ms=1.0)
    reader = DescriptorReader.fit(data)
    assert reader.names == ("copy_ms", "gemm_ms")
    empty = data.subset([])
    vectors = np.array([reader.read(empty, target, data.evidence[target]).vector for target in TARGETS])
    assert_allclose(vectors.mean(axis=0), 0, atol=1e-12)
    assert_allclose(vectors.std(axis=0), [0, 1], atol=1e-12)
    assert reader.read(empty, TARGETS[0], data.evidence[TARGETS[0]]).unit_ms == 1.0


def test_reference_latencies_give_the_unit_of_time_and_not_the_vector() -> None:
    reader = DescriptorReader.fit(WORKLOAD.train)
    evidence = WORKLOAD.support.evidence[NEW]
    slower = DeviceEvidence(reference_latency_ms={key: 10 * ms for key, ms in evidence.reference_latency_ms.items()})
    once, ten_times = (reader.read(WORKLOAD.support, NEW, one) for one in (evidence, slower))
    assert_allclose(ten_times.vector, once.vector)
    assert ten_times.unit_ms == pytest.approx(10 * once.unit_ms)


def test_the_evidence_of_the_support_is_read_where_none_is_passed() -> None:
    data = measured()
    reader = DescriptorReader.fit(data)
    by_support = reader.read(data, TARGETS[1], None)
    assert_allclose(by_support.vector, reader.read(data.subset([]), TARGETS[1], data.evidence[TARGETS[1]]).vector)


def test_missing_evidence_is_named() -> None:
    with pytest.raises(MissingEvidenceError, match="counters"):
        DescriptorReader.fit(measured(), "counters")
    with pytest.raises(MissingEvidenceError, match="reference architectures"):
        DescriptorReader.fit(replace(WORKLOAD.train, evidence={}))
    reader = DescriptorReader.fit(measured())
    with pytest.raises(MissingEvidenceError, match="'gemm_ms'"):
        reader.read(measured().subset([]), NEW, DeviceEvidence(microbench={"copy_ms": 1.0}))
