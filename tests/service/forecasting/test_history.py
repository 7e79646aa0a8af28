"""What forecasts rested on, and how each did."""

import math

import pytest
from sqlalchemy import insert

from predictors.artifact import Artifact
from service.db import tables
from service.forecasting.history import adaptation_errors, forecast_before, pairs_by_operator
from service.forecasting.types import QualityPair
from service.learning.artifacts import put_artifact
from tests.service.helpers import TARGET, World, add_row


def pair(graph: str | None) -> QualityPair:
    return QualityPair(graph=graph, measured_ms=1.0, predicted_ms=1.0, support=False)


def test_adaptations_are_listed_with_those_that_ended(world: World) -> None:
    world.agent()
    with world.database.write.begin() as session:
        digest = put_artifact(session, Artifact(kind="flops", hyperparameters={}, arrays={}))
        predictor = tables.Predictor(kind="flops", artifact_digest=digest, metrics={})
        session.add(predictor)
        session.flush()
        for samples, error in ((5, None), (10, 0.2), (20, 0.1)):
            metrics = {"support": samples, "support_loo_median_ape": error}
            row = tables.Adaptation(
                predictor_id=predictor.id, target_id=TARGET.id, support=[1], artifact_digest=digest, metrics=metrics,
                active=samples == 20, created_unix_s=float(samples),
            )  # fmt: skip
            session.add(row)
        session.flush()
        found = adaptation_errors(session, TARGET.id)
        assert adaptation_errors(session, "another") == []
    assert [(one.samples, one.median_ape, one.active) for one in found] == [
        (5, None, False), (10, 0.2, False), (20, 0.1, True),
    ]  # fmt: skip


@pytest.mark.parametrize(("half_width", "interval"), [(math.log(1.5), (4.0, 16.0)), (None, None)])
def test_the_forecast_before_a_measurement(
    world: World, half_width: float | None, interval: tuple[float, float] | None
) -> None:
    world.agent()
    add_row(world, world.graph(), median_ms=10.0)
    (row,) = (one["id"] for one in world.client.measurements(TARGET.id))
    values = {
        "target_id": TARGET.id, "measurement_id": row, "predictor": "base:1", "kind": "flops", "space": "",
        "adapted": True, "forecast_ms": 8.0, "half_width": half_width, "measured_ms": 10.0, "sentinel_ms": None,
        "interval_scale": math.log(2) / math.log(1.5),
    }  # fmt: skip
    address = f"/v1/measurements/{row}"
    assert world.http.get(address).json()["forecast"] is None
    with world.database.write.begin() as session:
        session.execute(insert(tables.Score).values(**values))
        found = forecast_before(session, row)
    assert found is not None
    assert (found.latency_ms, found.predictor, found.adapted) == (8.0, "base:1", True)
    assert found.interval_ms == (None if interval is None else pytest.approx(interval))
    assert world.http.get(address).json()["forecast"]["latency_ms"] == 8.0


def test_pairs_are_found_by_the_operators_of_their_networks(world: World) -> None:
    world.agent()
    first, second = world.graph(2), world.graph(3)
    with world.database.read() as session:
        found = pairs_by_operator(session, [pair(first), pair(None), pair(second), pair(first)])
        operators = session.get_one(tables.GraphFacts, first).operators.split()
    assert set(operators) <= set(found)
    assert found[operators[0]] == [0, 2, 3]
