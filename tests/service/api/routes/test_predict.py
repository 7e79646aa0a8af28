"""Forecasts over REST: each item stands alone."""

import base64
from collections.abc import Callable, Sequence

import pytest

from latcast import item
from latcast.errors import ConflictError, NotFoundError
from latcast.schema import InputError, LatcastError
from service.api import schemas
from service.forecasting.types import Forecast
from service.graphs.resolver import Item
from tests.service.helpers import TARGET, World, model

MakeWorld = Callable[..., World]


def test_one_bad_item_spoils_no_other(world: World) -> None:
    world.agent()
    answers = world.client.predict(
        TARGET.id,
        [
            item(space="toy", text="four"),
            item(space="none", text="x"),
            item(onnx=model()),
            item(onnx=b"no model"),
            {"onnx": "no base64!"},
            {"onnx": base64.b64encode(model()).decode(), "graph": "g"},
            {"space": "toy"},
            {"text": "four"},
            {},
            {"space": 3, "text": "x"},
            {"misspelt": 1},
            item(space="toy", text="seven77"),
        ],
        level=0.8,
    )
    assert [answer.get("latency_ms") for answer in answers] == [4.0, None, 1.0, *[None] * 8, 7.0]
    assert answers[0]["interval_ms"] == pytest.approx([2.4, 5.6])
    assert (answers[0]["source"], answers[0]["adapted"], answers[0]["predictor"]) == ("predicted", False, "p")
    for answer in answers:
        if "error" in answer:
            assert answer["error"]["status"] == 422
            assert answer["error"]["detail"].endswith(".")
    assert answers[1]["error"]["type"] == "urn:latcast:problem:unknown-name"
    assert answers[1]["error"]["known"] == ["toy"]
    assert answers[3]["error"]["type"] == "urn:latcast:problem:invalid-model"
    assert "misspelt" in answers[10]["error"]["detail"]


def test_shapes_reach_the_forecaster(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.agent()
    seen: list[Item] = []

    def forecast(_target: str, items: Sequence[Item], _level: float) -> list[Forecast | LatcastError]:
        seen.extend(items)
        return [InputError("no.")] * len(items)

    monkeypatch.setattr(world.app.state.parts.forecaster, "forecast", forecast, raising=False)
    world.client.predict(TARGET.id, [item(onnx=b"m", shapes={"x": (1, 3)})])
    assert seen == [Item(onnx=b"m", shapes={"x": (1, 3)})]


def test_target_without_any_predictor_is_409(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.agent()
    monkeypatch.setattr(
        world.app.state.parts.forecaster,
        "forecast",
        lambda _target, items, _level: [ConflictError("Adapt one with `latcast adapt`.")] * len(items),
        raising=False,
    )
    with pytest.raises(ConflictError, match="latcast adapt"):
        world.client.predict(TARGET.id, [item(graph="g")])


def test_unknown_target_and_too_many_items(make_world: MakeWorld) -> None:
    world = make_world(max_predict_items=2)
    with pytest.raises(NotFoundError, match="GET /v1/targets"):
        world.client.predict("none", [item(graph="g")])
    with pytest.raises(InputError, match="at most 2 items"):
        world.client.predict("none", [item(graph="g")] * 3)


def test_answers_are_what_the_description_says(world: World) -> None:
    """They are written as they are, without the description's models."""
    world.agent()
    answers = world.http.post(
        "/v1/predict", json={"target": TARGET.id, "items": [item(space="toy", text="x"), {}]}
    ).json()
    parsed = schemas.PredictOut.model_validate(answers)
    assert parsed.model_dump(mode="json", exclude_unset=True) == answers
    assert [type(answer) for answer in parsed.items] == [schemas.ForecastOut, schemas.ItemError]
    assert set(answers["items"][0]) == set(schemas.ForecastOut.model_fields) - {"facts"}
