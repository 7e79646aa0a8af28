import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from latcast.schema import InputError
from predictors.inference.conformal import calibrated_scale, conformal_quantile, jackknife_plus, minimum_scores


def test_quantile_has_the_finite_sample_correction() -> None:
    scores = np.arange(1.0, 20.0)  # 19 of them: the 18th smallest bounds a fresh one with probability 0.9
    assert conformal_quantile(scores[::-1], 0.9) == 18.0
    assert conformal_quantile(scores, 0.95) == 19.0
    assert conformal_quantile(scores, 0.96) == math.inf


def test_minimum_scores_is_where_bounds_become_finite() -> None:
    assert [minimum_scores(level) for level in (0.5, 0.8, 0.9, 0.95, 0.99)] == [1, 4, 9, 19, 99]
    for level in (0.5, 0.8, 0.9, 0.95, 0.99):
        count = minimum_scores(level)
        assert math.isfinite(conformal_quantile(np.ones(count), level))
        assert math.isinf(conformal_quantile(np.ones(count - 1), level))


@pytest.mark.parametrize("count", [9, 10, 25, 100])
def test_split_conformal_covers_exchangeable_rows(count: int) -> None:
    rng = np.random.default_rng(count)
    scores = np.abs(rng.standard_t(2, size=(8000, count + 1)))
    bounds = np.array([conformal_quantile(row[:-1], 0.9) for row in scores])
    expected = math.ceil(0.9 * (count + 1)) / (count + 1)
    assert np.mean(scores[:, -1] <= bounds) == pytest.approx(expected, abs=0.012)


@pytest.mark.parametrize("truth", [0.5, 1.0, 3.0])
def test_scale_finds_how_wrong_the_spread_is(truth: float) -> None:
    scores = np.abs(np.random.default_rng(1).standard_normal(20_000)) * truth
    assert calibrated_scale(scores) == pytest.approx(truth, rel=0.03)
    with pytest.raises(InputError, match="at least 9"):
        calibrated_scale(scores[:8])


def _line(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.linalg.lstsq(np.stack([np.ones_like(x), x], axis=1), y, rcond=None)[0]


def test_jackknife_plus_covers_with_few_rows_where_residuals_do_not() -> None:
    rng = np.random.default_rng(3)
    inside, naive, trials, k = 0, 0, 1500, 12
    for _ in range(trials):
        x = rng.standard_normal(k + 1)
        y = 2 * x + rng.standard_normal(k + 1)
        fits = [_line(np.delete(x[:k], i), np.delete(y[:k], i)) for i in range(k)]
        predictions = np.array([[fit[0] + fit[1] * x[k]] for fit in fits])
        residuals = np.array([abs(y[i] - fit[0] - fit[1] * x[i]) for i, fit in enumerate(fits)])
        low, high = jackknife_plus(predictions, residuals, 0.9)
        inside += bool(low[0] <= y[k] <= high[0])
        whole = _line(x[:k], y[:k])
        own = np.sort(np.abs(y[:k] - whole[0] - whole[1] * x[:k]))[math.ceil(0.9 * k) - 1]
        naive += bool(abs(y[k] - whole[0] - whole[1] * x[k]) <= own)
    assert 0.88 <= inside / trials <= 0.97
    assert naive / trials < 0.88


def test_jackknife_plus_by_hand() -> None:
    predictions, residuals = np.arange(9.0)[:, None] * np.ones((9, 2)), np.ones(9)
    low, high = jackknife_plus(predictions, residuals, 0.9)
    assert_allclose(low, [-1, -1])  # the smallest of predictions − residuals
    assert_allclose(high, [9, 9])
    low, high = jackknife_plus(predictions, residuals, 0.8)
    assert_allclose(low, [0, 0])
    assert_allclose(high, [8, 8])


def test_too_few_rows_bound_nothing() -> None:
    low, high = jackknife_plus(np.zeros((8, 3)), np.zeros(8), 0.9)
    assert np.isneginf(low).all()
    assert np.isposinf(high).all()


@pytest.mark.parametrize("level", [0.0, 1.0, -1.0, 90.0])
def test_levels_are_probabilities(level: float) -> None:
    with pytest.raises(InputError, match="between 0 and 1"):
        conformal_quantile([1.0], level)
    with pytest.raises(InputError, match="between 0 and 1"):
        jackknife_plus([[1.0]], [1.0], level)


def test_shapes_are_checked() -> None:
    with pytest.raises(InputError, match="shape"):
        jackknife_plus(np.zeros((3, 2)), np.zeros(2), 0.9)
