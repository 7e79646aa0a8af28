"""Kept columns: the same while nothing is committed, new rows after a commit, and those that were taken away."""

import pytest
from sqlalchemy import delete

from service.db.tables import Architecture, Measurement
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


def test_a_network_that_is_named_later_is_in_its_family(measured: World, monkeypatch: pytest.MonkeyPatch) -> None:
    path = f"/v1/targets/{TARGET.id}"
    monkeypatch.setattr(column_store, "RECOUNT_S", -1.0)
    before = measured.http.get(f"{path}/bins")
    graph = measured.http.get(f"{path}/rows").json()["items"][0]["graph"]
    assert [facet["name"] for facet in before.json()["facets"]["family"]] == [""]
    with measured.database.write.begin() as session:
        session.add(Architecture(space="zoo", text="mobile/width=16", graph_hash=graph))
    measured.app.state.parts.changes.look()
    after = measured.http.get(f"{path}/bins", headers={"if-none-match": before.headers["etag"]})
    assert {facet["name"] for facet in after.json()["facets"]["family"]} == {"", "zoo/mobile"}
    found = measured.http.get(f"{path}/rows", params={"family": "zoo/mobile"}).json()["items"]
    assert {row["graph"] for row in found} == {graph}
