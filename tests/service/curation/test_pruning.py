"""What was hidden is deleted for good, with all that refers to it; samples go and their summaries stay."""

import time

import pytest
from sqlalchemy import func, select

from latcast.errors import NotFoundError
from service.curation.pruning import prune
from service.db import tables
from service.db.integrity import look
from service.db.visibility import ALL_ROWS
from service.learning import datasets
from tests.service.helpers import OTHER_TARGET, TARGET, World


def count(world: World, table: type) -> int:
    with world.database.read() as session:
        return session.scalar(select(func.count()).select_from(table), execution_options=ALL_ROWS) or 0


def problems(world: World) -> list[str]:
    with world.database.engine.connect() as connection:
        return list(look(connection).problems)


def test_hidden_rows_go_after_their_time(measured: World) -> None:
    first = next(iter(measured.client.measurements(TARGET.id, sort="id")))["id"]
    measured.client.hide_measurements(ids=[first])
    before = count(measured, tables.Measurement), count(measured, tables.KernelMeasurement)
    assert prune(measured.database, hidden_before_unix_s=1.0).rows["measurement"] == 0
    later = time.time() + 1
    assert prune(measured.database, hidden_before_unix_s=later, dry_run=True).rows["measurement"] == 1
    assert count(measured, tables.Measurement) == before[0]
    assert prune(measured.database, hidden_before_unix_s=later).rows["measurement"] == 1
    after = count(measured, tables.Measurement), count(measured, tables.KernelMeasurement)
    assert after == (before[0] - 1, before[1] - 1)
    with pytest.raises(NotFoundError):
        measured.client.measurement(first)
    assert problems(measured) == []


def test_a_device_goes_with_all_that_is_its(measured: World) -> None:
    graph = measured.graph(1)
    measured.client.hide("graphs", graph)
    measured.client.hide("devices", "bench")
    gone = prune(measured.database, hidden_before_unix_s=time.time() + 1).rows
    assert (gone["device"], gone["target"], gone["graph"], gone["measurement"]) == (1, 2, 1, 7)
    for table in (tables.Device, tables.Target, tables.Agent, tables.Attempt, tables.Job, tables.Measurement):
        assert count(measured, table) == 0
    assert count(measured, tables.Graph) > 0
    assert problems(measured) == []
    measured.agent([TARGET, OTHER_TARGET])
    assert len(measured.client.targets()) == 2


def test_summaries_outlive_samples(measured: World) -> None:
    rows = list(measured.client.measurements(TARGET.id, sort="id"))
    with measured.database.read() as session:
        before = datasets.load_dataset(session, target_id=TARGET.id)
    assert prune(measured.database, samples_before_unix_s=1.0).samples == 0
    assert prune(measured.database, samples_before_unix_s=time.time() + 1, dry_run=True).samples == 6
    assert prune(measured.database, samples_before_unix_s=time.time() + 1).samples == 6
    assert prune(measured.database, samples_before_unix_s=time.time() + 1).samples == 0
    assert list(measured.client.measurements(TARGET.id, sort="id")) == rows
    record = measured.client.measurement(rows[0]["id"])
    assert (record.samples_ms, record.summary, record.kernels is not None) == ((), None, True)
    with measured.database.read() as session:
        after = datasets.load_dataset(session, target_id=TARGET.id)
    assert (after.latency_ms == before.latency_ms).all()
    assert before.noise_log is not None
    assert after.noise_log is not None
    assert (after.noise_log == before.noise_log).all()
