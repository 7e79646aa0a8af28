"""Training sets keep graphs together and targets apart."""

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from predictors.kinds.kernel_sum.shared_roofline import SharedRoofline
from predictors.kinds.kernel_sum.training_set import TrainingSet
from predictors.testing import DEVICES, measure, random_graph


def training_set() -> TrainingSet:
    rng = np.random.default_rng(0)
    return SharedRoofline.fit(measure([random_graph(rng) for _ in range(6)], DEVICES[:2], rng))[1]


def test_folds_keep_the_rows_of_a_graph_together() -> None:
    training = training_set()
    for inner, outer in training.row_folds(3, seed=0):
        assert not {training.keys[row] for row in inner} & {training.keys[row] for row in outer}
    rows = training.seen.rows
    for (inner, outer), (kernels, others) in zip(training.row_folds(3, seed=0), training.folds(3, seed=0), strict=True):
        assert set(rows[kernels]) == set(inner)
        assert set(rows[others]) == set(outer)


def test_a_part_has_the_kernels_and_labels_of_one_target() -> None:
    training = training_set()
    kernels = training.batch.kernels(np.zeros(len(training.batch.table)), np.zeros((len(training.batch.table), 1)))
    assert training.target_names == sorted(device.target.id for device in DEVICES[:2])
    parts = [training.part(kernels, name) for name in training.target_names]
    assert [part.count for part, _ in parts] == [6, 6]
    assert sum(len(labels.kernel_time) for _, labels in parts) == len(training.batch.table)
    for name, (_, labels) in zip(training.target_names, parts, strict=True):
        assert_array_equal(labels.latency, training.seen.latency[training.rows_of(name)])


def test_kernels_take_the_rooflines_time_the_factor_and_their_repeats() -> None:
    batch = training_set().batch
    factor = np.random.default_rng(1).normal(size=len(batch.table))
    kernels = batch.kernels(factor, np.zeros((len(batch.table), 2)))
    assert_allclose(np.exp(kernels.log_time), np.exp(batch.costs.log_time + factor) * batch.table.repeats)
    assert kernels.count == 12
    assert not kernels.unknown_variance.any()
