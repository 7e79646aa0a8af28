"""Counters as rates: the mean of single operators' rates by time is solved for the operators again."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictors.data.counter_rates import LEAST_RATE, CountedRun, counter_rates

RATES = {"Conv": 3e6, "Gemm": 1e6, "Relu": 0.5e6}
"""Instructions in a ms of each operator."""


def networks(count: int, *, seed: int = 0, noise: float = 0.0) -> list[CountedRun]:
    """Networks of all operators in random shares of 1 to 10 ms."""
    rng = np.random.default_rng(seed)
    runs = []
    for _ in range(count):
        times = rng.dirichlet(np.ones(len(RATES))) * rng.uniform(1, 10)
        counted = sum(rate * ms for rate, ms in zip(RATES.values(), times, strict=True))
        runs.append(
            CountedRun(
                counts={"instructions": float(counted * np.exp(noise * rng.standard_normal())), "page-faults": 7.0},
                latency_ms=float(times.sum()),
                kernel_ms=dict(zip(RATES, times.tolist(), strict=True)),
            )
        )
    return runs


def test_operators_are_told_apart_by_networks_that_mix_them() -> None:
    rates = counter_rates(networks(40, noise=0.03))
    assert set(rates) == {"instructions", *(f"instructions@{name}" for name in RATES)}
    for name, rate in RATES.items():
        assert rates[f"instructions@{name}"] == pytest.approx(rate, rel=0.1), name


def test_a_network_of_one_operator_states_its_rate() -> None:
    run = CountedRun(counts={"instructions": 6e6}, latency_ms=2.0, kernel_ms={"Conv": 2.0})
    other = CountedRun(counts={"instructions": 1e6}, latency_ms=1.0, kernel_ms={"Gemm": 0.9})
    rates = counter_rates([run, other])
    assert rates["instructions"] == pytest.approx(2e6)
    assert rates["instructions@Conv"] == pytest.approx(3e6, rel=0.01)
    assert rates["instructions@Gemm"] == pytest.approx(1e6, rel=0.01)


def test_operators_that_only_occur_together_are_not_told_apart() -> None:
    runs = [CountedRun(counts={"instructions": 2e6 * ms}, latency_ms=ms, kernel_ms={"Conv": ms / 2, "Relu": ms / 2})
            for ms in (1.0, 2.0, 3.0)]  # fmt: skip
    assert set(counter_rates(runs)) == {"instructions"}


def test_what_the_operating_system_counts_describes_no_hardware() -> None:
    assert counter_rates([CountedRun(counts={"page-faults": 5.0, "user-time-ns": 1e6}, latency_ms=1.0)]) == {}


def test_without_kernels_there_is_the_rate_over_all() -> None:
    runs = [CountedRun(counts={"cpu-cycles": 2e6 * ms}, latency_ms=ms) for ms in (1.0, 3.0)]
    assert counter_rates(runs) == {"cpu-cycles": pytest.approx(2e6)}
    assert counter_rates([]) == {}


@given(
    st.lists(
        st.builds(
            CountedRun,
            counts=st.dictionaries(st.sampled_from(["cpu-cycles", "LLC-loads", "task-clock"]), st.floats(0, 1e18)),
            latency_ms=st.floats(1e-9, 1e9),
            kernel_ms=st.dictionaries(st.sampled_from(["Conv", "Gemm", "Relu"]), st.floats(0, 1e9)),
        ),
        max_size=6,
    )
)
def test_rates_are_positive_and_finite_whatever_is_counted(runs: list[CountedRun]) -> None:
    rates = counter_rates(runs)
    assert all(LEAST_RATE <= rate < np.inf for rate in rates.values())
    counted = {event for run in runs for event in run.counts} - {"task-clock"}
    assert {name.partition("@")[0] for name in rates} == counted
