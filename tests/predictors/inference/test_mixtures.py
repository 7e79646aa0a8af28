"""A mixture of posteriors has their moments, and trusts those that forecast left-out rows well."""

import numpy as np
from numpy.testing import assert_allclose

from predictors.inference.mixtures import Member, mixed
from predictors.inference.random_effects import TargetEffects


def _member(mean: float, error: float, *, spread: float = 0.1, rows: int = 6) -> Member:
    effects = TargetEffects(mean=np.array([mean]), covariance=np.array([[spread]]))
    return Member(effects=effects, error=np.full(rows, error), variance=np.full(rows, 0.04))


def test_members_that_forecast_alike_count_alike() -> None:
    effects, scores = mixed([_member(1.0, 0.2), _member(3.0, -0.2)])
    assert_allclose(effects.mean, [2.0])
    assert_allclose(effects.covariance, [[0.1 + 1.0]])
    assert_allclose(scores, 0.0, atol=1e-12)


def test_a_member_that_forecasts_badly_hardly_counts() -> None:
    effects, scores = mixed([_member(1.0, 0.1), _member(3.0, 2.0)])
    assert_allclose(effects.mean, [1.0], atol=0.01)
    assert_allclose(scores, 0.5, rtol=0.05)


def test_a_member_that_expects_too_much_error_counts_less() -> None:
    careful = _member(3.0, 0.1)
    vague = Member(effects=careful.effects, error=careful.error, variance=np.full(6, 4.0))
    effects, _ = mixed([_member(1.0, 0.1), vague])
    assert effects.mean[0] < 1.01


def test_one_member_is_the_mixture() -> None:
    one = _member(1.0, 0.3)
    effects, scores = mixed([one])
    assert_allclose(effects.mean, one.effects.mean)
    assert_allclose(effects.covariance, one.effects.covariance)
    assert_allclose(scores, 1.5)
