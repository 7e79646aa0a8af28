"""The service explains the forecast that it gives, with what its database has of the target."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from latcast import Client, item
from latcast.errors import ConflictError, NotFoundError
from latcast.schema import InputError
from predictors.base import Predictor
from predictors.kinds.flops import FlopsPredictor
from predictors.kinds.kernel_sum import KernelSumPredictor
from predictors.testing.devices import DEVICES, measure
from predictors.testing.graphs import random_graph
from service.app import create_app
from service.db import tables
from service.forecasting import explanation
from service.learning import datasets
from service.learning.artifacts import put_artifact
from service.measurements.representative import representative_ids
from service.settings import Settings
from tests.service.helpers import CELL, TARGET, DirectReader, World, model

WIDTHS = (4, 5, 6)
MEDIANS_MS = [pytest.approx(width * 1.05 / 10) for width in WIDTHS]
"""Of the two processes that a sample measurement has."""
NEW = item(onnx=model(64))
MEASURED = item(onnx=model(WIDTHS[0]))


def rows(seed: int) -> Any:
    rng = np.random.default_rng(seed)
    return measure([random_graph(rng) for _ in range(40)], DEVICES[:1], rng)


@pytest.fixture(scope="session")
def base() -> KernelSumPredictor:
    return KernelSumPredictor(trees=20, folds=2).fit(rows(0))


@pytest.fixture
def world(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A service without predictors whose agent has measured three graphs."""
    monkeypatch.setattr("service.learning.catalogue.REFRESH_SECONDS", 0.0)
    monkeypatch.setattr("service.learning.catalogue.shipped_bases", lambda: ())
    monkeypatch.setattr(explanation, "POOL", 6)
    settings = Settings(
        database_url=database_url,
        data_dir=tmp_path,
        tick_seconds=3600,
        learn_seconds=0,
        log_level="error",
        rate_per_second=0,
    )
    app = create_app(settings, reader=DirectReader())
    with TestClient(app) as http:
        client = Client("http://testserver", transport=http._transport)
        world = World(app=app, settings=settings, database=app.state.parts.database, http=http, client=client)
        agent = world.agent()
        for width in WIDTHS:
            world.measure(agent, width, ms=width / 10)
        yield world


def install(world: World, predictor: Predictor) -> str:
    """Make a predictor the base of all targets; its id."""
    with world.database.write.begin() as session:
        digest = put_artifact(session, predictor.to_artifact())
        row = tables.Predictor(kind=predictor.kind, artifact_digest=digest, metrics={})
        session.add(row)
        session.flush()
        return row.id


def adapt(world: World, base: Predictor) -> str:
    """Adapt the base to what was measured; the id that forecasts have."""
    predictor_id = install(world, base)
    with world.database.read() as session:
        support = representative_ids(session, target_ids=[TARGET.id])
        data = datasets.load_dataset(session, measurement_ids=support)
    adapted = base.adapt(TARGET, world.app.state.parts.forecaster.resolver.readable_rows(data, base))
    with world.database.write.begin() as session:
        row = tables.Adaptation(
            predictor_id=predictor_id,
            target_id=TARGET.id,
            support=support,
            artifact_digest=put_artifact(session, adapted.to_artifact()),
            metrics={},
            active=True,
        )
        session.add(row)
        session.flush()
        return f"adaptation:{row.id}"


@pytest.mark.slow
@pytest.mark.parametrize("level", [0.5, 0.9])
def test_the_forecast_is_that_of_predict(world: World, base: KernelSumPredictor, level: float) -> None:
    served = adapt(world, base)
    for network in (NEW, MEASURED, item(space="nasbench201", text=CELL)):
        (answer,) = world.client.predict(TARGET.id, [network], level=level)
        explained = world.client.explain(TARGET.id, network, level=level, nearest=0)
        assert {name: explained[name] for name in answer} == answer
        assert (explained["target"], explained["level"]) == (TARGET.id, level)
    assert world.client.explain(TARGET.id, NEW)["predictor"] == served


def test_kernels_add_up_to_the_forecast(world: World, base: KernelSumPredictor) -> None:
    install(world, base)
    explained = world.client.explain(TARGET.id, NEW)
    assert (explained["adapted"], explained["no_kernels"]) == (False, "")
    assert explained["kernels_ms"] == pytest.approx(explained["latency_ms"])
    assert sum(kernel["latency_ms"] for kernel in explained["kernels"]) == pytest.approx(explained["latency_ms"])
    assert sum(kernel["share"] for kernel in explained["kernels"]) == pytest.approx(1.0)
    assert [kernel["operator"] for kernel in explained["kernels"]] == ["Call", "MatMul"]
    assert {kernel["measured_ms"] for kernel in explained["kernels"]} == {None}
    assert explained["peaks"]["ridge"] == pytest.approx(explained["peaks"]["gflops"] / explained["peaks"]["gbytes"])


def test_neighbours_are_what_was_measured_and_proposals_what_was_not(world: World, base: KernelSumPredictor) -> None:
    adapt(world, base)
    explained = world.client.explain(TARGET.id, NEW, nearest=2)
    distances = [one["distance"] for one in explained["nearest"]]
    assert len(distances) == 2
    assert distances == sorted(distances)
    assert all(one["name"].startswith("graph g1-") for one in explained["nearest"])
    assert all(one["measured_ms"] in MEDIANS_MS for one in explained["nearest"])
    removed = [one["variance_removed"] for one in explained["measure_next"]]
    assert len(removed) == 2
    assert removed == sorted(removed, reverse=True)
    assert {one["space"] for one in explained["measure_next"]} == {"zoo"}
    without = world.client.explain(TARGET.id, NEW, nearest=0)
    assert (without["nearest"], without["measure_next"]) == ([], [])


def test_a_measured_network_is_explained_by_its_measurement(world: World, base: KernelSumPredictor) -> None:
    adapt(world, base)
    explained = world.client.explain(TARGET.id, MEASURED)
    assert (explained["source"], explained["latency_ms"]) == ("measured", MEDIANS_MS[0])
    assert explained["kernels_ms"] != pytest.approx(explained["latency_ms"])
    measured = {kernel["operator"]: kernel["measured_ms"] for kernel in explained["kernels"]}
    assert measured == {"Call": None, "MatMul": WIDTHS[0] / 10}
    assert [one["measured_ms"] for one in explained["nearest"]].count(MEDIANS_MS[0]) == 0, "it is not its own neighbour"
    assert len(explained["nearest"]) == 2
    assert explained["measure_next"] == []


def test_a_predictor_without_kernels_says_so(world: World) -> None:
    install(world, FlopsPredictor(folds=2).fit(rows(1)))
    explained = world.client.explain(TARGET.id, NEW)
    assert explained["latency_ms"] > 0
    assert (explained["kernels"], explained["kernels_ms"], explained["peaks"], explained["nearest"]) == (
        [], None, None, []
    )  # fmt: skip
    assert "'flops' does not forecast by kernel" in explained["no_kernels"]
    assert len(explained["measure_next"]) == 5


def test_without_a_predictor_a_measurement_stands_alone(world: World) -> None:
    explained = world.client.explain(TARGET.id, MEASURED)
    assert (explained["source"], explained["kernels"]) == ("measured", [])
    assert "no predictor" in explained["no_kernels"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "error", "words"),
    [
        (NEW, ConflictError, "latcast adapt"),
        (item(graph="g1-missing"), NotFoundError, "g1-missing"),
        (item(onnx=b"no model"), InputError, "model"),
        (item(space="nobody", text="x"), InputError, "nobody"),
        ({"space": "nasbench201"}, InputError, "Give exactly one of"),
        ({"onnx": "no base64!"}, InputError, "base64"),
        ({"misspelt": 1}, InputError, "misspelt"),
    ],
)
def test_errors_are_those_of_predict(world: World, network: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        world.client.explain(TARGET.id, network)


def test_an_unknown_target_is_not_found(world: World) -> None:
    with pytest.raises(NotFoundError, match="nobody"):
        world.client.explain("nobody", NEW)


@pytest.mark.parametrize("params", [{"level": 1}, {"level": 0}, {"nearest": -1}, {"nearest": 51}])
def test_parameters_have_limits(world: World, params: dict[str, float]) -> None:
    assert world.http.post(f"/v1/targets/{TARGET.id}/explain", json={}, params=params).status_code == 422


@pytest.mark.slow
def test_a_model_may_be_larger_than_other_bodies(world: World) -> None:
    large = item(onnx=b"0" * world.settings.max_body_bytes)
    answer = world.http.post(f"/v1/targets/{TARGET.id}/explain", json=large)
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:latcast:problem:invalid-model")
