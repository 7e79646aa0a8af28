"""No view of the dashboard reads every row of a big table, whatever its filter and order: by its statements' plans.

SQLite tells for each statement whether it scans a table, or searches or scans an index that has all it needs.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from typing import Any

import pytest
from sqlalchemy import event, text

from tests.service.helpers import OTHER_TARGET, TARGET, World, add_row

BIG = ("measurement", "kernel_measurement", "counter_reading", "attempt", "score")
"""Tables that grow with every measurement."""
ROWS = f"/v1/targets/{TARGET.id}/rows"
BINS = f"/v1/targets/{TARGET.id}/bins"
FILTERS: tuple[dict[str, Any], ...] = (
    {}, {"outcome": "measured"}, {"outcome": "failed"}, {"noisy": False}, {"family": "zoo/mobile"}, {"space": "zoo"},
    {"operator": "MatMul"}, {"ms_min": 1.5}, {"flops_max": 1e9}, {"noise_max": 0.5}, {"created_min": 1.0},
    {"graph": "{graph}"}, {"source": "none"}, {"job": "{job}"}, {"q": "g1-"}, {"q": "width"},
)  # fmt: skip
PARTS = ("", "/frontier", "/measurements?hidden=true", "/measurements?sort=-median_ms", "/quality")
SORTS = ("id", "-id", "ms", "-ms", "flops", "-flops", "noise", "-noise")


@contextmanager
def statements(world: World) -> Iterator[list[tuple[str, Any]]]:
    """What is asked of the database meanwhile."""
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.lstrip().upper().startswith(("SELECT", "WITH")):
            asked.append((statement, parameters))

    event.listen(world.database.engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(world.database.engine, "before_cursor_execute", note)


def scans(world: World, asked: list[tuple[str, Any]]) -> list[str]:
    """Lines of plans that read a whole big table or index, or sort what a page is taken of; with their statements."""
    found = []
    with world.database.engine.connect() as connection:
        for statement, parameters in dict.fromkeys((statement, tuple(parameters)) for statement, parameters in asked):
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
            found += [f"{row[-1]}: {statement}" for row in plan if _is_scan(row[-1], statement)]
    return found


def _is_scan(line: str, statement: str) -> bool:
    """A page of the newest rows of a table is read from its end, until it is full."""
    sorts = line == "USE TEMP B-TREE FOR ORDER BY" and " LIMIT " in statement and f"FROM {BIG[0]}" in statement
    scanned = line.split()[1] if line.startswith("SCAN") else ""
    return sorts or (scanned in BIG and not (f"ORDER BY {scanned}.id" in statement and " LIMIT " in statement))


@pytest.fixture
def warm(measured: World, database_url: str) -> World:
    """A world on SQLite whose lists, counts and charts were looked at once."""
    if not database_url.startswith("sqlite"):
        pytest.skip("the plans are SQLite's; both databases have the same indexes")
    for path in (ROWS, BINS, "/v1/overview", f"/v1/targets/{OTHER_TARGET.id}/bins"):
        measured.http.get(path).raise_for_status()
    return measured


def test_a_scan_is_noticed(warm: World) -> None:
    with statements(warm) as asked, warm.database.read() as session:
        session.execute(text("SELECT failure_message FROM measurement WHERE protocol_version = 1"))
    assert len(scans(warm, asked)) == 1


@pytest.mark.slow
def test_no_filter_and_no_order_scans(warm: World) -> None:
    first = warm.http.get(ROWS).json()["items"][0]
    with statements(warm) as asked:
        for wanted, sort in product(FILTERS, SORTS):
            query = {name: value.format(**first) if isinstance(value, str) else value for name, value in wanted.items()}
            warm.http.get(ROWS, params={**query, "sort": sort, "offset": 1}).raise_for_status()
        for wanted in FILTERS:
            query = {name: value.format(**first) if isinstance(value, str) else value for name, value in wanted.items()}
            for path in (BINS, f"{ROWS}.csv", f"{ROWS}.parquet"):
                warm.http.get(path, params=query).raise_for_status()
    assert asked
    assert scans(warm, asked) == []


def test_hidden_rows_have_an_index_of_their_own(warm: World) -> None:
    with statements(warm) as asked:
        warm.http.get(f"/v1/targets/{TARGET.id}/measurements?hidden=true").raise_for_status()
    with warm.database.engine.connect() as connection:
        plans = [
            str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text_}", values).all()) for text_, values in asked
        ]
    assert any("ix_measurement_hidden" in plan for plan in plans)


def test_a_measurement_is_read_once(warm: World) -> None:
    with statements(warm) as asked:
        warm.http.get("/v1/measurements/1").raise_for_status()
    assert sum("measurement.runs" in statement for statement, _ in asked) == 1


def test_no_view_scans_once_it_was_looked_at(warm: World) -> None:
    job = warm.http.get("/v1/jobs").json()["items"][0]
    paths = (
        "overview", "targets", "devices", "devices/bench", "measurements/1", "jobs", "jobs?kind=train",
        "jobs?state=failed", f"jobs?kind=adapt&target={TARGET.id}", f"jobs/{job['id']}", f"jobs/{job['id']}/children",
        f"compare?a={TARGET.id}&b={OTHER_TARGET.id}", f"graphs/{job['graph']}",
        *(f"targets/{TARGET.id}{part}" for part in PARTS),
    )  # fmt: skip
    add_row(warm, job["graph"], median_ms=1.0)
    warm.app.state.parts.changes.look()
    with statements(warm) as asked:
        for path in paths:
            warm.http.get(f"/v1/{path}").raise_for_status()
    assert scans(warm, asked) == []
