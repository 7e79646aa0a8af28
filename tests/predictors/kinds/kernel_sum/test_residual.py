"""Trees learn what shapes do beyond work, are judged on graphs they did not see, and survive as texts."""

import zlib
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from latcast.schema import ArtifactError
from predictors.artifact import Artifact
from predictors.base import FloatArray
from predictors.kinds.kernel_sum import residual
from predictors.kinds.kernel_sum.residual import CATEGORIES, Growth, ResidualTrees, kernel_numbers, tree_features
from predictors.kinds.kernel_sum.shared_roofline import SharedRoofline
from predictors.testing import DEVICES, measure, random_graph

GROWTH = Growth(trees=40, learning_rate=0.1, leaves=8, seed=0)


def stepped(count: int = 400) -> tuple[FloatArray, FloatArray]:
    features = np.random.default_rng(0).uniform(-1, 1, (count, 4))
    return features, np.where(features[:, 1] > 0, 1.0, -1.0)


def test_a_step_is_learned_and_forecast_for_held_out_rows() -> None:
    features, residual = stepped()
    halves = [np.arange(400) < 200, np.arange(400) >= 200]
    folds = [(np.flatnonzero(~held_out), np.flatnonzero(held_out)) for held_out in halves]
    shares: list[float] = []
    trees, held_out = ResidualTrees.fit(features, residual, np.ones(400), folds, GROWTH, progress=shares.append)
    assert len(trees.boosters) == 2
    assert shares == [0, 0.5]
    assert np.mean(np.sign(held_out) == residual) > 0.95
    first = ResidualTrees(boosters=trees.boosters[:1])
    assert_array_equal(held_out[:200], first.predict(features[:200]))


def test_rows_without_a_label_are_left_out() -> None:
    features, residual = stepped()
    damaged = np.where(np.arange(400) < 350, residual, np.nan)
    assert np.isfinite(ResidualTrees.grow(features, damaged, np.ones(400), GROWTH).predict(features)).all()


def test_no_trees_change_nothing() -> None:
    assert_array_equal(ResidualTrees(boosters=()).predict(np.ones((3, 4))), np.zeros(3))


def test_equal_rows_are_forecast_alike() -> None:
    features, residual = stepped()
    trees = ResidualTrees.grow(features, residual, np.ones(400), GROWTH)
    assert_array_equal(trees.predict(features[[3, 5, 3, 3]]), trees.predict(features)[[3, 5, 3, 3]])
    assert_array_equal(trees.predict(features[3:4]), trees.predict(features)[3:4])


def test_arrays_bring_them_back_to_the_bit() -> None:
    features, residual = stepped()
    trees = ResidualTrees.grow(features, residual, np.ones(400), GROWTH)
    artifact = Artifact(kind="k", hyperparameters={}, arrays=trees.to_arrays())
    again = ResidualTrees.from_artifact(artifact, 1)
    assert_array_equal(again.predict(features), trees.predict(features))
    assert_array_equal(again.to_arrays()["trees.0"], trees.to_arrays()["trees.0"])
    with pytest.raises(ArtifactError, match="corrupt"):
        ResidualTrees.from_artifact(replace(artifact, arrays={"trees.0": np.zeros(9, dtype=np.uint8)}), 1)
    with pytest.raises(ArtifactError, match="lacks"):
        ResidualTrees.from_artifact(artifact, 2)


@pytest.mark.parametrize(
    "packed", [zlib.compress(bytes(2**21)), zlib.compress(b"tree\n" * 1000)[:-8]], ids=["more than is read", "cut off"]
)
def test_trees_that_unpack_without_end_are_refused(packed: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(residual, "MOST_TEXT_BYTES", 2**20)
    arrays = {"trees.0": np.frombuffer(packed, dtype=np.uint8)}
    with pytest.raises(ArtifactError, match="cut off, or take more than 1,048,576 bytes"):
        ResidualTrees.from_artifact(Artifact(kind="x", hyperparameters={}, arrays=arrays), 1)


def test_predictors_of_one_base_share_its_trees() -> None:
    features, residual = stepped()
    trees = ResidualTrees.grow(features, residual, np.ones(400), GROWTH)
    artifact = Artifact(kind="trees", hyperparameters={}, arrays=trees.to_arrays())
    one, another = (ResidualTrees.from_artifact(Artifact.from_bytes(artifact.to_bytes()), 1) for _ in range(2))
    assert one.boosters[0] is another.boosters[0]


def test_features_of_kernels_are_finite_and_unknown_operators_missing() -> None:
    rng = np.random.default_rng(1)
    shared, training = SharedRoofline.fit(measure([random_graph(rng) for _ in range(4)], DEVICES[:1], rng))
    batch = training.batch
    features = tree_features(batch.table, shared.operators[1:], batch.costs)
    assert np.isnan(features[:, CATEGORIES[1]]).sum() == batch.table.operators.count(shared.operators[0])
    numbers = kernel_numbers(batch.table, batch.costs)
    assert np.isfinite(numbers).all()
    assert features.shape == (len(batch.table), numbers.shape[1] + len(CATEGORIES))
