"""The catalogue notices what becomes active, refuses what it cannot read, and knows which base reads what."""

from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import update

from latcast.errors import NotFoundError
from latcast.schema import ArtifactError
from predictors.base import LatencyDataset, Query
from predictors.kinds.flops import FlopsPredictor
from predictors.registry import pretrained
from profilers.onnx_graph import load_graph
from service.db import records, tables
from service.db.session import Database
from service.learning import catalogue
from service.learning.artifacts import put_artifact
from service.learning.catalogue import CARRIED, SHIPPED, PredictorCatalogue, StoredPredictor, bases_for, shipped_bases
from service.measurements.lookup import GRAPHS
from tests.service.helpers import DEVICE, TARGET, model


def fitted(speed: float) -> FlopsPredictor:
    queries = [Query(target=TARGET, graph=load_graph(model(width))) for width in range(2, 8)]
    return FlopsPredictor().fit(LatencyDataset(queries=queries, latency_ms=speed * np.arange(2.0, 8.0)))


@pytest.fixture(autouse=True)
def target(database: Database) -> None:
    with database.write.begin() as session:
        session.add(records.target_row(TARGET, None))


def add_base(database: Database, speed: float, *, active: bool = True) -> str:
    with database.write.begin() as session:
        digest = put_artifact(session, fitted(speed).to_artifact())
        row = tables.Predictor(kind="flops", artifact_digest=digest, metrics={}, active=active)
        session.add(row)
        session.flush()
        return row.id


def activate(database: Database, base_id: str, speed: float) -> str:
    """Make an adaptation the target's active one, as another process would."""
    with database.write.begin() as session:
        session.execute(update(tables.Adaptation).values(active=False))
        digest = put_artifact(session, fitted(speed).to_artifact())
        row = tables.Adaptation(
            predictor_id=base_id, target_id=TARGET.id, support=[1, 2], artifact_digest=digest, metrics={}, active=True
        )
        session.add(row)
        session.flush()
        return f"adaptation:{row.id}"


def adapted_id(one: PredictorCatalogue) -> str | None:
    adapted = one.predictors_of(TARGET.id).adapted
    return adapted.id if adapted else None


def test_bases_are_the_newest_active_ones_then_those_that_are_shipped(database: Database) -> None:
    older, newer = add_base(database, 1.0), add_base(database, 2.0)
    add_base(database, 3.0, active=False)
    ids = [base.id for base in PredictorCatalogue(database).bases()]
    assert ids[:2] == [newer, older]
    assert ids[2:] == [base.id for base in shipped_bases()]
    assert all(one.startswith(SHIPPED) for one in ids[2:])


def test_a_target_that_nobody_registered_is_named(database: Database) -> None:
    with pytest.raises(NotFoundError, match="no target 'none'"):
        PredictorCatalogue(database).predictors_of("none")


def test_an_activation_elsewhere_is_noticed_later_and_one_here_at_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = add_base(database, 1.0)
    monkeypatch.setattr(catalogue, "REFRESH_SECONDS", 3600.0)
    one = PredictorCatalogue(database)
    assert adapted_id(one) is None
    activated = activate(database, base, 2.0)
    assert adapted_id(one) is None
    one.renew(TARGET.id)
    assert adapted_id(one) == activated
    monkeypatch.setattr(catalogue, "REFRESH_SECONDS", 0.0)
    second = activate(database, base, 3.0)
    assert adapted_id(one) == second
    adapted = one.predictors_of(TARGET.id).adapted
    assert adapted is not None
    assert (adapted.adapted, adapted.support) == (True, (1, 2))


def test_what_cannot_be_read_is_refused_and_the_previous_one_serves_on(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "REFRESH_SECONDS", 0.0)
    base = add_base(database, 1.0)
    activated = activate(database, base, 2.0)
    one = PredictorCatalogue(database)
    assert adapted_id(one) == activated
    with database.write.begin() as session:
        session.add(tables.Artifact(digest="0" * 64, content=b"rubbish"))
        session.flush()
        session.execute(update(tables.Adaptation).values(artifact_digest="0" * 64))
        session.execute(update(tables.Predictor).values(artifact_digest="0" * 64))
    assert adapted_id(one) == activated
    fresh = PredictorCatalogue(database)
    assert adapted_id(fresh) is None
    assert [base.id for base in fresh.bases()] == [base.id for base in shipped_bases()]


def test_a_base_that_reads_the_texts_of_a_space_comes_before_one_that_reads_graphs() -> None:
    graphs = StoredPredictor(id="graphs", predictor=fitted(1.0))
    cells = StoredPredictor(id="cells", predictor=pretrained("universal-nasbench201"))
    assert [base.id for base in bases_for([graphs, cells], "nasbench201")] == ["cells", "graphs"]
    assert [base.id for base in bases_for([graphs, cells], GRAPHS)] == ["graphs"]
    assert bases_for([cells], "fbnet") == []


def test_a_shipped_predictor_that_cannot_be_read_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_name: str) -> FlopsPredictor:
        raise ArtifactError("It is of a later version.")

    monkeypatch.setattr(catalogue, "_shipped", {})
    monkeypatch.setattr(catalogue, "pretrained", refuse)
    assert shipped_bases() == ()


def test_what_the_device_taught_elsewhere_is_carried_over_until_the_target_has_its_own(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "REFRESH_SECONDS", 0.0)
    newer, other = replace(TARGET, backend_version="99"), replace(TARGET, precision="int8")
    with database.write.begin() as session:
        device = records.device_row(DEVICE)
        session.add(device)
        session.flush()
        session.add_all([records.target_row(one, device) for one in (newer, other)])
        session.execute(update(tables.Target).values(device_id=device.id))
    one = PredictorCatalogue(database)
    assert one.predictors_of(newer.id).carried is None
    base = add_base(database, 1.0)
    activate(database, base, 3.0)
    carried = one.predictors_of(newer.id).carried
    assert carried is not None
    assert (carried.id, carried.adapted, carried.support) == (f"{CARRIED}{TARGET.id}", False, (1, 2))
    query = Query(target=newer, graph=load_graph(model(4)))
    expected = fitted(3.0).predict([Query(target=TARGET, graph=query.graph)]).median_ms
    assert np.allclose(carried.predictor.predict([query]).median_ms, expected)
    assert one.predictors_of(newer.id).carried is carried  # what was remembered of it stays valid
    assert one.predictors_of(TARGET.id).carried is None
    activate(database, base, 4.0)
    assert one.predictors_of(newer.id).carried is not carried
