"""What a device taught on one target, carried over to another: scaled as the base has it, and less certain."""

from dataclasses import replace

import numpy as np
import pytest

from latcast.schema import InputError, Target
from predictors.base import LatencyDataset, Query
from predictors.kinds.carried_over import CarriedOver, transfer_spread
from predictors.kinds.flops import FlopsPredictor
from predictors.testing.graphs import random_graph

OLD = Target(device="d", backend="onnxruntime", backend_version="1.31", options={"optimisation": "all"})
NEWER = replace(OLD, backend_version="1.32")
GRAPHS = [random_graph(np.random.default_rng(seed)) for seed in range(8)]


def data(target: Target, factor: float) -> LatencyDataset:
    queries = [Query(target=target, graph=graph) for graph in GRAPHS]
    return LatencyDataset(queries=queries, latency_ms=np.array([factor * graph.flops / 1e6 for graph in GRAPHS]))


@pytest.fixture(scope="module")
def base() -> FlopsPredictor:
    return FlopsPredictor().fit(data(Target(device="other", backend="onnxruntime"), 1.0))


def test_a_new_version_starts_from_what_the_former_one_taught(base: FlopsPredictor) -> None:
    adapted = base.adapt(OLD, data(OLD, 5.0))
    carried = CarriedOver(adapted, base, OLD, NEWER)
    old, new = ([Query(target=target, graph=graph) for graph in GRAPHS[:3]] for target in (OLD, NEWER))
    expected, forecast = adapted.predict(old), carried.predict(new)
    assert np.allclose(forecast.median_ms, expected.median_ms)
    assert np.allclose(np.log(forecast.median_ms / base.predict(new).median_ms), np.log(5.0), atol=0.2)
    assert expected.log_std is not None
    assert forecast.log_std is not None
    assert np.all(forecast.log_std > expected.log_std)
    assert np.array_equal(carried.coverage(new), adapted.coverage(old))
    assert carried.kind == "flops"
    assert carried.targets_asked(NEWER) == (OLD, NEWER)


def test_what_the_base_knows_of_both_targets_changes_the_forecast() -> None:
    double = replace(OLD, threads=2)
    taught = LatencyDataset(
        queries=[*data(OLD, 1.0).queries, *data(double, 0.5).queries],
        latency_ms=np.concatenate([data(OLD, 1.0).latency_ms, data(double, 0.5).latency_ms]),
    )
    base = FlopsPredictor().fit(taught)
    carried = CarriedOver(base.adapt(OLD, data(OLD, 4.0)), base, OLD, double)
    query = Query(target=double, graph=GRAPHS[0])
    assert carried.predict([query]).median_ms[0] == pytest.approx(2.0 * GRAPHS[0].flops / 1e6, rel=0.2)


def test_the_less_alike_the_less_certain() -> None:
    changes = [{}, {"backend_version": "1.32"}, {"options": {}}, {"threads": 2}, {"precision": "int8"}]
    spreads = [transfer_spread(OLD, replace(OLD, **change)) for change in changes]
    assert spreads[0] == 0
    assert spreads == sorted(spreads)
    assert transfer_spread(OLD, replace(OLD, backend="openvino", threads=2)) > spreads[-1]
    assert transfer_spread(OLD, replace(OLD, device="e")) is None
    assert transfer_spread(OLD, replace(OLD, origin="a table")) is None


def test_what_follows_from_others_is_neither_trained_nor_stored(base: FlopsPredictor) -> None:
    carried = CarriedOver(base.adapt(OLD, data(OLD, 2.0)), base, OLD, NEWER)
    for call in (
        lambda: carried.fit(data(OLD, 1.0)),
        lambda: carried.adapt(OLD, data(OLD, 1.0)),
        carried.to_artifact,
        lambda: CarriedOver(base, base, OLD, replace(OLD, device="e")),
        lambda: carried.explain(Query(target=NEWER, graph=GRAPHS[0])),
    ):
        with pytest.raises(InputError):
            call()
