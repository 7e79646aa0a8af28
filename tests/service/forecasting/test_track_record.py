"""What became of a target's forecasts: coverage and its band, errors, the host's speed, and what is said of them."""

from collections.abc import Sequence

import numpy as np
import pytest
from sqlalchemy import insert
from sqlalchemy.orm import Session

from predictors.artifact import Artifact
from service.db import tables
from service.db.session import Database
from service.forecasting.track_record import track_gauges, track_record
from service.learning.artifacts import put_artifact
from service.learning.interval_scales import interval_scales
from tests.service.helpers import TARGET, World

HALF_WIDTH = 0.2


def add_scores(session: Session, errors: Sequence[float], *, sentinel_ms: float = 0.1, adapted: bool = True) -> None:
    """A score for each error of log latency, of measurements of one graph."""
    graph = session.scalar(tables.Graph.__table__.select().with_only_columns(tables.Graph.hash))
    for error in errors:
        row = tables.Measurement(
            target_id=TARGET.id, graph_hash=graph, median_ms=10.0, settings={}, feeds=[], runs=[],
            sentinel_ms=[sentinel_ms], sentinel_median_ms=sentinel_ms, protocol_version=1,
        )  # fmt: skip
        session.add(row)
        session.flush()
        values = {
            "target_id": TARGET.id, "measurement_id": row.id, "predictor": "adaptation:1", "kind": "flops", "space": "",
            "adapted": adapted, "forecast_ms": 10.0 * np.exp(-error), "half_width": HALF_WIDTH, "interval_scale": 1.0,
            "measured_ms": 10.0, "sentinel_ms": sentinel_ms, "at_unix_s": float(row.id),
        }  # fmt: skip
        session.execute(insert(tables.Score).values(**values))


@pytest.fixture
def database(world: World) -> Database:
    """A database with a target and a graph."""
    world.agent()
    world.graph(1)
    return world.database


def test_without_scores_nothing_is_claimed(database: Database) -> None:
    with database.read() as session:
        record = track_record(session, TARGET.id)
        assert (record.scored, record.coverage, record.in_band, record.flags, record.periods) == (0, None, None, (), ())
        assert all(values == {} for _, _, values in track_gauges(session).values())


def test_coverage_within_the_band_is_no_news(database: Database) -> None:
    errors = [0.0] * 36 + [0.3] * 4
    with database.write.begin() as session:
        add_scores(session, errors)
        record = track_record(session, TARGET.id)
    assert (record.scored, record.judged, record.coverage, record.in_band) == (40, 40, 0.9, True)
    assert record.band is not None
    assert record.band[0] < 0.9 < record.band[1]
    assert record.flags == ()
    assert [period.scored for period in record.periods] == [5] * 8
    assert record.periods[-1].coverage == 0.2
    assert record.periods[-1].bias == pytest.approx(0.3)
    assert record.median_ape == 0.0


@pytest.mark.parametrize(("error", "words"), [(0.5, "too narrow"), (0.0, "too wide")])
def test_coverage_out_of_the_band_is_said(database: Database, error: float, words: str) -> None:
    with database.write.begin() as session:
        add_scores(session, [error] * 60)
        record, gauges = track_record(session, TARGET.id), track_gauges(session)
    assert record.judged == 50
    assert record.in_band is False
    (flag,) = record.flags
    assert words in flag
    assert (record.interval_scale > 1) == (error > HALF_WIDTH)
    assert gauges["latcast_forecast_coverage_out_of_band"][2] == {(TARGET.id,): 1.0}
    assert gauges["latcast_forecasts_scored"][2] == {(TARGET.id,): 60.0}


def test_adapted_forecasts_are_judged_apart_from_those_before(database: Database) -> None:
    with database.write.begin() as session:
        add_scores(session, [1.0] * 10, adapted=False)
        add_scores(session, [0.0] * 10)
        record, scales = track_record(session, TARGET.id), interval_scales(session, TARGET.id)
    assert (record.scored, record.judged, record.coverage) == (20, 10, 1.0)
    assert scales["", False] > 1 > scales["", True]


@pytest.mark.parametrize(("now_ms", "moved"), [(0.11, False), (0.13, True), (0.07, True)])
def test_a_host_that_has_moved_is_flagged(database: Database, now_ms: float, moved: bool) -> None:
    with database.write.begin() as session:
        digest = put_artifact(session, Artifact(kind="flops", hyperparameters={}, arrays={}))
        session.add(base := tables.Predictor(kind="flops", artifact_digest=digest, metrics={}))
        session.flush()
        session.add(
            tables.Adaptation(
                predictor_id=base.id,
                target_id=TARGET.id,
                support=[],
                artifact_digest=digest,
                active=True,
                metrics={"sentinel_ms": 0.1},
            )
        )
        add_scores(session, [0.0] * 20, sentinel_ms=now_ms)
        record, gauges = track_record(session, TARGET.id), track_gauges(session)
    assert record.host is not None
    assert record.host.drift == pytest.approx(now_ms / 0.1)
    assert record.host.moved is moved
    assert any("host is" in flag for flag in record.flags) is moved
    assert gauges["latcast_host_moved"][2] == {(TARGET.id,): float(moved)}
    assert record.periods[0].host_drift == pytest.approx(now_ms / 0.1)


def test_metrics_have_the_series(world: World, database: Database) -> None:
    with database.write.begin() as session:
        add_scores(session, [0.0])
    text = world.http.get("/metrics").text
    assert f'latcast_forecast_coverage{{target="{TARGET.id}"}} 1.0' in text
