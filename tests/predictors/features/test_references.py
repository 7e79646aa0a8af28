"""Reference architectures: keys, those that all targets share, and their latencies from evidence or rows."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from latcast.schema import Architecture, DeviceEvidence, MissingEvidenceError
from predictors.data.splits import row_keys
from predictors.features.references import (
    architecture_of,
    common_references,
    min_max,
    reference_key,
    reference_latencies,
)
from predictors.testing import architecture_workload

DATA = architecture_workload(train=20, held_out=20, support=5)
TARGET = DATA.support.queries[0].target.id


def test_keys_name_architectures_as_rows_do() -> None:
    architecture = Architecture(space="zoo", text="plain/depth=3:a")
    assert reference_key(architecture) == "zoo:plain/depth=3:a"
    assert architecture_of(reference_key(architecture)) == architecture
    architectures = [query.architecture for query in DATA.support.queries if query.architecture]
    assert [reference_key(one) for one in architectures] == row_keys(DATA.support)


def test_common_references_are_those_of_every_target() -> None:
    keys = common_references(DATA.train)
    assert len(keys) == 10
    assert list(keys) == sorted(keys)
    evidence = dict(DATA.train.evidence)
    first = next(iter(DATA.train.targets()))
    latencies = dict(evidence[first].reference_latency_ms)
    del latencies[keys[0]]
    evidence[first] = DeviceEvidence(reference_latency_ms=latencies)
    assert common_references(replace(DATA.train, evidence=evidence)) == keys[1:]


def test_training_without_references_is_refused() -> None:
    for evidence in ({}, dict.fromkeys(DATA.train.targets(), DeviceEvidence(reference_latency_ms={"a": 1.0}))):
        with pytest.raises(MissingEvidenceError, match="two or more"):
            common_references(replace(DATA.train, evidence=evidence))


def test_evidence_precedes_that_of_the_support_and_its_rows() -> None:
    keys = row_keys(DATA.support)
    bare = replace(DATA.support, evidence={})
    assert_allclose(reference_latencies(keys, bare, TARGET), DATA.support.latency_ms)
    stated = replace(bare, evidence={TARGET: DeviceEvidence(reference_latency_ms={keys[0]: 7.0, keys[1]: 8.0})})
    passed = DeviceEvidence(reference_latency_ms={keys[1]: 9.0})
    assert reference_latencies(keys[:2], stated, TARGET, passed).tolist() == [7.0, 9.0]


def test_a_missing_reference_is_named() -> None:
    with pytest.raises(MissingEvidenceError, match="the first is zoo:x"):
        reference_latencies([row_keys(DATA.support)[0], "zoo:x"], DATA.support, TARGET)


def test_scaling_to_the_unit_interval() -> None:
    assert_array_equal(min_max([2.0, 4.0, 3.0]), [0.0, 1.0, 0.5])
    assert_array_equal(min_max([5.0, 5.0]), np.zeros(2))
