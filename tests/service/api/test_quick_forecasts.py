"""Calls that are answered in front of the routes get what the route would say, and only those who may."""

import base64
import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from fastapi.testclient import TestClient
from sqlalchemy.exc import OperationalError

from latcast import Client, item
from latcast.errors import UnavailableError
from latcast.schema import InputError
from predictors.data.importers import read_any
from profilers.search_spaces import get_space
from service.api import quick_forecasts
from service.api.forecast_arrow import ARROW
from service.api.rate_limits import Buckets
from service.app import create_app
from service.forecasting.forecaster import Forecaster
from service.forecasting.memory import ForecastMemory
from service.measurements.table_import import store
from service.settings import Settings
from tests.predictors.tables import latencies
from tests.service.helpers import DEVICE, TARGET, DirectReader, model

SPACE = get_space("nasbench201")
RNG = np.random.default_rng(5)
CELLS = list(dict.fromkeys(SPACE.sample(RNG) for _ in range(60)))
TEXTS = [cell.text for cell in CELLS]
MS = latencies(CELLS, 4)


class World:
    """An application over a table of half of the cells."""

    def __init__(self, http: TestClient, folder: Path) -> None:
        self.http, self._folder = http, folder
        self.database = http.app.state.parts.database  # type: ignore[attr-defined]
        self.target = self.load(range(30))

    def load(self, rows: Any, factor: float = 1.0, device: str = "phone") -> str:
        lines = [f"{device},nasbench201,{TEXTS[row]},{MS[row] * factor!r}" for row in rows]
        (self._folder / "t.csv").write_text("\n".join(["target,space,text,ms", *lines]))
        imported = read_any(self._folder / "t.csv", origin="ours")
        store(self.database, imported)
        return imported.report.targets[0].id

    def list_body(self, texts: list[str], **more: Any) -> dict[str, Any]:
        return {"target": self.target, "items": [{"space": "nasbench201", "text": text} for text in texts], **more}

    def column_body(self, texts: list[str], **more: Any) -> dict[str, Any]:
        return {"target": self.target, "space": "nasbench201", "texts": texts, **more}

    def ask(self, body: Any, **headers: str) -> Any:
        answer = self.http.post("/v1/predict", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
def world(database_url: str, tmp_path: Path) -> Iterator[World]:
    settings = Settings(
        database_url=database_url, data_dir=tmp_path, tick_seconds=3600, log_level="error", rate_per_second=0
    )
    with TestClient(create_app(settings, reader=DirectReader())) as http:
        yield World(http, tmp_path)


@pytest.fixture
def slowly(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From the call on, the routes answer everything."""
    return lambda: monkeypatch.setattr(quick_forecasts, "PATHS", frozenset())


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes of the answers that were given in front of the routes."""
    sizes: list[int] = []
    original = quick_forecasts.QuickForecasts._written

    def written(self: Any, call: Any, prepared: Any, **options: Any) -> tuple[bytes, str]:
        sizes.append(sum(len(each.texts) for each in prepared))
        return original(self, call, prepared, **options)

    monkeypatch.setattr(quick_forecasts.QuickForecasts, "_written", written)
    return sizes


def close(answer: Any, other: Any) -> bool:
    """Whether two JSON values are equal up to the last digits of numbers."""
    if isinstance(answer, dict):
        return answer.keys() == other.keys() and all(close(answer[key], other[key]) for key in answer)
    if isinstance(answer, list):
        return len(answer) == len(other) and all(map(close, answer, other))
    return answer == (pytest.approx(other, rel=1e-12) if isinstance(answer, float) else other)


@pytest.mark.parametrize("form", ["list_body", "column_body"])
def test_answers_are_those_of_the_route(
    world: World, counted: list[int], slowly: Callable[[], None], form: str
) -> None:
    bodies = [getattr(world, form)([*TEXTS, "broken"]), getattr(world, form)(TEXTS[25:35], level=0.5)]
    quick = [world.ask(body) for body in bodies]
    again = [world.ask(body) for body in bodies]
    assert counted == [61, 10, 61, 10]
    slowly()
    slow = [world.ask(body) for body in bodies]
    assert counted == [61, 10, 61, 10]
    assert close(quick, slow)
    assert quick == again


@pytest.mark.parametrize("form", ["list_body", "column_body"])
def test_several_targets_get_what_each_gets_alone(
    world: World, counted: list[int], slowly: Callable[[], None], form: str
) -> None:
    other = world.load(range(10, 30), device="other")
    body = getattr(world, form)([*TEXTS[5:35], "broken"])
    alone = [world.ask(body | {"target": target}) for target in (world.target, other)]
    several = {name: value for name, value in body.items() if name != "target"} | {"targets": [world.target, other]}
    quick = world.ask(several)
    assert counted == [31, 31, 62]
    assert quick == {"level": 0.9, "answers": alone}
    with_a_wrong_one = world.ask(several | {"targets": [world.target, "none"]})["answers"]
    assert counted == [31, 31, 62]
    assert close(with_a_wrong_one[0], alone[0])
    assert (with_a_wrong_one[1]["target"], with_a_wrong_one[1]["error"]["status"]) == ("none", 404)
    slowly()
    assert close(world.ask(several), quick)
    for wrong in ({"targets": []}, {"target": world.target}, {"targets": [world.target] * 101}):
        assert world.http.post("/v1/predict", json=several | wrong).status_code == 422


def test_columns_come_as_arrow_where_that_is_accepted(
    world: World, counted: list[int], slowly: Callable[[], None]
) -> None:
    body = world.column_body([*TEXTS[25:35], "broken"])
    plain = world.ask(body)

    def tables() -> Any:
        answer = world.http.post("/v1/predict", json=body, headers={"Accept": ARROW})
        assert (answer.status_code, answer.headers["content-type"]) == (200, ARROW)
        return pa.ipc.open_stream(answer.content).read_all()

    table = tables()
    assert counted == [11, 11]
    for name in ("latency_ms", "low_ms", "high_ms", "measured", "coverage"):
        assert table[name].to_pylist() == plain[name], name
    assert set(table["target"].to_pylist()) == {world.target}
    assert json.loads(table["error"][10].as_py()) == plain["errors"]["10"]
    about = json.loads(table.schema.metadata[b"latcast"])
    assert about["level"] == 0.9
    assert about["answers"][0].items() <= plain.items()
    slowly()
    assert close(tables().to_pydict(), table.to_pydict())
    listed = world.http.post("/v1/predict", json=world.list_body(TEXTS[:2]), headers={"Accept": ARROW})
    assert listed.headers["content-type"] == "application/json"


def test_facts_of_networks_are_there_where_they_are_asked_for(world: World) -> None:
    body = world.column_body([TEXTS[0], "broken"], include=["macs", "params", "peak_memory"])
    columns = world.ask(body)
    assert columns["macs"][0] > 1e6
    assert columns["parameter_bytes"][0] > 1e5
    assert (columns["macs"][1], columns["peak_memory_bytes"], "activation_bytes" in columns) == (
        None,
        [None] * 2,
        False,
    )
    item = world.ask(world.list_body([TEXTS[0]], include=["activations", "macs"]))["items"][0]
    assert item["facts"]["macs"] == columns["macs"][0]
    assert set(item["facts"]) == {"activation_bytes", "macs"}
    assert close({name: value for name, value in item.items() if name != "facts"},
                 world.ask(world.list_body([TEXTS[0]]))["items"][0])  # fmt: skip
    assert world.http.post("/v1/predict", json=world.list_body(TEXTS[:1], include=["colour"])).status_code == 422


@pytest.mark.parametrize("form", ["list_body", "column_body"])
def test_what_was_forecast_of_graphs_is_remembered(
    world: World, counted: list[int], slowly: Callable[[], None], form: str
) -> None:
    Client("http://testserver", transport=world.http._transport).register(DEVICE, [TARGET])
    world.http.app.state.parts.changes.look()  # type: ignore[attr-defined]
    body = getattr(world, form)([*TEXTS[:3], "broken"]) | {"target": TARGET.id}
    first = world.ask(body)
    assert counted == [], "their graphs are built by the route"
    usual = getattr(world, form)(TEXTS[:3]) | {"target": TARGET.id}
    again, wider = world.ask(usual), world.ask(usual | {"level": 0.5})
    assert counted == [3, 3]
    slowly()
    assert close(world.ask(body), first)
    assert close(again, world.ask(usual))
    assert close(wider, world.ask(usual | {"level": 0.5}))


def test_large_calls_are_answered_alike(world: World, counted: list[int]) -> None:
    body = world.column_body(TEXTS * 100)
    assert len(json.dumps(body)) > 2**16
    assert world.ask(body)["latency_ms"] == world.ask(world.column_body(TEXTS))["latency_ms"] * 100
    assert counted == [6000, 60]


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        lambda body: body | {"level": 1},
        lambda body: body | {"level": 2.0},
        lambda body: body | {"more": 1},
        lambda body: body | {"target": "none"},
        lambda body: body | {"items": []},
        lambda body: body | {"items": body["items"] * 2000},
        lambda body: body | {"items": [*body["items"], {"space": "fbnet", "text": "x"}]},
        lambda body: body | {"items": [*body["items"], 7]},
        lambda body: body | {"items": [*body["items"], {"space": "nasbench201", "text": "x", "graph": "g"}]},
        lambda body: body | {"items": [*body["items"], {"space": "nasbench201", "text": None}]},
        lambda body: body | {"items": [*body["items"], {"space": "nasbench201", "text": "x" * 3000}]},
        lambda body: body | {"texts": ["x"]},
        lambda body: [body],
    ],
)
def test_unusual_calls_get_the_routes_answer(
    world: World, counted: list[int], slowly: Callable[[], None], change: Callable[[Any], Any]
) -> None:
    body = change(world.list_body(TEXTS[:3]))
    first = world.http.post("/v1/predict", json=body)
    assert counted == []
    slowly()
    second = world.http.post("/v1/predict", json=body)
    assert (first.status_code, first.json()) == (second.status_code, second.json())


@pytest.mark.slow
@pytest.mark.parametrize(
    "body",
    [
        {"texts": ["a"]},
        {"space": "nasbench201"},
        {"space": "nasbench201", "texts": []},
        {"space": "nasbench201", "texts": ["a"] * 10_001},
        {"space": "nasbench201", "texts": ["a"], "graphs": ["g"]},
    ],
)
def test_columns_that_do_not_fit_are_refused_with_a_sentence(world: World, body: dict[str, Any]) -> None:
    answer = world.http.post("/v1/predict", json={"target": world.target, **body})
    assert answer.status_code in (413, 422)
    assert answer.json()["detail"]


def test_the_client_splits_lists_and_joins_answers(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client("http://testserver", transport=world.http._transport)
    whole = client.predict_columns(world.target, space="nasbench201", texts=[*TEXTS, "broken"])
    monkeypatch.setattr("latcast.client.MOST_COLUMNS", 7)
    assert client.predict_columns(world.target, space="nasbench201", texts=[*TEXTS, "broken"]) == whole
    assert list(whole["errors"]) == ["60"]
    answers = client.predict(world.target, [item(space="nasbench201", text=text) for text in TEXTS])
    assert whole["latency_ms"][:60] == [answer["latency_ms"] for answer in answers]
    for wrong in ({}, {"texts": TEXTS}, {"space": "nasbench201"}, {"graphs": []}, {"space": "s", "graphs": ["g"]}):
        with pytest.raises(InputError):
            client.predict_columns(world.target, **wrong)  # type: ignore[arg-type]


def test_what_changes_is_followed(world: World) -> None:
    body = world.list_body([TEXTS[29], TEXTS[30]])
    assert [item["source"] for item in world.ask(body)["items"]] == ["measured", "predicted"]
    world.load([29, 30], factor=2.0)
    deadline = time.monotonic() + 10
    while (items := world.ask(body)["items"])[1]["source"] != "measured":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert [item["latency_ms"] for item in items] == pytest.approx([2 * MS[29], 2 * MS[30]])


def test_graphs_are_answered_in_columns_too(world: World) -> None:
    answer = world.ask({"target": world.target, "graphs": ["g1-" + "0" * 64]})
    assert answer["latency_ms"] == [None]
    assert "0000" in answer["errors"]["0"]["detail"]


def test_only_those_who_may_are_answered(world: World, counted: list[int]) -> None:
    body = world.list_body(TEXTS[:2])
    world.ask(body)
    admin = world.http.post("/v1/keys", json={"scope": "admin"}).json()
    assert world.http.post("/v1/predict", json=body).status_code == 401, "with the first key the service is closed"
    allowed = {"Authorization": f"Bearer {admin['key']}"}
    client = world.http.post("/v1/keys", json={"scope": "client"}, headers=allowed).json()
    mine = {"Authorization": f"Bearer {client['key']}"}
    world.ask(body, **mine)
    world.ask(body, **mine)
    assert counted == [2, 2, 2]
    world.http.delete(f"/v1/keys/{client['id']}", headers=allowed)
    assert world.http.post("/v1/predict", json=body, headers=mine).status_code == 401
    assert counted == [2, 2, 2]


def test_forecasts_count_by_their_number_and_other_calls_once(database_url: str, tmp_path: Path) -> None:
    settings = Settings(
        database_url=database_url, data_dir=tmp_path, tick_seconds=3600, log_level="error", rate_per_second=0.001,
        rate_burst=3, forecasts_per_second=0.001,
    )  # fmt: skip
    with TestClient(create_app(settings, reader=DirectReader())) as http:
        world = World(http, tmp_path)
        http.app.state.parts.forecast_limiter._burst = 20.0  # type: ignore[attr-defined]
        bodies = [world.list_body(TEXTS[:2]), world.column_body(TEXTS[:2])] * 5
        assert [http.post("/v1/predict", json=body).status_code for body in bodies] == [200] * 10
        refused = http.post("/v1/predict", json=bodies[0])
        assert (refused.status_code, "forecasts" in refused.json()["detail"]) == (429, True)
        http.app.state.parts.forecast_limiter._burst = 1e9  # type: ignore[attr-defined]
        http.app.state.parts.forecast_limiter._buckets = Buckets()  # type: ignore[attr-defined]
        unusual = world.list_body(TEXTS[:2]) | {"target": "none"}
        assert [http.post("/v1/predict", json=unusual).status_code for _ in range(4)] == [404, 404, 404, 429]


def test_answers_are_counted(world: World) -> None:
    world.ask(world.list_body([TEXTS[0], TEXTS[40], TEXTS[41], "broken"]))
    said = world.http.get("/metrics").text
    assert 'latcast_forecasts_total{source="predicted"} 2.0' in said
    assert 'latcast_forecasts_total{source="measured"} 1.0' in said
    assert 'route="/predict"' in said


def test_models_in_json_are_not_held_to_the_limit_of_texts(world: World) -> None:
    onnx = base64.b64encode(model() + b"\x82\x06" + b"\x80\x80\x80\x01" + bytes(2**21)).decode()
    answer = world.http.post("/v1/predict", json={"target": world.target, "items": [{"onnx": onnx}]})
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:latcast:problem:conflict"), "it was 413"


def test_a_large_body_that_goes_on_to_the_route_needs_one_place(database_url: str, tmp_path: Path) -> None:
    settings = Settings(
        database_url=database_url, data_dir=tmp_path, tick_seconds=3600, log_level="error", max_uploads=1
    )
    with TestClient(create_app(settings, reader=DirectReader())) as http:
        answer = http.post("/v1/predict", json={"target": "none", "items": [{"graph": "g"}], "more": "x" * 2**17})
        assert answer.status_code == 422, "an unusual call waited for a second place beside its own"


def test_calls_that_find_no_place_are_told_so(world: World) -> None:
    full = world.http.app.state.parts.pools.texts  # type: ignore[attr-defined]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(full, "run", _refused)
        answer = world.http.post("/v1/predict", json=world.list_body(TEXTS[:3]))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert "places" in answer.json()["detail"]


async def _refused(_function: object) -> None:
    raise UnavailableError("No places.")


def test_a_database_that_is_away_is_said_as_the_route_says_it(world: World) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ForecastMemory, "prepare", _away)
        patch.setattr(Forecaster, "forecast", _away)
        answer = world.http.post("/v1/predict", json=world.list_body(TEXTS[:3]))
    assert answer.status_code == 503
    assert "again" in answer.json()["detail"]


def _away(*_arguments: object) -> None:
    raise OperationalError("select", {}, sqlite3.OperationalError("database is locked"))
