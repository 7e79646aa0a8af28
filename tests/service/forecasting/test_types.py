"""Records of an answer, and who keeps the contract of a forecaster."""

from dataclasses import FrozenInstanceError, fields
from inspect import signature

import pytest

from service.api import schemas
from service.forecasting.forecaster import Forecaster
from service.forecasting.types import Forecast, ForecasterLike
from tests.service.helpers import FakeForecaster


def test_a_forecast_is_what_the_api_describes_and_does_not_change() -> None:
    answer = Forecast(latency_ms=1.0, interval_ms=None, source="measured", coverage=1.0, adapted=True)
    asked_for = {"facts"}  # what callers include is no part of the forecast
    assert {field.name for field in fields(answer)} == set(schemas.ForecastOut.model_fields) - asked_for
    assert (answer.predictor, answer.measurements, answer.unknown_operators) == (None, 0, ())
    with pytest.raises(FrozenInstanceError):
        answer.latency_ms = 2.0  # type: ignore[misc]


@pytest.mark.parametrize("kind", [Forecaster, FakeForecaster])
def test_forecasters_take_what_the_routes_give(kind: type) -> None:
    methods = [name for name in vars(ForecasterLike) if not name.startswith("_")]
    assert {"forecast", "quality"} <= set(methods)
    for name in methods:
        if hasattr(kind, name):
            assert list(signature(getattr(kind, name)).parameters) == list(
                signature(getattr(ForecasterLike, name)).parameters
            )
