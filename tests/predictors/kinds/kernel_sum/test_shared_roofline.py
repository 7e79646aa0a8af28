"""The roofline is learned beside the targets' effects, and knows what training has seen."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from latcast.schema import ArtifactError, InputError
from predictors.artifact import Artifact
from predictors.base import LatencyDataset, Query
from predictors.kinds.kernel_sum.observations import tabulate
from predictors.kinds.kernel_sum.shared_roofline import SharedRoofline
from predictors.kinds.kernel_sum.training_set import KernelBatch
from predictors.testing import DEVICES, foreign_graph, measure, random_graph


def data(seed: int = 0, count: int = 12) -> LatencyDataset:
    rng = np.random.default_rng(seed)
    return measure([random_graph(rng) for _ in range(count)], DEVICES[:2], rng)


def batch_of(shared: SharedRoofline, *queries: Query) -> KernelBatch:
    return KernelBatch.of(tabulate(queries), [query.target for query in queries], shared.roofline)


def test_targets_that_differ_in_speed_share_a_roofline() -> None:
    shared, training = SharedRoofline.fit(data())
    first, second = (training.effects[np.isin(training.seen.rows, training.rows_of(n))] for n in training.target_names)
    assert abs(np.median(first) - np.median(second)) > 0.2
    labelled = np.isfinite(training.residual)
    assert np.median(np.abs(training.residual[labelled])) < 0.35
    assert shared.operators == sorted(set(training.batch.table.operators))


def test_rows_without_timings_are_spread_over_their_kernels() -> None:
    _, training = SharedRoofline.fit(replace(data(), kernels=None))
    times = np.exp(training.labels) * training.batch.table.repeats
    totals = np.bincount(training.seen.rows, weights=times)
    assert_allclose(totals, training.seen.latency, rtol=1e-6)


def test_kernels_outside_of_training_are_not_known() -> None:
    shared, _ = SharedRoofline.fit(data())
    inside, outside = data(seed=0).queries[0], Query(target=DEVICES[0].target, graph=foreign_graph(0.5))
    assert shared.is_known(batch_of(shared, inside)).all()
    known = shared.is_known(batch_of(shared, outside))
    names = np.array(tabulate([outside]).operators)
    assert not known[names == "Sinkhorn"].any()


def test_another_unit_of_time_gives_the_same_model() -> None:
    rows = data()
    slower = replace(rows, latency_ms=rows.latency_ms * 1000, kernels=None)
    one, other = (SharedRoofline.fit(part)[0] for part in (replace(rows, kernels=None), slower))
    assert other.unit_ms == pytest.approx(1000 * one.unit_ms)
    assert_array_equal(one.roofline.log_cost, other.roofline.log_cost)


def test_arrays_bring_it_back() -> None:
    shared, _ = SharedRoofline.fit(data(count=4))
    vocabulary = {"operators": shared.operators}
    artifact = Artifact(kind="k", hyperparameters={}, arrays=shared.to_arrays(), vocabulary=vocabulary)
    again = SharedRoofline.from_artifact(artifact)
    assert (again.unit_ms, again.call, again.operators) == (shared.unit_ms, shared.call, shared.operators)
    assert_array_equal(again.ranges, shared.ranges)
    with pytest.raises(ArtifactError, match="operators"):
        SharedRoofline.from_artifact(replace(artifact, vocabulary={}))


def test_no_rows_are_refused() -> None:
    with pytest.raises(InputError, match="no rows"):
        SharedRoofline.fit(data().subset([]))
