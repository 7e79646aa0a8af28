"""Kept columns: the same while nothing is committed, new rows after a commit, and those that were taken away."""

import pytest
from sqlalchemy import delete

from service.db.tables import Measurement
from service.measurements import column_store
from tests.service.helpers import TARGET, World, add_row


def test_columns_follow_the_database(measured: World, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = measured.app.state.parts
    parts.changes.look()
    first = parts.columns.of(TARGET.id)
    graph = measured.graph(12)
    parts.changes.look()
    assert parts.columns.of(TARGET.id) is first
    add_row(measured, graph, median_ms=12.0)
    parts.changes.look()
    assert len(parts.columns.of(TARGET.id)) == len(first) + 1
    monkeypatch.setattr(column_store, "RECOUNT_S", -1.0)
    with measured.database.write.begin() as session:
        session.execute(delete(Measurement).where(Measurement.failure_stage.is_not(None)))
    parts.changes.look()
    assert len(parts.columns.of(TARGET.id)) == len(first)
