"""What explanations consist of, without a database: neighbours, proposals, and the JSON."""

import json
import math
from typing import Any

import numpy as np
import pytest

from latcast.schema import Architecture
from predictors.base import Query
from predictors.kinds.flops import FlopsPredictor
from predictors.kinds.kernel_sum import KernelSumPredictor
from predictors.testing.devices import DEVICES, NEW_DEVICE, measure
from predictors.testing.graphs import random_graph
from service.forecasting import explanation
from service.forecasting.explanation import (
    ExplainedForecast,
    MeasuredNetwork,
    Neighbour,
    candidates,
    explained_by,
    neighbours,
    plain,
    pool,
    proposals,
)
from service.forecasting.types import Forecast

FORECAST = Forecast(latency_ms=2.0, interval_ms=(1.0, 3.0), source="predicted", coverage=1.0, adapted=False)


def network(text: str, latency_ms: float, space: str = "zoo") -> MeasuredNetwork:
    return MeasuredNetwork(architecture=Architecture(space=space, text=text), latency_ms=latency_ms)


def query(seed: int) -> Query:
    return Query(target=NEW_DEVICE.target, graph=random_graph(np.random.default_rng(seed)))


@pytest.fixture(scope="module")
def data() -> Any:
    rng = np.random.default_rng(0)
    return measure([random_graph(rng) for _ in range(40)], DEVICES[:1], rng)


@pytest.fixture(scope="module")
def base(data: Any) -> KernelSumPredictor:
    return KernelSumPredictor(trees=20, folds=2).fit(data)


def test_networks_have_names_and_families() -> None:
    assert (network("mobile/x", 1.0).name, network("mobile/x", 1.0).family) == ("zoo/mobile/x", "zoo/mobile")
    assert network("x", 1.0, space="nasbench201").family == "nasbench201"
    assert network("x", 1.0, space="not installed").family == "not installed"
    graph = MeasuredNetwork(graph="g1-0123456789abcdef", latency_ms=1.0)
    assert (graph.name, graph.family) == ("graph g1-0123456789ab", "")


def test_families_take_turns_each_with_its_closest_in_latency(monkeypatch: pytest.MonkeyPatch) -> None:
    far, near, other = network("mobile/far", 9.0), network("mobile/near", 2.1), network("boxes/x", 90.0)
    assert candidates([far, near, other], 2.0) == [near, other, far]
    monkeypatch.setattr(explanation, "CLOSEST", 2)
    assert candidates([far, near, other], 2.0) == [near, other]


def test_a_network_is_closest_to_itself_and_unreadable_ones_are_left_out(base: KernelSumPredictor) -> None:
    explained, reason = explained_by(base, query(1))
    assert explained is not None
    assert reason == ""
    unreadable = Query(target=NEW_DEVICE.target, architecture=Architecture(space="nasbench201", text="no cell"))
    asked = [(network(f"mobile/{seed}", 1.0), query(seed)) for seed in (2, 1, 3)]
    ranked = neighbours(base, explained, [*asked, (network("mobile/unreadable", 1.0), unreadable)])
    assert [one.distance for one in ranked] == sorted(one.distance for one in ranked)
    assert (ranked[0].name, ranked[0].distance) == ("zoo/mobile/1", pytest.approx(0.0))
    assert len(ranked) == 3


def test_a_predictor_that_has_no_kernels_says_so(data: Any) -> None:
    explained, reason = explained_by(FlopsPredictor(folds=2).fit(data), query(1))
    assert explained is None
    assert "does not forecast by kernel" in reason


def test_the_pool_is_always_the_same() -> None:
    assert pool("nasbench201") == pool("nasbench201")
    assert len(set(pool("nasbench201"))) == len(pool("nasbench201")) > 50


def test_the_most_useful_is_proposed_first(base: KernelSumPredictor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explanation, "POOL", 12)
    asked = [Query(target=NEW_DEVICE.target, architecture=architecture) for architecture in pool("nasbench201")]
    proposed = proposals(base, query(1), asked, [query(2)], most=3)
    removed = [one.variance_removed for one in proposed]
    assert len(proposed) == 3
    assert removed == sorted(removed, reverse=True)
    assert all(0 <= share <= 1 for share in removed)
    monkeypatch.setattr(explanation, "LONGEST_MS", 0.0)
    assert proposals(base, query(1), asked, [], most=3) == []
    assert proposals(base, query(1), [], [], most=3) == []


def test_the_json_has_every_part(base: KernelSumPredictor) -> None:
    explained, _ = explained_by(base, query(1))
    assert explained is not None
    measured = np.full(len(explained.kernels), math.nan)
    measured[0] = 0.5
    document = plain(
        ExplainedForecast(
            forecast=FORECAST,
            explanation=explained,
            kernel_measured_ms=measured,
            nearest=(Neighbour(name="n", measured_ms=1.0, distance=0.5),),
        )
    )
    assert (document["latency_ms"], document["kernels_ms"]) == (2.0, explained.latency_ms)
    assert [kernel["measured_ms"] for kernel in document["kernels"]][:2] == [0.5, None]
    assert document["peaks"]["ridge"] == explained.peaks.ridge
    assert document["nearest"] == [{"name": "n", "measured_ms": 1.0, "distance": 0.5}]
    json.dumps(document, allow_nan=False)


def test_the_json_of_a_forecast_alone() -> None:
    document = plain(ExplainedForecast(forecast=FORECAST, no_kernels="It reads texts."))
    assert (document["kernels"], document["kernels_ms"], document["peaks"]) == ([], None, None)
    assert (document["no_kernels"], document["nearest"], document["measure_next"]) == ("It reads texts.", [], [])
