"""Trees over the roofline are a correction that a target's support leaves as it is."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from latcast.schema import ArtifactError
from predictors.artifact import Artifact
from predictors.kinds.kernel_sum.correction import Correction, TreeCorrection
from predictors.kinds.kernel_sum.residual import Growth
from predictors.kinds.kernel_sum.shared_roofline import SharedRoofline
from predictors.kinds.kernel_sum.sums import Labels
from predictors.kinds.kernel_sum.training_set import TrainingSet
from predictors.testing import DEVICES, measure, random_graph
from profilers.progress import no_progress


@pytest.fixture(scope="module")
def fitted() -> tuple[TrainingSet, TreeCorrection, np.ndarray]:
    rng = np.random.default_rng(0)
    shared, training = SharedRoofline.fit(measure([random_graph(rng) for _ in range(40)], DEVICES[:1], rng))
    growth = Growth(trees=60, learning_rate=0.1, leaves=12, seed=0)
    correction, held_out = TreeCorrection.fit(training, shared.operators, growth, folds=3, progress=no_progress)
    return training, correction, held_out


def test_held_out_forecasts_explain_residuals(fitted: tuple[TrainingSet, TreeCorrection, np.ndarray]) -> None:
    training, _, held_out = fitted
    labelled = np.isfinite(training.residual)
    left = np.abs(training.residual - held_out)[labelled]
    assert np.median(left) < 0.8 * np.median(np.abs(training.residual[labelled]))


def test_tilts_are_shares_of_memory_and_launch(fitted: tuple[TrainingSet, TreeCorrection, np.ndarray]) -> None:
    training, correction, _ = fitted
    tilts = correction.tilts(training.batch)
    assert tilts.shape == (len(training.batch.table), 2)
    assert (tilts >= 0).all()
    assert (tilts.sum(axis=1) <= 1 + 1e-12).all()


def test_a_support_teaches_trees_nothing(fitted: tuple[TrainingSet, TreeCorrection, np.ndarray]) -> None:
    training, trees, _ = fitted
    correction: Correction = trees
    kernels = training.batch.kernels(np.zeros(len(training.batch.table)), trees.tilts(training.batch))
    labels = Labels(latency=training.seen.latency, kernel_time=training.seen.kernel_time)
    assert correction.with_target("t", training.batch, kernels, labels, np.zeros(1)) is correction
    assert correction.without_target("t") is correction


def test_arrays_bring_it_back(fitted: tuple[TrainingSet, TreeCorrection, np.ndarray]) -> None:
    training, correction, _ = fitted
    arrays, vocabulary = correction.to_arrays(), correction.to_vocabulary()
    artifact = Artifact(kind="k", hyperparameters={}, arrays=arrays, vocabulary=vocabulary)
    again = TreeCorrection.from_artifact(artifact, correction.operators)
    tilts = correction.tilts(training.batch)
    assert_array_equal(again.log_factor(training.batch, tilts), correction.log_factor(training.batch, tilts))
    with pytest.raises(ArtifactError):
        TreeCorrection.from_artifact(replace(artifact, vocabulary={}), correction.operators)
