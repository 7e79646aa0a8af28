"""The overview: counts, queue and activity in one answer."""

import pytest
from sqlalchemy import delete, insert, select

from predictors.artifact import Artifact
from service.db import tables
from service.learning.artifacts import put_artifact
from tests.service.helpers import TARGET, World


def test_it_counts_what_there_is(measured: World) -> None:
    measured.client.profile(TARGET.id, graphs=[measured.graph(3)])
    answer = measured.http.get("/v1/overview").json()
    assert (answer["measurements"], answer["noisy"], answer["failed"]) == (6, 1, 1)
    assert answer["devices_online"] == len(answer["devices"]) == 1
    assert {target["id"] for target in answer["targets"]} >= {TARGET.id}
    assert answer["jobs"] == {"done": 6, "failed": 1, "queued": 1}
    assert [(job["state"], job["kind"]) for job in answer["queue"]] == [("queued", "profile")]
    assert sum(hour["measured"] for hour in answer["activity"]) == 6
    assert [alert["subject"] for alert in answer["alerts"]] == ["profile"]


def test_a_poor_adaptation_needs_attention_and_forecasts_are_judged_over_time(measured: World) -> None:
    poor = {"support": 20, "support_loo_median_ape": 0.6, "record_median_ape": 0.1}
    with measured.database.write.begin() as session:
        digest = put_artifact(session, Artifact(kind="flops", hyperparameters={}, arrays={}))
        session.add(base := tables.Predictor(kind="flops", artifact_digest=digest, metrics={}))
        session.flush()
        session.add(
            tables.Adaptation(
                predictor_id=base.id, target_id=TARGET.id, support=[], artifact_digest=digest, metrics=poor, active=True
            )
        )
        session.execute(delete(tables.Score))
        row = session.scalar(select(tables.Measurement.id).limit(1))
        values = {"measurement_id": row, "predictor": "", "kind": "flops", "space": "", "adapted": True}
        session.execute(
            insert(tables.Score).values(
                target_id=TARGET.id, forecast_ms=8.0, half_width=0.1, interval_scale=1.0, measured_ms=10.0, **values
            )
        )
    answer = measured.http.get("/v1/overview").json()
    (alert,) = (alert for alert in answer["alerts"] if alert["subject"] != "profile")
    assert alert["level"] == "warning"
    assert "missed by 60%" in alert["text"]
    (period,) = answer["forecasts"]
    assert (period["scored"], period["coverage"], period["median_ape"]) == (1, 0.0, pytest.approx(0.2))


def test_agents_may_not_look(keyed: tuple[World, dict[str, str]]) -> None:
    world, keys = keyed
    assert world.http.get("/v1/overview", headers={"authorization": f"Bearer {keys['agent']}"}).status_code == 403
