"""What microbenchmarks say of a target's factors."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from predictors.kinds.kernel_sum.target_descriptors import TargetDescriptors
from latcast.schema import DeviceEvidence


def _targets(count: int = 8) -> tuple[dict[str, DeviceEvidence], dict[str, np.ndarray]]:
    """Machines whose factors follow from two of their benchmarks."""
    rng = np.random.default_rng(0)
    evidence, means = {}, {}
    for index in range(count):
        gemm, memory = rng.normal(size=2)
        values = {"gemm_ms": np.exp(gemm), "memory_ms": np.exp(memory), "gain": 1.0}
        evidence[f"t{index}"] = DeviceEvidence(microbench={name: float(value) for name, value in values.items()})
        means[f"t{index}"] = np.array([gemm, gemm + memory, 0.0])
    return evidence, means


def test_a_target_between_others_is_expected_between_them() -> None:
    evidence, means = _targets()
    known = TargetDescriptors.fit(evidence, means)
    assert known is not None
    for gemm, memory in [(0.5, -0.5), (-0.3, 0.8)]:
        bench = {"gemm_ms": float(np.exp(gemm)), "memory_ms": float(np.exp(memory)), "gain": 1.0}
        found = known.expected(DeviceEvidence(microbench=bench))
        assert found is not None
        assert_allclose(found, [gemm, gemm + memory, 0.0], atol=0.35)


def test_the_unit_of_time_does_not_matter() -> None:
    evidence, means = _targets()
    slow = {
        name: DeviceEvidence(
            microbench={key: v * (1000 if key.endswith("_ms") else 1) for key, v in (one.microbench or {}).items()}
        )
        for name, one in evidence.items()
    }
    plain, scaled = TargetDescriptors.fit(evidence, means), TargetDescriptors.fit(slow, means)
    assert plain is not None
    assert scaled is not None
    first, second = plain.expected(evidence["t3"]), scaled.expected(slow["t3"])
    assert first is not None
    assert second is not None
    assert_allclose(first, second, atol=1e-9)


@pytest.mark.parametrize("bench", [None, {}, {"gemm_ms": 1.0}, {"gemm_ms": 0.0, "memory_ms": 1.0, "gain": 1.0}])
def test_what_was_not_measured_says_nothing(bench: dict[str, float] | None) -> None:
    known = TargetDescriptors.fit(*_targets())
    assert known is not None
    assert known.expected(DeviceEvidence(microbench=bench)) is None
    assert known.expected(None) is None


def test_three_targets_are_too_few() -> None:
    assert TargetDescriptors.fit(*_targets(3)) is None
