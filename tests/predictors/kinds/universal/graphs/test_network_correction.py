"""The networks' correction keeps what targets' own kernels say apart, and says what it needs."""

import sys
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

pytest.importorskip("torch")

from latcast.schema import ArtifactError, BackendUnavailableError
from predictors.artifact import Artifact
from predictors.kinds.kernel_sum.shared_roofline import SharedRoofline
from predictors.kinds.kernel_sum.sums import Labels
from predictors.kinds.kernel_sum.training_set import TrainingSet
from predictors.kinds.universal.graphs.network_correction import NetworkCorrection
from predictors.testing import DEVICES, measure, random_graph
from profilers.progress import no_progress


@pytest.fixture(scope="module")
def shared() -> tuple[SharedRoofline, TrainingSet]:
    rng = np.random.default_rng(0)
    return SharedRoofline.fit(measure([random_graph(rng) for _ in range(12)], DEVICES[:1], rng))


@pytest.fixture(scope="module")
def correction(shared: tuple[SharedRoofline, TrainingSet]) -> NetworkCorrection:
    return NetworkCorrection.fit(shared[1], width=8, epochs=2, folds=2, seed=0, progress=no_progress)[0]


def taught(correction: NetworkCorrection, training: TrainingSet, target: str) -> NetworkCorrection:
    batch = training.batch
    tilts = correction.tilts(batch)
    kernels = batch.kernels(correction.log_factor(batch, tilts), tilts)
    labels = Labels(latency=training.seen.latency * 2, kernel_time=training.seen.kernel_time * 2)
    classes = correction.networks[0].classes.shape[0]
    return correction.with_target(target, batch, kernels, labels, np.zeros(1 + classes + tilts.shape[1] + classes))


def test_own_kernels_move_their_target_alone(
    correction: NetworkCorrection, shared: tuple[SharedRoofline, TrainingSet]
) -> None:
    training = shared[1]
    batch, tilts = training.batch, correction.tilts(training.batch)
    before = correction.log_factor(batch, tilts)
    mine, elsewhere = (taught(correction, training, name) for name in (batch.targets[0].id, "another"))
    assert np.median(mine.log_factor(batch, tilts) - before) > 0.1
    assert_array_equal(elsewhere.log_factor(batch, tilts), before)
    assert_array_equal(mine.without_target(batch.targets[0].id).log_factor(batch, tilts), before)
    assert not correction.own_kernels


def test_arrays_bring_it_back(correction: NetworkCorrection, shared: tuple[SharedRoofline, TrainingSet]) -> None:
    training = shared[1]
    mine = taught(correction, training, training.batch.targets[0].id)
    artifact = Artifact(kind="k", hyperparameters={}, arrays=mine.to_arrays(), vocabulary=mine.to_vocabulary())
    again = NetworkCorrection.from_artifact(artifact, shared[0].operators)
    tilts = mine.tilts(training.batch)
    assert_array_equal(again.log_factor(training.batch, tilts), mine.log_factor(training.batch, tilts))
    with pytest.raises(ArtifactError, match=r"network\.1"):
        NetworkCorrection.from_artifact(
            replace(artifact, arrays={k: v for k, v in artifact.arrays.items() if not k.startswith("network.1.")}),
            shared[0].operators,
        )


def test_learning_without_torch_says_what_to_install(
    shared: tuple[SharedRoofline, TrainingSet], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "predictors.kinds.universal.graphs.kernel_training", None)
    with pytest.raises(BackendUnavailableError, match="pip install"):
        NetworkCorrection.fit(shared[1], width=8, epochs=1, folds=2, seed=0, progress=no_progress)
