"""A fitted sum over kernels is immutable, adapts to targets, and forecasts by kernel."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from latcast.schema import Architecture, MissingEvidenceError
from predictors.base import Query
from predictors.data.splits import merge
from predictors.kinds.kernel_sum import KernelSumPredictor
from predictors.kinds.kernel_sum.model import KernelSum, learn_multipliers, with_variance
from predictors.kinds.kernel_sum.observations import tabulate
from predictors.kinds.kernel_sum.shared_roofline import SharedRoofline
from predictors.kinds.kernel_sum.sums import Kernels
from predictors.kinds.kernel_sum.training_set import KernelBatch
from predictors.testing import DEVICES, NEW_DEVICE, foreign_graph, measure, random_graph


@pytest.fixture(scope="module")
def model() -> KernelSum:
    rng = np.random.default_rng(0)
    data = measure([random_graph(rng) for _ in range(40)], DEVICES[:2], rng)
    return KernelSumPredictor(trees=30, folds=2).fit(data).model


def queries(count: int = 5) -> list[Query]:
    rng = np.random.default_rng(1)
    return [Query(target=NEW_DEVICE.target, graph=random_graph(rng)) for _ in range(count)]


def test_forecasts_are_the_sums_of_their_parts(model: KernelSum) -> None:
    for query in queries():
        parts = model.explain(query)
        assert len(parts.table) == len(parts.latency_ms) == len(parts.known)
        assert_allclose(parts.latency_ms.sum(), model.predict([query]).median_ms[0])


def test_adapting_makes_another_model(model: KernelSum) -> None:
    before = model.predict(queries()).median_ms
    rng = np.random.default_rng(2)
    support = measure([random_graph(rng) for _ in range(6)], [NEW_DEVICE], rng)
    adapted = model.adapted(NEW_DEVICE.target, support, None)
    assert NEW_DEVICE.target.id in adapted.multipliers.effects.targets
    assert NEW_DEVICE.target.id not in model.multipliers.effects.targets
    assert adapted.trained == model.trained
    assert_array_equal(model.predict(queries()).median_ms, before)
    with pytest.raises(MissingEvidenceError, match="at least one measured row"):
        model.adapted(NEW_DEVICE.target, support.subset([]), None)


def test_what_training_has_not_seen_lowers_coverage_and_widens_intervals(model: KernelSum) -> None:
    plain, strange = (Query(target=NEW_DEVICE.target, graph=foreign_graph(share)) for share in (0.0, 0.5))
    coverage = model.coverage([plain, strange])
    assert coverage[1] < coverage[0]
    assert model.unknown_operators(strange) == ("Sinkhorn",)
    spread = model.predict([plain, strange]).log_std
    assert spread is not None
    assert spread[1] > spread[0]
    assert model.coverage([]).shape == (0,)


def test_multipliers_of_training_follow_the_devices_speeds() -> None:
    rng = np.random.default_rng(3)
    data = measure([random_graph(rng) for _ in range(20)], DEVICES[:2], rng)
    shared, training = SharedRoofline.fit(data)
    table = training.batch.table
    kernels, multipliers = learn_multipliers(shared, training, np.zeros((len(table), 1)), np.zeros(len(table)))
    for name in training.target_names:
        part, labels = training.part(kernels, name)
        log_total, variance = multipliers.forecast(part, multipliers.effects.of(name))
        assert abs(np.median(np.log(labels.latency) - log_total)) < 0.1
        assert (variance > 0).all()


def test_a_model_keeps_what_training_left_of_its_targets(model: KernelSum) -> None:
    target = DEVICES[0].target
    rng = np.random.default_rng(4)
    rows = measure([random_graph(rng) for _ in range(5)], DEVICES[:1], rng)
    slower = model.adapted(target, replace(rows, latency_ms=rows.latency_ms * 2, kernels=None), None)
    assert_array_equal(slower.trained[target.id].mean, model.multipliers.effects.of(target.id).mean)
    assert slower.multipliers.effects.of(target.id).mean[0] > model.multipliers.effects.of(target.id).mean[0] + 0.4


def test_kernels_are_foreseen_once_for_a_forecast_and_its_coverage(
    model: KernelSum, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches, foresee, asked = [], KernelSum._kernels, queries()

    def counted(self: KernelSum, batch: KernelBatch) -> Kernels:
        batches.append(batch)
        return foresee(self, batch)

    monkeypatch.setattr(KernelSum, "_kernels", counted)
    told = model.predict(asked).coverage
    assert len(batches) == 1
    assert told is not None
    assert_array_equal(told, model.coverage(asked))


def test_networks_of_one_space_do_not_spoil_forecasts_of_others(model: KernelSum) -> None:
    """Eight that are 20 % quicker than the model has them move others less when they are of one space."""
    rng = np.random.default_rng(5)
    usual, space = (measure([random_graph(rng) for _ in range(count)], [NEW_DEVICE], rng) for count in (6, 8))
    quicker = replace(space, latency_ms=space.latency_ms * 0.8, kernels=None)
    named = [
        Query(target=one.target, architecture=Architecture(space="fbnet", text=f"{place}"), graph=one.graph)
        for place, one in enumerate(quicker.queries)
    ]
    before = model.adapted(NEW_DEVICE.target, replace(usual, kernels=None), None).predict(queries()).median_ms
    moved = []
    for rows in (quicker, replace(quicker, queries=named)):
        support = merge(replace(usual, kernels=None), rows)
        after = model.adapted(NEW_DEVICE.target, support, None).predict(queries()).median_ms
        moved.append(float(np.median(np.abs(np.log(after / before)))))
    assert moved[1] < 0.8 * moved[0]
    assert moved[1] < 0.1


def test_kernels_that_values_decide_have_a_wide_spread(model: KernelSum) -> None:
    asked = queries()
    table = tabulate(asked)
    targets = [query.target for query in asked]
    decided = KernelBatch.of(table, targets, model.shared.roofline)
    undecided = replace(decided, table=replace(table, undecided=np.ones(len(table), dtype=np.bool_)))
    before, after = (
        with_variance(batch.kernels(np.zeros(len(table)), np.zeros((len(table), 0))), model.shared, batch)
        for batch in (decided, undecided)
    )
    assert_array_equal(after.unknown_variance - before.unknown_variance, np.full(len(table), 6.25))
