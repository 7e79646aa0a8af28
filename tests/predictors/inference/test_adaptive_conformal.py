"""Widths that follow misses: over a long run intervals hold what they claim, whatever the rows are."""

import numpy as np
import pytest

from predictors.inference.adaptive_conformal import LEVEL, tracked_scales


def held(scores: np.ndarray) -> np.ndarray:
    """Whether each row lay within the interval that was in force before it."""
    return np.asarray(scores <= np.array(tracked_scales(scores)[:-1]))


def test_a_miss_widens_and_nine_hits_narrow_by_as_much() -> None:
    assert tracked_scales([]) == [1.0]
    assert tracked_scales([2.0])[-1] > 1
    assert tracked_scales([2.0] + [0.0] * 9)[-1] == pytest.approx(1.0)


def test_intervals_that_are_right_stay_about_as_they_are() -> None:
    normal = np.abs(np.random.default_rng(1).standard_normal(2000)) / 1.6449
    assert held(normal).mean() == pytest.approx(LEVEL, abs=0.01)
    assert np.median(tracked_scales(normal)) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("factor", [0.6, 3.0])
def test_coverage_returns_after_the_world_has_changed(factor: float) -> None:
    rng = np.random.default_rng(2)
    before, after = (np.abs(rng.standard_normal(400)) / 1.6449 * scale for scale in (1.0, factor))
    late = held(np.concatenate([before, after]))[450:]
    assert late.mean() == pytest.approx(LEVEL, abs=0.03)


def test_no_row_makes_intervals_boundless() -> None:
    scales = tracked_scales([1e9] * 1000 + [0.0] * 1000)
    assert max(scales) == 16.0
    assert min(scales) == scales[-1] == 0.5
