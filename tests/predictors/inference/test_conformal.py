"""Calibrated intervals hold what they claim for exchangeable rows."""

import math

import numpy as np
import pytest

from latcast.schema import InputError
from predictors.inference.conformal import calibrated_scale, conformal_quantile, minimum_scores


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


@pytest.mark.parametrize("level", [0.0, 1.0, -1.0, 90.0])
def test_levels_are_probabilities(level: float) -> None:
    with pytest.raises(InputError, match="between 0 and 1"):
        conformal_quantile([1.0], level)
