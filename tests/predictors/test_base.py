"""Predictions: quantiles and intervals of a log-normal error, or no claim."""

import numpy as np
import pytest

from latcast.schema import InputError
from predictors.base import Prediction


def test_intervals_are_quantiles_around_the_median() -> None:
    prediction = Prediction(median_ms=np.array([1.0, 10.0]), log_std=np.array([0.1, 0.0]))
    low, high = prediction.interval_ms(0.9)
    assert low * high == pytest.approx([1.0, 100.0])
    assert low[0] == pytest.approx(np.exp(-0.1 * 1.6448536))
    assert prediction.claimed_intervals_ms(0.9) == [(low[0], high[0]), (10.0, 10.0)]
    assert all(type(bound) is float for pair in prediction.claimed_intervals_ms() if pair for bound in pair)


def test_tails_widen_intervals() -> None:
    narrow, wide = (Prediction(median_ms=np.ones(1), log_std=np.ones(1), tail_scale=scale) for scale in (1.0, 2.0))
    assert np.log(wide.interval_ms(0.5)[1]) == pytest.approx(2 * np.log(narrow.interval_ms(0.5)[1]))


def test_where_nothing_is_claimed_there_are_no_quantiles() -> None:
    prediction = Prediction(median_ms=np.ones(2))
    assert prediction.claimed_intervals_ms(0.9) == [None, None]
    with pytest.raises(InputError, match="no quantiles"):
        prediction.interval_ms()
