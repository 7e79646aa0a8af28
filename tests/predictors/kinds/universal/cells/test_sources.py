"""A source's cost profile follows from its own rows, with multiplicative noise."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from predictors.kinds.universal.cells.sources import SourceFit, fit_source

TRUTH = np.array([0.3, -0.2, 0.1, 0.0])


def fitted(noise: float, count: int = 300, scale_ms: float = 5.0) -> tuple[SourceFit, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (count, 4))
    x -= x.mean(axis=0)
    latency_ms = scale_ms * (1 + x @ TRUTH) * np.exp(noise * rng.standard_normal(count))
    return fit_source(x, latency_ms, np.eye(4)[None], rng), x


def test_profiles_are_costs_relative_to_the_mean_latency() -> None:
    source, x = fitted(0.01)
    assert_allclose(source.profile, TRUTH, atol=0.01)
    assert source.scale_ms == pytest.approx(5.0, rel=0.02)
    assert source.intercept == pytest.approx(0.0, abs=0.01)
    assert_allclose(source.design, x * source.inverse_level[:, None])


@pytest.mark.parametrize("noise", [0.01, 0.1])
def test_noise_is_that_of_rows_left_out(noise: float) -> None:
    assert fitted(noise)[0].log_std == pytest.approx(noise, rel=0.25)


def test_the_unit_of_time_changes_the_scale_alone() -> None:
    (milliseconds, _), (seconds, _) = fitted(0.02), fitted(0.02, scale_ms=0.005)
    assert_allclose(seconds.profile, milliseconds.profile, rtol=1e-6)
    assert seconds.scale_ms == pytest.approx(milliseconds.scale_ms / 1000)
