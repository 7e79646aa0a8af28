"""Who works ahead sees at once that somebody waits for forecasts."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from fastapi.testclient import TestClient

from latcast.schema import LatcastError
from service.app import create_app
from service.forecasting.types import Forecast
from service.forecasting.waiting_calls import WaitingCalls
from service.graphs.resolver import Item
from service.settings import Settings
from tests.service.helpers import TARGET, FakeForecaster


def test_it_is_quiet_until_the_first_call_and_not_during_one() -> None:
    calls = WaitingCalls()
    assert calls.quiet_s() == float("inf")
    with calls.under_way():
        assert calls.quiet_s() == 0.0
        with calls.under_way():
            pass
        assert calls.quiet_s() == 0.0
    before = calls.quiet_s()
    time.sleep(0.01)
    assert 0.0 <= before < calls.quiet_s()


def test_a_call_that_fails_is_over_too() -> None:
    calls = WaitingCalls()
    with pytest.raises(ValueError, match="refused"), calls.under_way():
        raise ValueError("refused")
    assert calls.quiet_s() > 0.0


def test_work_ends_when_a_call_comes_or_is_under_way() -> None:
    calls = WaitingCalls()
    work = calls.gives_way()
    assert not work.is_cancelled
    with calls.under_way():
        assert work.is_cancelled
        assert calls.gives_way().is_cancelled
    assert not calls.gives_way().is_cancelled


def test_calls_of_many_threads_are_counted() -> None:
    calls, together = WaitingCalls(), Barrier(8)

    def call(_: int) -> float:
        with calls.under_way():
            together.wait(timeout=10)
            return calls.quiet_s()

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(call, range(8))) == {0.0}
    assert calls.quiet_s() > 0.0


@pytest.mark.parametrize("path", ["/v1/predict", "/predict"])
def test_the_service_notes_calls_for_forecasts(new_sqlite: str, path: str) -> None:
    seen: list[float] = []

    class Looking(FakeForecaster):
        def forecast(
            self, target_id: str, items: Sequence[Item], level: float, *, predictor: str | None = None
        ) -> list[Forecast | LatcastError]:
            seen.append(app.state.parts.waiting.quiet_s())
            return super().forecast(target_id, items, level, predictor=predictor)

    app = create_app(Settings(database_url=new_sqlite), forecaster=Looking(), rehearses=True)
    with TestClient(app) as http:
        assert http.get("/healthz").status_code == 200
        assert app.state.parts.waiting.quiet_s() == float("inf")
        asked = {"target": TARGET.id, "items": [{"space": "toy", "text": "abc"}]}
        assert http.post(path, json=asked).status_code == 200
        assert app.state.parts.waiting.quiet_s() < float("inf")
    assert seen == [0.0]
