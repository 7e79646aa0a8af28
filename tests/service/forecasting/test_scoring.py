"""Measurements are kept beside the forecasts that stood until they came, over both databases."""

import numpy as np
import pytest
from sqlalchemy import select

from service.db import tables
from service.forecasting.scoring import Scorer
from service.graphs.resolver import Item
from tests.service.helpers import TARGET
from tests.service.learning.test_adaptation import AdaptingWorld, adapted, base, latency_ms, world
from tests.service.worker.test_learner import graph_of, learner_of, measure, texts

__all__ = ["base", "world"]


def scores(world: AdaptingWorld) -> list[tables.Score]:
    with world.database.read() as session:
        return list(session.scalars(select(tables.Score).order_by(tables.Score.id)))


@pytest.mark.slow
def test_a_measurement_is_scored_by_the_forecast_that_stood_until_it_came(world: AdaptingWorld) -> None:
    adapted(world)
    learning = learner_of(world)
    name = texts(7, 1)[0]
    stood = world.client.predict(TARGET.id, [{"space": "nasbench201", "text": name}])[0]
    measure(world, [name], speed=1.5)
    learning.look()
    (score,) = scores(world)
    assert score.forecast_ms == pytest.approx(stood["latency_ms"])
    with world.database.read() as session:
        row = session.get_one(tables.Measurement, score.measurement_id)
    assert score.measured_ms == row.median_ms == pytest.approx(latency_ms(graph_of(name), speed=1.5), rel=0.1)
    assert score.predictor == stood["predictor"]
    assert (score.adapted, score.interval_scale) == (True, 1.0)
    low, high = stood["interval_ms"]
    assert score.half_width == pytest.approx(np.log(high / low) / 2)


@pytest.mark.slow
def test_only_the_first_measurement_of_a_network_is_scored(world: AdaptingWorld) -> None:
    adapted(world)
    learning = learner_of(world)
    name = texts(8, 1)
    for _ in range(2):
        measure(world, name)
        learning.look()
    assert len(scores(world)) == 1


def test_cells_are_scored_by_what_their_own_rows_have_not_taught(
    world: AdaptingWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows adapt by themselves as soon as there are enough: the score is of the predictor without the new ones."""
    monkeypatch.setattr("service.forecasting.selection.FEWEST_ROWS", 5)
    names = texts(9, 8)
    measure(world, names[:6])
    item = Item(space="nasbench201", text=names[6])
    stood = world.forecaster.forecast(TARGET.id, [item], 0.9)[0]
    measure(world, names[6:])
    with world.database.read() as session:
        rows = list(session.scalars(select(tables.Measurement.id).order_by(tables.Measurement.id)))[-2:]
    assert Scorer(world.database, world.forecaster).score(TARGET.id, rows) == 2
    found = scores(world)
    assert [one.space for one in found] == ["nasbench201"] * 2
    assert found[0].forecast_ms == pytest.approx(stood.latency_ms)
