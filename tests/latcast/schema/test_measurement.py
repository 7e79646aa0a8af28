"""What measurements compute of themselves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latcast.schema import Measurement, ProcessRun, ProfileSettings, Target, quantile


def _measurement(*medians: float) -> Measurement:
    runs = tuple(ProcessRun(samples_ms=(value * 0.9, value, value * 1.1)) for value in medians)
    target = Target(device="d", backend="b")
    return Measurement(graph="g1-0", target=target, settings=ProfileSettings(), runs=runs)


def test_the_summary_is_the_median_of_the_processes():
    summary = _measurement(2.0, 1.0, 4.0).summary
    assert summary is not None
    assert summary.median_ms == 2.0
    assert summary.samples == 9
    assert summary.process_spread == pytest.approx(1.5)
    assert summary.noise_log == pytest.approx(0.75)


def test_a_failure_has_no_summary():
    assert _measurement().summary is None


@given(st.lists(st.floats(-1e6, 1e6), min_size=1), st.floats(0, 1))
def test_quantiles_lie_between_the_extremes(values: list[float], q: float):
    ordered = sorted(values)
    assert ordered[0] - 1e-6 <= quantile(ordered, q) <= ordered[-1] + 1e-6


def test_what_the_processes_say_together() -> None:
    runs = (
        ProcessRun(samples_ms=(1.0,), peak_memory_bytes=5),
        ProcessRun(samples_ms=(2.0, 3.0), peak_memory_bytes=9, kernels=()),
    )
    target = Target(device="d", backend="b")
    measurement = Measurement(
        graph="g1-0", target=target, settings=ProfileSettings(), runs=runs, sentinel_ms=(1.0, 4.0, 2.0)
    )
    assert measurement.samples_ms == (1.0, 2.0, 3.0)
    assert measurement.peak_memory_bytes == 9
    assert measurement.kernels == ()
    assert measurement.counters is None
    assert measurement.sentinel_median_ms == 2.0
    assert measurement.begun_unix_s is None


def test_processes_that_disagree_beyond_measure_still_have_a_finite_noise():
    summary = _measurement(1e-6, 1e-6, 1e6).summary
    assert summary is not None
    assert summary.noise_log == 5.0
