"""Measurements that are written together come back as those that are written one by one."""

from dataclasses import replace

import pytest
from sqlalchemy import event, func, select
from sqlalchemy.exc import IntegrityError

from latcast.schema import Failure, Measurement
from service.db import records, tables
from service.db.measurement_rows import insert_measurements
from service.db.session import Database
from service.graphs import store
from tests.service.helpers import DEVICE, TARGET, DirectReader, measurement, model

PREPARED = store.prepare(DirectReader(), model())


@pytest.fixture
def sent(database: Database) -> list[Measurement]:
    with database.write.begin() as session:
        device = records.device_row(DEVICE)
        session.add(device)
        session.flush()
        session.add(records.target_row(TARGET, device))
        store.save(session, PREPARED)
    good = [measurement(PREPARED.hash, ms=1.0 + place) for place in range(5)]
    return [*good, replace(good[0], runs=(), failure=Failure(stage="run", message="It ended."))]


def _values(sent: list[Measurement]) -> list[records.MeasurementValues]:
    return [records.measurement_values(one, lease_token=f"token-{place}") for place, one in enumerate(sent)]


def test_rows_come_back_in_order_with_kernels_and_counters(database: Database, sent: list[Measurement]) -> None:
    with database.write.begin() as session:
        ids = insert_measurements(session, _values(sent))
    with database.read() as session:
        kept = [session.get_one(tables.Measurement, number) for number in ids]
        assert [records.measurement_record(row) for row in kept] == sent
        assert [row.lease_token for row in kept] == [f"token-{place}" for place in range(len(sent))]


def test_a_statement_for_each_table_however_many_there_are(database: Database, sent: list[Measurement]) -> None:
    said: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        said.append(statement.split()[2])

    with database.write.begin() as session:
        session.connection()
        event.listen(database.engine, "before_cursor_execute", note)
        try:
            assert insert_measurements(session, []) == []
            insert_measurements(session, _values(sent))
        finally:
            event.remove(database.engine, "before_cursor_execute", note)
    assert said == [
        each.__tablename__ for each in (tables.Measurement, tables.KernelMeasurement, tables.CounterReading)
    ]


def test_what_is_there_already_is_not_written_again(database: Database, sent: list[Measurement]) -> None:
    with database.write.begin() as session:
        insert_measurements(session, _values(sent[:2]))
    with pytest.raises(IntegrityError), database.write.begin() as session:
        insert_measurements(session, _values(sent))
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(tables.Measurement)) == 2
