"""Weights that vary between targets are learned, adapted in closed form, and calibrated."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from latcast.schema import ArtifactError, InputError
from predictors.artifact import Artifact
from predictors.inference.linear_effects import LinearEffects

SCALE = (2.0, 0.3)


def _rows(
    rng: np.random.Generator, weights: np.ndarray, count: int, noise: float = 0.1
) -> tuple[np.ndarray, np.ndarray]:
    x = np.column_stack([np.ones(count), rng.standard_normal(count)])
    return x, x @ weights + noise * rng.standard_normal(count)


def _population(seed: int, targets: int = 8, count: int = 60) -> tuple[np.ndarray, np.ndarray, list[str], np.ndarray]:
    rng = np.random.default_rng(seed)
    weights = np.array([1.0, 0.8]) + rng.standard_normal((targets, 2)) * [1.0, 0.1]
    parts = [_rows(rng, own, count) for own in weights]
    names = [f"t{target}" for target in range(targets) for _ in range(count)]
    return np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts]), names, weights


def test_learns_the_population() -> None:
    x, y, names, weights = _population(0, targets=40)
    found = LinearEffects.fit(x, y, names, scale=SCALE)
    assert_allclose(found.effects.mean, weights.mean(axis=0), atol=0.05)
    assert_allclose(np.sqrt(np.diag(found.effects.covariance)), [1.0, 0.1], rtol=0.6)
    own = np.array([found.effects.of(f"t{target}").mean for target in range(40)])
    assert_allclose(own, weights, atol=0.08)


def test_noise_is_that_of_the_bulk() -> None:
    x, y, names, _ = _population(1)
    clean = LinearEffects.fit(x, y, names, scale=SCALE).noise
    y[::25] += 5.0
    assert 0.05 < clean < 0.12
    assert LinearEffects.fit(x, y, names, scale=SCALE).noise < 3 * clean


def test_adapting_shrinks_towards_the_population() -> None:
    base = LinearEffects.fit(*_population(2)[:3], scale=SCALE)
    truth = base.effects.mean + np.array([3.0, 0.0])
    x, y = _rows(np.random.default_rng(1), truth, 40, noise=0.05)
    errors = [abs(base.adapted(x[:k], y[:k], "new").effects.of("new").mean[0] - truth[0]) for k in (1, 40)]
    assert errors[1] < errors[0] < 1.0
    doubts = [base.adapted(x[:k], y[:k], "new").effects.of("new").covariance[0, 0] for k in (1, 5, 40)]
    assert doubts == sorted(doubts, reverse=True)
    assert "new" not in base.effects.targets


def test_an_outlier_in_the_support_is_seen_as_one() -> None:
    base = LinearEffects.fit(*_population(3)[:3], scale=SCALE)
    x, y = _rows(np.random.default_rng(2), base.effects.mean, 12, noise=0.05)
    y[4] += 4.0
    assert abs(base.adapted(x, y, "new").effects.of("new").mean[0] - base.effects.mean[0]) < 0.12


def test_a_known_target_that_changed_is_followed() -> None:
    x, y, names, weights = _population(4)
    base = LinearEffects.fit(x, y, names, scale=SCALE)
    rows, slower = _rows(np.random.default_rng(3), weights[0] + [0.7, 0.0], 8, noise=0.05)
    found = base.adapted(rows, slower, "t0").effects.of("t0").mean
    assert found[0] == pytest.approx(weights[0, 0] + 0.7, abs=0.1)
    # and where next to nothing was measured, what training knew of the target counts, not the population's mean
    single = base.adapted(rows[:1], slower[:1] - 0.7, "t0").effects.of("t0").mean
    assert single[1] == pytest.approx(weights[0, 1], abs=0.12)


def test_calibrated_intervals_cover_new_targets_with_heavy_tails() -> None:
    rng = np.random.default_rng(6)
    weights = np.array([1.0, 0.8]) + rng.standard_normal((10, 2)) * [1.0, 0.1]
    names = [f"t{target}" for target in range(10) for _ in range(80)]
    x = np.column_stack([np.ones(800), rng.standard_normal(800)])
    y = np.einsum("nd,nd->n", x, np.repeat(weights, 80, axis=0)) + 0.1 * rng.standard_t(2.5, 800)
    groups = [str(i) for i in range(800)]
    base = LinearEffects.fit_calibrated(x, y, names, groups, scale=SCALE, folds=5, seed=0)
    inside = []
    for _ in range(60):
        fresh = np.column_stack([np.ones(70), rng.standard_normal(70)])
        truth = fresh @ (np.array([1.0, 0.8]) + rng.standard_normal(2) * [1.0, 0.1]) + 0.1 * rng.standard_t(2.5, 70)
        low, high = base.adapted(fresh[:20], truth[:20], "new").predict(fresh[20:], ["new"] * 50).interval_ms(0.9)
        inside.append(np.mean((np.log(low) <= truth[20:]) & (truth[20:] <= np.log(high))))
    assert 0.86 <= np.mean(inside) <= 0.95


def test_a_noisier_target_gets_wider_intervals() -> None:
    x, y, names, _ = _population(7)
    base = LinearEffects.fit_calibrated(x, y, names, [str(i) for i in range(len(y))], scale=SCALE, folds=4, seed=0)
    rng = np.random.default_rng(8)
    calm, wild = (
        base.adapted(*_rows(rng, base.effects.mean, 25, noise=noise), "new").effects.of("new") for noise in (0.1, 0.5)
    )
    assert wild.tail_scale > 2 * calm.tail_scale


def test_one_target_alone_leaves_a_broad_prior() -> None:
    x, y, names, weights = _population(9, targets=1)
    found = LinearEffects.fit(x, y, names, scale=SCALE)
    assert_allclose(found.effects.mean, weights[0], atol=0.05)
    assert np.sqrt(found.effects.covariance[0, 0]) > 1.0


def test_forecasts_do_not_depend_on_their_neighbours() -> None:
    x, y, names, _ = _population(10)
    found = LinearEffects.fit(x, y, names, scale=SCALE)
    asked = [names[0], names[100], "nobody", names[0]]
    batch = found.predict(x[:4], asked)
    singles = [found.predict(x[i : i + 1], asked[i : i + 1]) for i in range(4)]
    assert_allclose(batch.median_ms, [single.median_ms[0] for single in singles])
    assert batch.log_std is not None
    assert batch.log_std[2] > 3 * batch.log_std[0]


def test_arrays_bring_it_back() -> None:
    x, y, names, _ = _population(11)
    found = LinearEffects.fit(x, y, names, scale=SCALE).adapted(x[:4], y[:4], "new")
    artifact = Artifact(kind="k", hyperparameters={}, arrays=found.to_arrays())
    again = LinearEffects.from_artifact(artifact, found.target_names())
    assert_array_equal(again.predict(x, names).median_ms, found.predict(x, names).median_ms)
    assert_array_equal(again.features(x), found.features(x))
    with pytest.raises(ArtifactError, match="differ in number"):
        LinearEffects.from_artifact(artifact, found.target_names()[:-1])


def test_features_are_the_prior_covariance() -> None:
    x, y, names, _ = _population(12)
    found = LinearEffects.fit(x, y, names, scale=SCALE)
    assert_allclose(found.features(x) @ found.features(x).T, x @ found.effects.covariance @ x.T)


def test_no_rows_are_refused() -> None:
    with pytest.raises(InputError):
        LinearEffects.fit(np.empty((0, 2)), np.empty(0), [], scale=SCALE)
