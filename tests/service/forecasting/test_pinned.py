"""Forecasts of a predictor that the caller names, and adaptations of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from latcast.client import Client
from latcast.errors import ConflictError, NotFoundError
from latcast.schema import MissingEvidenceError
from predictors.base import LatencyDataset, Query
from predictors.kinds.flops import FlopsPredictor
from predictors.kinds.lookup_table import LookupTablePredictor
from profilers.onnx_graph import load_graph
from profilers.search_spaces import get_space
from service.app import create_app
from service.db import tables
from service.learning.artifacts import put_artifact
from service.learning.support_selection import adapted_to
from service.settings import Settings
from tests.service.helpers import CELL, TARGET, DirectReader, World, add_import, model

ITEM = {"space": "nasbench201", "text": CELL}


@pytest.fixture
def world(new_sqlite: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr("service.learning.catalogue.REFRESH_SECONDS", 0.0)
    settings = Settings(
        database_url=new_sqlite, data_dir=tmp_path, tick_seconds=3600, log_level="error", rate_per_second=0
    )
    app = create_app(settings, reader=DirectReader())
    with TestClient(app) as http:
        client = Client("http://testserver", transport=http._transport)
        yield World(app=app, settings=settings, database=app.state.parts.database, http=http, client=client)


def fitted(widths: int) -> FlopsPredictor:
    graphs = [load_graph(model(width)) for width in range(1, widths + 1)]
    queries = [Query(target=TARGET, graph=graph) for graph in graphs]
    data = LatencyDataset(queries=queries, latency_ms=np.array([graph.flops / 1e6 for graph in graphs]))
    return FlopsPredictor().fit(data)


@pytest.fixture
def flops(world: World) -> str:
    """Id of an inactive predictor: latency in ms is a millionth of the FLOPs."""
    return stored(world, fitted(8))


@pytest.fixture
def table(world: World) -> str:
    """Id of an inactive predictor of cells alone."""
    space, rng = get_space("nasbench201"), np.random.default_rng(0)
    queries = [Query(target=TARGET, architecture=space.sample(rng)) for _ in range(60)]
    return stored(world, LookupTablePredictor().fit(LatencyDataset(queries=queries, latency_ms=np.full(60, 3.0))))


def stored(world: World, predictor: FlopsPredictor | LookupTablePredictor) -> str:
    with world.database.write.begin() as session:
        digest = put_artifact(session, predictor.to_artifact())
        session.add(row := tables.Predictor(kind=predictor.kind, artifact_digest=digest, metrics={}, active=False))
        session.flush()
        return row.id


def test_who_is_named_answers_though_inactive_and_though_it_was_measured(world: World, flops: str) -> None:
    agent = world.agent()
    for width in (2, 4, 6, 8):
        world.measure(agent, width, ms=width / 100)
    graph = world.graph(4)
    assert world.client.predict(TARGET.id, [{"graph": graph}])[0]["source"] == "measured"
    by_id = world.client.predict(TARGET.id, [{"graph": graph}], predictor=flops)[0]
    assert (by_id["source"], by_id["predictor"], by_id["kind"]) == ("predicted", flops, "flops")
    assert (by_id["adapted"], by_id["measurements"]) == (True, 4)
    assert by_id["latency_ms"] == pytest.approx(0.042, rel=0.3)
    assert world.client.predict(TARGET.id, [{"graph": graph}], predictor="flops")[0] == by_id
    columns = {"target": TARGET.id, "graphs": [graph], "predictor": flops}
    assert world.http.post("/v1/predict", json=columns).json()["latency_ms"] == [by_id["latency_ms"]]


def test_without_measurements_the_base_itself_answers(world: World, flops: str) -> None:
    world.agent()
    answer = world.client.predict(TARGET.id, [{"graph": world.graph(4)}], predictor=flops)[0]
    assert (answer["adapted"], answer["measurements"]) == (False, 0)
    shipped = world.client.predict(TARGET.id, [{"graph": world.graph(4)}], predictor="pretrained:universal-graphs")[0]
    assert shipped["predictor"] == "pretrained:universal-graphs"


def test_who_is_not_there_or_does_not_read_it_is_a_sentence(world: World, table: str) -> None:
    world.agent()
    with pytest.raises(NotFoundError, match="There is no predictor 'none'"):
        world.client.predict(TARGET.id, [ITEM], predictor="none")
    with pytest.raises(ConflictError, match="does not read graphs"):
        world.client.predict(TARGET.id, [{"graph": world.graph(4)}], predictor=table)


def test_missing_references_are_measured_by_an_adaptation_which_the_refusal_names(
    world: World, flops: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = world.agent()
    world.measure(agent, 2, ms=0.02)

    def lacking(*_arguments: object) -> None:
        raise MissingEvidenceError("2 were not measured.")

    monkeypatch.setattr("service.forecasting.selection.adapted_to", lacking)
    item = {"graph": world.graph(4)}
    refusal = f"The predictor {flops} (flops) cannot be adapted to target {TARGET.id}. 2 were not measured."
    with pytest.raises(ConflictError) as without:
        world.client.predict(TARGET.id, [item], predictor=flops)
    assert str(without.value) == refusal
    monkeypatch.setattr(FlopsPredictor, "references", lambda _self: ("zoo:a", "zoo:b"))
    with pytest.raises(ConflictError) as named:
        world.client.predict(TARGET.id, [item], predictor=flops)
    command = f"latcast adapt --target {TARGET.id} --predictor {flops}"
    assert str(named.value) == f"{refusal} `{command}` has them measured."


def test_of_a_kind_who_cannot_be_adapted_gives_way_to_the_next(
    world: World, flops: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer = stored(world, fitted(4))
    agent = world.agent()
    for width in (2, 4, 6):
        world.measure(agent, width, ms=width / 100)
    item = {"graph": world.graph(4)}
    assert world.client.predict(TARGET.id, [item], predictor="flops")[0]["predictor"] == newer

    def unless_newer(*arguments: Any) -> Any:
        if arguments[3].id == newer:
            raise MissingEvidenceError("One was not measured.")
        return adapted_to(*arguments)

    monkeypatch.setattr("service.forecasting.selection.adapted_to", unless_newer)
    world.measure(agent, 8, ms=0.08)  # what was adapted is out of date
    answer = world.client.predict(TARGET.id, [item], predictor="flops")[0]
    assert (answer["predictor"], answer["adapted"], answer["measurements"]) == (flops, True, 4)
    with pytest.raises(ConflictError, match=f"{newer} .* One was not measured"):
        world.client.predict(TARGET.id, [item], predictor=newer)


def test_a_column_of_a_table_adapts_who_is_named(world: World, table: str) -> None:
    imported = add_import(world, ms=7.0)
    pinned = world.client.predict(imported, [ITEM], predictor="lookup_table")[0]
    assert (pinned["kind"], pinned["adapted"], pinned["source"]) == ("lookup_table", True, "predicted")
    job = world.client.adapt(imported, samples=1, sampler="random", predictor=table)
    assert world.step()
    assert world.client.job(job["id"])["state"] == "done"
    with world.database.read() as session:
        assert [row.predictor_id for row in session.query(tables.Adaptation)] == [table]
