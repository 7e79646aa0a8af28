"""Wherever a call takes a graph's hash, it takes the beginning of it."""

from collections.abc import Callable
from typing import Any

import pytest

from latcast.errors import NotFoundError
from latcast.schema import InputError
from service.db import tables
from service.forecasting.forecaster import Forecaster
from service.forecasting.types import Forecast
from service.graphs.resolver import Item
from tests.service.helpers import TARGET, DirectReader, World

Call = Callable[[World, str], Any]
CALLS: dict[str, tuple[Call, Callable[[Any], str]]] = {
    "graph": (lambda world, name: world.client.graph(name), lambda answer: answer["hash"]),
    "nodes": (lambda world, name: world.http.get(f"/v1/graphs/{name}/nodes").json(), lambda answer: answer["hash"]),
    "profile": (
        lambda world, name: world.client.profile(TARGET.id, graphs=[name]),
        lambda answer: answer[0]["graph"],
    ),
    "adapt": (
        lambda world, name: world.client.job(world.client.adapt(TARGET.id, samples=1, pool={"graphs": [name]})["id"]),
        lambda answer: answer["request"]["pool"]["graphs"][0],
    ),
    "hide": (lambda world, name: world.client.hide("graphs", name), lambda answer: answer["graph"]),
    "measurements": (
        lambda world, name: list(world.client.measurements(TARGET.id, graph=name)),
        lambda answer: answer[0]["graph"],
    ),
    "rows": (
        lambda world, name: world.http.get(f"/v1/targets/{TARGET.id}/rows", params={"graph": name}).json(),
        lambda answer: answer["items"][0]["graph"],
    ),
}


@pytest.fixture
def twins(measured: World) -> tuple[World, str, str]:
    """A graph that was measured, and the beginning that it shares with another one."""
    graph = measured.graph(1)
    shared = graph[:12]
    with measured.database.write.begin() as session:
        session.add(tables.Graph(hash=shared + "f" * 55, model=b"", summary={}))
    return measured, graph, shared


@pytest.mark.parametrize("name", CALLS)
def test_a_beginning_is_taken_for_the_hash(measured: World, name: str) -> None:
    graph = measured.graph(1)
    call, hash_of = CALLS[name]
    assert hash_of(call(measured, graph[:13])) == graph


@pytest.mark.parametrize("name", [name for name in CALLS if name not in ("nodes", "rows")])
def test_a_beginning_of_several_is_refused_with_the_candidates(twins: tuple[World, str, str], name: str) -> None:
    world, graph, shared = twins
    with pytest.raises(InputError, match=f"Several graphs begin with '{shared}': .*{graph}"):
        CALLS[name][0](world, shared)


def test_a_model_is_had_and_a_graph_brought_back_by_a_beginning(measured: World) -> None:
    graph = measured.graph(1)
    assert measured.client.model(graph[:13]) == measured.client.model(graph)
    assert measured.client.hide_measurements(graph=graph[:13])["rows"] == 1
    assert measured.client.show_measurements(graph=graph[3:20])["rows"] == 1
    measured.client.hide("graphs", graph)
    assert measured.client.show("graphs", graph[:13]) == {"graph": graph, "rows": 1}


def test_nodes_of_a_beginning_are_not_kept_for_long(measured: World) -> None:
    graph = measured.graph(1)
    assert "immutable" in measured.http.get(f"/v1/graphs/{graph}/nodes").headers["cache-control"]
    assert "immutable" not in measured.http.get(f"/v1/graphs/{graph[:13]}/nodes").headers.get("cache-control", "")


def test_filters_by_a_beginning_of_several_are_refused(twins: tuple[World, str, str]) -> None:
    world, _, shared = twins
    response = world.http.get(f"/v1/targets/{TARGET.id}/rows", params={"graph": shared})
    assert (response.status_code, "Several graphs" in response.json()["detail"]) == (422, True)


def test_forecasts_of_a_beginning_are_those_of_the_hash(twins: tuple[World, str, str]) -> None:
    world, graph, shared = twins
    forecaster = Forecaster(world.settings, world.database, DirectReader())
    items = [Item(graph=name) for name in (graph, graph[:13], graph[3:20], shared, "g1-00000000")]
    whole, *begun, several, unknown = forecaster.forecast(TARGET.id, items, 0.9)
    assert begun == [whole, whole]
    assert isinstance(whole, Forecast)
    assert whole.source == "measured"
    assert isinstance(several, InputError)
    assert isinstance(unknown, NotFoundError)
