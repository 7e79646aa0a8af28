"""Targets over REST: what lists tell of them, their quality, and adaptations that are asked for."""

from pathlib import Path

import pytest
from sqlalchemy import text

from latcast.errors import ConflictError, NotFoundError
from latcast.schema import InputError, UnknownNameError
from tests.service.helpers import OTHER_TARGET, TARGET, World


def test_targets_count_their_measurements(measured: World) -> None:
    targets = {target["id"]: target for target in measured.client.targets()}
    assert targets[TARGET.id]["measurements"] == 6
    assert targets[OTHER_TARGET.id]["measurements"] == 0
    assert targets[TARGET.id]["label"] == TARGET.label
    assert targets[TARGET.id] == measured.client.target(TARGET.id)


def test_quality_pairs(world: World) -> None:
    world.agent()
    (pair,) = world.client.quality(TARGET.id)
    assert pair == {
        "graph": "g", "space": None, "text": None, "measured_ms": 1.0, "predicted_ms": 1.1, "support": False,
        "row": None, "interval_ms": None, "file_precision": "",
    }  # fmt: skip


def test_adapt_is_a_job_and_names_are_checked_at_once(world: World) -> None:
    world.agent()
    job = world.client.adapt(TARGET.id, samples=3, sampler="random", pool={"space": "nasbench201"}, seed=7)
    kept = world.client.job(job["id"])
    assert (kept["kind"], kept["state"], kept["request"]["samples"]) == ("adapt", "queued", 3)
    with pytest.raises(InputError, match="Unknown sampler"):
        world.client.adapt(TARGET.id, sampler="best")
    with pytest.raises(InputError, match="Unknown search space"):
        world.client.adapt(TARGET.id, pool={"space": ["nasbench201", "none"]})
    with pytest.raises(InputError, match="not both"):
        world.client.adapt(TARGET.id, pool={"space": "zoo", "graphs": ["g"]})
    with pytest.raises(NotFoundError, match="no graph"):
        world.client.adapt(TARGET.id, pool={"graphs": ["g"]})
    with pytest.raises(NotFoundError):
        world.client.adapt("none")


ZERO_BYTES = [
    f"/v1/targets/{TARGET.id}/{what}?{name}=%00"
    for what in ("measurements", "dataset.csv", "dataset.parquet")
    for name in ("graph", "space")
]


@pytest.mark.slow
@pytest.mark.parametrize(
    "path",
    [
        *ZERO_BYTES,
        f"/v1/targets/{TARGET.id}/measurements?cursor=%00",
        "/v1/targets/none%00/dataset.csv",
        "/v1/jobs?target=a%00b",
        "/v1/graphs/%00/model",
        "/v1/jobs/%00/events",
        "/targets/%00",
    ],
)
def test_a_zero_byte_in_an_address_is_refused_on_both_databases(measured: World, path: str) -> None:
    response = measured.http.get(path)
    assert response.status_code == 422
    assert "zero byte" in response.json()["detail"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_the_database_refuses_is_refused_before_the_export_begins(measured: World) -> None:
    with measured.database.write.begin() as session:
        session.execute(text("ALTER TABLE measurement RENAME TO former"))
    response = measured.http.get(f"/v1/targets/{TARGET.id}/dataset.csv")
    assert response.status_code == 503
    assert "lacks a table" in response.json()["detail"]


def test_the_predictor_of_a_target_is_a_file(world: World, tmp_path: Path) -> None:
    world.agent([TARGET])
    with pytest.raises(ConflictError, match="Measure some"):
        world.client.download_predictor(TARGET.id, "nasbench201", tmp_path / "p")
    with pytest.raises(UnknownNameError):
        world.client.download_predictor(TARGET.id, "no such space", tmp_path / "p")
    assert not (tmp_path / "p").exists()
