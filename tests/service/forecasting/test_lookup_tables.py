"""Tables of what options cost, out of forecasts; over the API, in words."""

import numpy as np
import pytest

from latcast.errors import NotFoundError
from latcast.schema import InputError, LatcastError, UnsupportedGraphError
from profilers.search_spaces import get_space
from service.api import views
from service.forecasting.lookup_tables import lookup_table
from service.forecasting.types import Forecast
from service.graphs.resolver import Item
from tests.service.helpers import TARGET, World

SPACE = get_space("nasbench201")


class Additive:
    """A forecaster for which a 3×3 convolution costs 2 ms and a 1×1 convolution 1 ms; skips every tenth."""

    def __init__(self, *, broken: bool = False) -> None:
        self._broken = broken

    def forecast(self, _target: str, items: list[Item], _level: float) -> list[Forecast | LatcastError]:
        return [self._answer(place, item.text or "") for place, item in enumerate(items)]

    def _answer(self, place: int, text: str) -> Forecast | LatcastError:
        if self._broken or place % 10 == 0:
            return UnsupportedGraphError("Not this one.")
        ms = 3.0 + 2 * text.count("conv_3x3") + text.count("conv_1x1")
        return Forecast(latency_ms=ms, interval_ms=None, source="predicted", coverage=1.0, adapted=True, predictor="p")


def test_the_table_is_the_sum_behind_the_forecasts() -> None:
    table = lookup_table(Additive(), "t", "nasbench201", samples=200)  # type: ignore[arg-type]
    shown = views.lookup_table_out("t", table)
    assert shown.overhead_ms == pytest.approx(3.0)
    assert [position.name for position in shown.positions][:2] == ["edge 0-1", "edge 0-2"]
    for position in shown.positions:
        costs = {option.name: option.cost_ms for option in position.options}
        assert costs == pytest.approx(
            {"none": 0.0, "skip_connect": 0.0, "nor_conv_1x1": 1.0, "nor_conv_3x3": 2.0, "avg_pool_3x3": 0.0}, abs=1e-9
        )
    assert shown.explained_variance == pytest.approx(1.0)
    assert shown.predictor == "p"
    assert shown.samples < 200


def test_what_cannot_be_a_table_is_said() -> None:
    with pytest.raises(InputError, match="no fixed positions"):
        lookup_table(Additive(), "t", "zoo", samples=50)  # type: ignore[arg-type]
    with pytest.raises(UnsupportedGraphError):
        lookup_table(Additive(broken=True), "t", "nasbench201", samples=50)  # type: ignore[arg-type]


def test_over_the_api_a_target_has_to_be_there(world: World) -> None:
    world.agent([TARGET])
    with pytest.raises(NotFoundError):
        world.client.call("GET", "/targets/nobody/lookup-table", params={"space": "nasbench201"})
    with pytest.raises(InputError, match="fixed positions"):
        world.client.target(TARGET.id).lookup_table("zoo")


@pytest.mark.parametrize("name", ["nasbench201", "fbnet", "ofa_mbv3"])
def test_choices_fit_positions(name: str) -> None:
    space = get_space(name)
    positions = space.positions()
    rng = np.random.default_rng(0)
    drawn = [space.sample(rng) for _ in range(30)]
    for architecture in drawn:
        choices = space.choices(architecture)
        assert len(choices) == len(positions)
        for choice, position in zip(choices, positions, strict=True):
            assert -position.optional <= choice < len(position.options)
    assert len({space.choices(architecture) for architecture in drawn}) == len(set(drawn))
