"""The posterior of a device: measurements, outliers, clocks and variance."""

from functools import cache

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from predictors.base import FloatArray
from predictors.kinds.universal.cells import posterior
from predictors.kinds.universal.cells.fbnet_features import FBNET
from predictors.kinds.universal.cells.posterior import CostProfile, clock_step, equally_uncertain, posterior_of
from predictors.kinds.universal.cells.prior import DevicePrior, MixtureSettings, learn_prior
from profilers.search_spaces.fbnet import FBNet

SETTINGS = MixtureSettings(members=32, unlike=0.5, scale_spread=1, unlike_spread=0.7, noise=0.02, noise_spread=1)


def _texts(count: int, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    return [FBNet().sample(rng).text for _ in range(count)]


def _latency(texts: list[str], device: int) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    rng = np.random.default_rng(device)
    costs = np.random.default_rng(99).lognormal(0, 1, 198) * rng.lognormal(0, 0.1, 198)
    return FBNET.features(texts) @ costs * 1.01 ** rng.standard_normal(len(texts))


@cache
def prior() -> DevicePrior:
    sources = {f"device{i}": (_texts(120, i), _latency(_texts(120, i), i)) for i in range(4)}
    return learn_prior(FBNET, sources, seed=0, progress=lambda done, what: None)


def adapted(texts: list[str], latency_ms: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> CostProfile:
    mixture = prior().mixture(SETTINGS)
    return posterior_of(prior(), mixture, prior().centred(texts), latency_ms, intercept=1.0, tail=3.0)


def error(texts: list[str], latency_ms: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> float:
    fresh = _texts(200, 70)
    median, _ = adapted(texts, latency_ms).forecast(prior().centred(fresh))
    return float(np.median(np.abs(median / _latency(fresh, 7) - 1)))


def test_more_measurements_forecast_better() -> None:
    texts = _texts(150, 50)
    measured = _latency(texts, 7)
    errors = [error(texts[:k], measured[:k]) for k in (2, 20, 150)]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.5 * errors[1]


def test_one_variance_for_all_is_that_of_measurements_left_out() -> None:
    texts = _texts(12, 50)
    x, measured = prior().centred(texts), _latency(texts, 7)

    def given(x: FloatArray, latency_ms: FloatArray) -> CostProfile:
        return posterior_of(prior(), prior().mixture(SETTINGS), x, latency_ms, intercept=1.0, tail=3.0)

    usual = given(x, measured)
    equal = equally_uncertain(usual, given, x, measured)
    fresh = prior().centred(_texts(30, 70))
    assert_array_equal(equal.forecast(fresh)[0], usual.forecast(fresh)[0])
    assert np.ptp(usual.forecast(fresh)[1]) > 0
    left_out = [np.arange(12) != row for row in range(12)]
    errors = [np.log(measured[row] / given(x[rest], measured[rest]).forecast(x[row : row + 1])[0][0])
              for row, rest in enumerate(left_out)]  # fmt: skip
    assert_allclose(equal.forecast(fresh)[1], np.sqrt(np.mean(np.square(errors))))
    assert equally_uncertain(usual, given, x[:1], measured[:1]) is usual


def test_one_outlier_does_little() -> None:
    texts = _texts(20, 50)
    measured = _latency(texts, 7)
    spoiled = measured.copy()
    spoiled[3] *= 4
    assert error(texts, spoiled) < 1.5 * error(texts, measured)


def test_variance_shrinks_where_it_was_measured() -> None:
    texts = _texts(30, 50)
    measured = _latency(texts, 7)
    x = prior().centred(texts)
    few, many = (adapted(texts[:k], measured[:k]).forecast(x[10:])[1] for k in (5, 30))
    assert np.median(many) < np.median(few)


def test_one_measurement_gives_the_scale() -> None:
    texts = _texts(1, 50)
    median, spread = adapted(texts, np.array([123.0])).forecast(prior().centred(texts))
    assert_allclose(median, 123.0, rtol=0.05)
    assert np.isfinite(spread).all()


def test_the_covariance_is_one() -> None:
    texts = _texts(20, 50)
    known = adapted(texts, _latency(texts, 7))
    assert_allclose(known.covariance, known.covariance.T, atol=1e-12)
    assert np.linalg.eigvalsh(known.covariance).min() > -1e-9


@pytest.mark.parametrize(
    ("values", "step"),
    [([12.0, 15, 16, 20], 1.0), ([0.5, 1.5, 3, 3.5], 0.5), ([1.01, 1.7, 2.33, 3.9], 0.0), ([7.0], 0.0)],
)
def test_the_step_of_a_clock(values: list[float], step: float) -> None:
    assert clock_step(np.array(values)) == step


def test_errors_that_were_expected_leave_intervals_as_they_are() -> None:
    right, small, large = (posterior._tail_scale(np.full(20, size**2)) for size in (1.0, 0.3, 3.0))
    assert 1 < right < 1.1
    assert 0.3 < small < right < large < 3


def test_a_latency_stays_positive_and_ordered() -> None:
    low = CostProfile(
        scale_ms=10.0, mean=np.array([1.0, 0.0]), covariance=np.zeros((2, 2)), noise=1e-4, rounding=0.0, tail_scale=1.0
    )
    median, spread = low.forecast(np.array([[-1.8], [-1.2], [-0.95], [-0.5], [0.3]]))
    assert (median > 0).all()
    assert (np.diff(median) > 0).all()
    assert np.isfinite(spread).all()
