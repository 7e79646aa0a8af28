"""Measurements in lists: sorted, filtered, page by page, each with its summary."""

import io
import tracemalloc
from collections.abc import Callable

import pytest

from latcast.schema import InputError
from service.fleet.targets import find_target
from service.measurements.export import write_parquet
from service.measurements.pages import Filter, iterate, page
from tests.service.helpers import TARGET, World, add_row, measurement


@pytest.mark.slow
@pytest.mark.parametrize("sort", ["id", "-id", "median_ms", "-median_ms"])
@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_pages_together_are_the_whole(measured: World, sort: str, limit: int) -> None:
    rows = list(measured.client.measurements(TARGET.id, sort=sort, limit=limit))
    name = sort.removeprefix("-")
    values = [row[name] for row in rows]
    assert values == sorted(values, reverse=sort.startswith("-"))
    assert len({row["id"] for row in rows}) == len(rows) == (7 if name == "id" else 6)


def test_filters(measured: World) -> None:
    def count(**filters: object) -> int:
        return len(list(measured.client.measurements(TARGET.id, **filters)))

    assert count(outcome="measured") == 6
    assert count(outcome="failed") == 1
    assert count(noisy=True) == 1
    assert count(graph=measured.graph(3)) == 2
    assert count(space="nasbench201") == 0


def test_cursors_are_checked(measured: World) -> None:
    page = measured.http.get(f"/v1/targets/{TARGET.id}/measurements?limit=2&sort=id").json()
    for cursor, sort in (("x", "id"), (page["next_cursor"], "-id"), ("W10=", "id"), ("bnVsbA==", "id")):
        with pytest.raises(InputError, match="cursor"):
            list(measured.client.measurements(TARGET.id, cursor=cursor, sort=sort))


def test_row_shows_its_summary_and_the_whole_record(measured: World) -> None:
    row = next(measured.client.measurements(TARGET.id, sort="id"))
    assert row["median_ms"] == pytest.approx(1.05)
    assert (row["samples"], row["peak_memory_bytes"], row["statistic"]) == (4, 1000, "samples")
    assert measured.http.get(f"/v1/measurements/{row['id']}").json()["summary"] == row
    assert measured.client.measurement(row["id"]) == measurement(row["graph"], ms=1.0)


ROWS, SAMPLES = 40, 50_000


@pytest.mark.slow
def test_long_rows_are_listed_and_exported_a_few_at_a_time(world: World) -> None:
    """Rows of before reports had limits: the samples of one take 2 MB once they are read."""
    world.agent()
    graph = world.graph()
    run = {"samples_ms": [1.5] * SAMPLES, "peak_memory_bytes": 7}
    for _ in range(ROWS):
        add_row(world, graph, median_ms=1.5, runs=[run])
    wanted = Filter(target_id=TARGET.id)
    with world.database.read() as session:
        target = find_target(session, TARGET.id)
        assert most_bytes(lambda: page(session, wanted, limit=100).items) < 20 * 2**20
        listed = page(session, wanted, limit=100).items
        assert [(row.samples, row.peak_memory_bytes) for row in listed] == [(SAMPLES, 7)] * ROWS
        assert most_bytes(lambda: write_parquet(session, target, iterate(session, wanted), io.BytesIO())) < 40 * 2**20


def most_bytes(call: Callable[[], object]) -> int:
    """The most memory that Python's objects took during a call."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
