"""Devices without measurements are forecast by the sources: those of training by their own profile."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from predictors.kinds.universal.cells.unadapted import source_profile, stranger_profile
from tests.predictors.kinds.universal.cells.test_prior import prior, rows_of


def test_a_source_is_forecast_by_its_own_costs() -> None:
    texts, latency_ms = rows_of(1)
    median, spread = source_profile(prior(), 1).forecast(prior().centred(texts))
    assert np.median(np.abs(median / latency_ms - 1)) < 0.05
    assert_allclose(spread, prior().log_stds[1])


def test_a_stranger_is_at_the_mean_speed_with_the_spread_of_speeds() -> None:
    profile = stranger_profile(prior(), 0.8)
    assert profile.scale_ms == pytest.approx(np.exp(np.log(prior().scales_ms).mean()))
    assert profile.noise >= np.log(prior().scales_ms).var(ddof=1)
    _, spread = profile.forecast(prior().centred(rows_of(5)[0]))
    assert (spread > np.sqrt(profile.noise)).all()


def test_one_source_leaves_a_strangers_speed_open() -> None:
    assert stranger_profile(prior(1), 0.8).noise == 1.0
