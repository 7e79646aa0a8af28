"""Costs of a device out of a few latencies, and what is not known of them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from predictors.base import FloatArray
from predictors.kinds.operator_costs.posterior import Design, Prior, fitted, size_of
from predictors.kinds.operator_costs.readings import readings_of
from profilers.search_spaces import get_space

(READING,) = readings_of("fbnet")
SIZE = size_of(READING)
PRIOR = Prior(mean=np.zeros(SIZE), std=np.append(np.ones(SIZE - 1), 3.0), noise=0.01, places=0.02)


def design(count: int, seed: int) -> Design:
    rng = np.random.default_rng(seed)
    texts = [get_space("fbnet").sample(rng).text for _ in range(count)]
    return Design(counts=READING.counts(texts) / 22, reading=READING)


def device(seed: int) -> FloatArray:
    return np.random.default_rng(seed).normal(0, 1, SIZE)


def test_the_logarithms_are_of_nine_blocks_four_quantities_overhead_and_level() -> None:
    assert SIZE == 9 + 4 + 2


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), place=st.integers(0, SIZE - 1))
def test_derivatives_are_those_of_the_forecast(seed: int, place: int) -> None:
    rows, logs, step = design(5, seed), device(seed), 1e-5
    mean, slopes, shares = rows.forecast(logs)
    moved = rows.forecast(logs + step * np.eye(SIZE)[place])[0]
    assert_allclose((moved - mean) / step, slopes[:, place], atol=1e-4)
    assert (shares >= 0).all()
    assert (shares.sum(axis=1) < 1).all(), "the rest is overhead"


@pytest.mark.parametrize("seed", range(4))
def test_twenty_exact_latencies_tell_a_device_whose_blocks_cost_as_no_other_device_has_them(seed: int) -> None:
    measured, asked, logs = design(20, seed), design(200, seed + 100), device(seed)
    costs = fitted(measured, measured.forecast(logs)[0], replace(PRIOR, noise=0.002, places=0.002))
    mean, variance = costs.forecast(asked)
    assert np.abs(mean - asked.forecast(logs)[0]).max() < 0.03
    assert np.sqrt(variance).max() < 0.05


def test_what_was_not_measured_is_less_certain_and_more_rows_make_it_surer() -> None:
    asked, logs = design(300, 9), device(3)
    spreads = []
    for count in (3, 10, 40):
        measured = design(count, 5)
        costs = fitted(measured, measured.forecast(logs)[0], PRIOR)
        assert costs.gain.shape == (count, SIZE + len(READING.operators))
        spreads.append(np.sqrt(costs.forecast(asked)[1]).mean())
    assert spreads[0] > 2 * spreads[1] > 2 * spreads[2] > 2 * PRIOR.noise


def test_the_evidence_prefers_the_noise_that_there_is() -> None:
    measured, rng = design(60, 5), np.random.default_rng(1)
    log_ms = measured.forecast(device(3))[0] + rng.normal(0, 0.05, 60)
    by_noise = {noise: fitted(measured, log_ms, replace(PRIOR, noise=noise)) for noise in (0.005, 0.05, 0.5)}
    assert max(by_noise, key=lambda noise: by_noise[noise].log_evidence) == 0.05
    standardised = by_noise[0.05].errors ** 2 / by_noise[0.05].variances
    assert 0.6 < standardised.mean() < 1.6, "left-out errors are as large as they are expected to be"


def test_a_place_may_be_off_by_a_factor_of_its_own() -> None:
    measured, asked, logs = design(150, 5), design(100, 6), device(3)
    own = np.random.default_rng(2).normal(0, 0.3, len(READING.operators))

    def latencies(rows: Design) -> FloatArray:
        mean, _, shares = rows.forecast(logs)
        return mean + np.log1p(shares @ np.expm1(own))

    errors = {}
    for places in (0.001, 0.3):
        costs = fitted(measured, latencies(measured), replace(PRIOR, places=places))
        errors[places] = np.abs(costs.forecast(asked)[0] - latencies(asked)).mean()
    assert errors[0.3] < 0.5 * errors[0.001]
