"""Measurements of slow minutes, stated at the machine's baseline speed."""

import numpy as np
import pytest

from latcast.schema import KernelTiming
from predictors.data.host_drift import scaled_kernels, sentinel_drift_factors


def test_drift_factors_are_relative_to_the_median_and_one_where_no_sentinel_ran():
    apart = [100.0 * place for place in range(4)]
    np.testing.assert_allclose(sentinel_drift_factors([0.1, None, 0.1, 0.15], apart), [1, 1, 1, 1.5])
    np.testing.assert_allclose(sentinel_drift_factors([None, None], [0.0, 1.0]), [1, 1])
    assert sentinel_drift_factors([], []).shape == (0,)


def test_readings_of_the_same_seconds_are_taken_together_in_any_order():
    times = [20.0, 0.0, 100.0, 10.0, None]
    slow = sentinel_drift_factors([0.1, 0.1, 0.2, 0.3, 0.4], times, baseline_ms=0.1, around_s=15)
    np.testing.assert_allclose(slow, [2, 2, 2, 1, 4])


def test_drift_factors_beside_another_hour():
    np.testing.assert_allclose(sentinel_drift_factors([0.3, None], [5.0, None], baseline_ms=0.2), [1.5, 1])


def test_scaled_kernels_keep_everything_but_their_times():
    kernels = (
        KernelTiming(operator="Conv", share=0.75, time_ms=3.0, node=4),
        KernelTiming(operator="Relu", share=0.25, time_ms=1.0),
    )
    scaled = scaled_kernels(kernels, 0.5)
    assert scaled is not None
    assert [one.time_ms for one in scaled] == pytest.approx([1.5, 0.5])
    assert [(one.operator, one.share, one.node) for one in scaled] == [("Conv", 0.75, 4), ("Relu", 0.25, None)]
    assert scaled_kernels(None, 0.5) is None
