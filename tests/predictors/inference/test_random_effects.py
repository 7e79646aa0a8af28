"""Conditioning on rows is exact, robust to outliers, follows curvature, and leaves rows out without refitting."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from latcast.schema import ArtifactError
from predictors.artifact import Artifact
from predictors.base import FloatArray
from predictors.inference.random_effects import (
    GroupedRows,
    Prior,
    RandomEffects,
    Rows,
    TargetEffects,
    fit_effects,
)

COVARIANCE = np.array([[1.0, 0.3, 0.0], [0.3, 0.5, 0.1], [0.0, 0.1, 0.2]])


def _rows(seed: int = 0, count: int = 7) -> Rows:
    rng = np.random.default_rng(seed)
    design = rng.standard_normal((count, 3))
    return Rows(design=design, residual=design @ rng.standard_normal(3), variance=rng.uniform(0.02, 0.2, count))


def _effects(mean: float, spread: float) -> TargetEffects:
    return TargetEffects(mean=np.array([mean, 0.0]), covariance=np.diag([spread, 0.01]))


def test_conditioning_agrees_with_the_joint_gaussian() -> None:
    rows, mean = _rows(), np.array([0.5, -1.0, 2.0])
    weighted = rows.design / rows.variance[:, None]
    found = Prior(mean, COVARIANCE).given(weighted.T @ rows.design, weighted.T @ rows.residual)
    cross = COVARIANCE @ rows.design.T
    gain = cross @ np.linalg.inv(rows.design @ cross + np.diag(rows.variance))
    assert_allclose(found.mean, mean + gain @ rows.residual)
    assert_allclose(found.covariance, COVARIANCE - gain @ cross.T)
    assert_array_equal(found.covariance, found.covariance.T)
    assert_allclose(found.variance(rows.design), np.diag(rows.design @ found.covariance @ rows.design.T))


def test_no_rows_leave_the_prior() -> None:
    found = Prior(np.ones(3), COVARIANCE).given(np.zeros((3, 3)), np.zeros(3))
    assert_allclose(found.mean, 1.0)
    assert_allclose(found.covariance, COVARIANCE, atol=1e-12)


@pytest.mark.parametrize("averaged", [True, False])
def test_an_outlier_weighs_less_than_the_rest(averaged: bool) -> None:
    x = np.column_stack([np.ones(20), np.linspace(-1, 1, 20)])
    y = x @ [2.0, 0.5]
    y[3] += 10.0

    def rows_at(u: FloatArray) -> Rows:
        return Rows(design=x, residual=y - x @ u, variance=np.full(20, 0.01))

    state, rows, weights = fit_effects(Prior(np.zeros(2), np.eye(2)), rows_at, steps=10, averaged=averaged)
    assert_allclose(state.mean, [2.0, 0.5], atol=0.03)
    assert weights[3] < 0.01 * np.delete(weights, 3).min()
    assert_allclose(rows.residual, y - x @ state.mean)


def test_rows_that_are_not_linear_are_linearised_anew() -> None:
    parts = np.array([[1.0, 3.0], [2.0, 0.5], [4.0, 4.0]])
    truth = np.array([1.5, -0.7])

    def rows_at(u: FloatArray) -> Rows:
        times = parts * np.exp(u)
        total = times.sum(axis=1)
        residual = np.log((parts * np.exp(truth)).sum(axis=1) / total)
        return Rows(design=times / total[:, None], residual=residual, variance=np.full(3, 1e-6))

    state, _, _ = fit_effects(Prior(np.zeros(2), 4 * np.eye(2)), rows_at, steps=8)
    assert_allclose(state.mean, truth, atol=1e-3)


def test_leaving_rows_out_agrees_with_conditioning_on_the_others() -> None:
    rows, prior, mean = _rows(5), Prior(np.zeros(3), COVARIANCE), np.zeros(3)
    weights = rows.weights()
    error, variance = GroupedRows.of(rows, weights, mean, np.arange(7)).left_out(prior)
    for row in range(7):
        kept = np.delete(np.arange(7), row)
        x = rows.design[kept]
        reach = rows.design[row] @ COVARIANCE @ x.T
        gram = x @ COVARIANCE @ x.T + np.diag(1 / weights[kept])
        forecast = reach @ np.linalg.solve(gram, rows.residual[kept])
        spread = rows.design[row] @ COVARIANCE @ rows.design[row] - reach @ np.linalg.solve(gram, reach)
        assert error[row] == pytest.approx(rows.residual[row] - forecast)
        assert variance[row] == pytest.approx(spread + rows.variance[row])


def test_leaving_rows_out_inverts_nothing_however_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, prior = _rows(5, count=40), Prior(np.zeros(3), COVARIANCE)
    grouped = GroupedRows.of(rows, rows.weights(), np.zeros(3), np.arange(40))

    def refused(matrix: FloatArray) -> FloatArray:
        raise AssertionError(f"a matrix of shape {matrix.shape} was inverted")

    monkeypatch.setattr("predictors.inference.random_effects._inverse", refused)
    error, variance = grouped.left_out(prior)
    assert error.shape == variance.shape == (40,)


def test_groups_are_left_out_whole() -> None:
    rows, prior = _rows(6, count=6), Prior(np.zeros(3), COVARIANCE)
    weights = rows.weights()
    grouped = GroupedRows.of(rows, weights, np.zeros(3), np.array([0, 1, 2, 0, 1, 2]))
    rest = Rows(design=rows.design[[1, 2, 4, 5]], residual=rows.residual[[1, 2, 4, 5]], variance=rows.variance[:4])
    others = GroupedRows.of(rest, weights[[1, 2, 4, 5]], np.zeros(3), np.arange(4)).posterior(prior)
    error, variance = grouped.left_out(prior)
    assert error.shape == (3,)
    assert error[0] == pytest.approx(rows.residual[0] - rows.design[0] @ others.mean)
    assert variance[0] == pytest.approx(others.variance(rows.design[:1])[0] + rows.variance[0])


def test_the_population_is_that_of_its_targets_and_of_the_guess() -> None:
    guess = np.eye(2)
    base = RandomEffects(mean=np.zeros(2), covariance=guess)
    found = base.refined({f"t{index}": _effects(float(index), 0.1) for index in range(5)}, guess)
    assert_allclose(found.mean, [2.0, 0.0])
    assert_allclose(np.diag(found.covariance), [(3 + 5 * 0.1 + 10) / 8, (3 + 5 * 0.01) / 8])
    assert_allclose(found.widened().covariance, found.covariance * 1.2)
    assert_allclose(found.factor() @ found.factor().T, found.covariance)


def test_targets_that_were_never_measured_have_the_prior() -> None:
    base = RandomEffects(mean=np.zeros(2), covariance=np.eye(2)).calibrated(np.full(20, 3.0))
    found = base.with_target("new", _effects(1.0, 0.1), np.zeros(0))
    assert "new" not in base.targets
    assert_array_equal(found.of("new").mean, [1.0, 0.0])
    assert_array_equal(found.of("other").mean, [0.0, 0.0])
    assert found.of("other").tail_scale == found.of("new").tail_scale == pytest.approx(3.0 / 1.645, rel=1e-3)


def test_intervals_follow_a_targets_own_rows_the_more_there_are() -> None:
    base = RandomEffects(mean=np.zeros(2), covariance=np.eye(2), targets={"old": _effects(0.0, 0.1)})
    base = base.calibrated(np.linspace(0.5, 1.5, 100))
    tails = [base.with_target("new", _effects(1.0, 0.1), np.full(k, 9.0)).of("new").tail_scale for k in (1, 8, 50)]
    assert tails[0] <= tails[1] <= tails[2] == pytest.approx(9.0 / 1.645, rel=1e-3)
    own = base.calibrated(np.full(100, 1.0), {"old": np.full(40, 5.0)})
    assert own.of("old").tail_scale == pytest.approx(5 * own.of("new").tail_scale)


def test_arrays_bring_them_back() -> None:
    found = RandomEffects(
        mean=np.zeros(2), covariance=np.eye(2), targets={"b": _effects(1.0, 0.1), "a": _effects(2, 1)}
    )
    artifact = Artifact(kind="k", hyperparameters={}, arrays=found.to_arrays("some."))
    again = RandomEffects.from_artifact(artifact, "some.", found.names())
    assert found.names() == ["a", "b"]
    assert_array_equal(again.of("a").mean, [2.0, 0.0])
    assert_array_equal(again.of("b").covariance, found.of("b").covariance)
    with pytest.raises(ArtifactError, match="differ in number"):
        RandomEffects.from_artifact(artifact, "some.", ["a"])
    bare = replace(artifact, arrays={})
    with pytest.raises(ArtifactError, match="lacks the array"):
        RandomEffects.from_artifact(bare, "some.", ["a", "b"])
