"""Lists, charts and files of the rows that a filter leaves."""

import csv
import io
from typing import Any

import pyarrow.parquet as pq
import pytest

from latcast.schema import JobKind
from service.db import tables
from tests.service.helpers import TARGET, World, add_row

PATH = f"/v1/targets/{TARGET.id}"


def rows(world: World, **query: Any) -> list[float | None]:
    answer = world.http.get(f"{PATH}/rows", params=query)
    assert answer.status_code == 200, answer.text
    return [row["median_ms"] and round(row["median_ms"], 1) for row in answer.json()["items"]]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"sort": "id"}, [1.0, 2.0, 3.0, 4.0, 5.0, 30.0, None]),
        ({"sort": "-ms", "limit": 3}, [30.0, 5.0, 4.0]),
        ({"sort": "-ms", "limit": 2, "offset": 5}, [1.0, None]),
        ({"sort": "ms", "ms_min": 1.5, "ms_max": 4.5}, [2.0, 3.0, 4.0]),
        ({"noisy": True}, [30.0]),
        ({"outcome": "failed"}, [None]),
        ({"outcome": "measured", "sort": "flops", "limit": 2}, [1.0, 2.0]),
        ({"operator": "MatMul", "sort": "id", "limit": 1}, [1.0]),
        ({"operator": ["MatMul", "Conv"]}, []),
        ({"q": "g1-", "sort": "id", "limit": 1}, [1.0]),
        ({"q": "%"}, []),
        ({"family": "zoo/mobile"}, []),
        ({"graph": "g1-none"}, []),
    ],
)
def test_rows_are_filtered_sorted_and_paged(measured: World, query: dict[str, Any], expected: list[Any]) -> None:
    assert rows(measured, **query) == [value and pytest.approx(value, abs=0.11 * value) for value in expected]


def test_rows_are_filtered_by_who_reported_them_and_for_which_job(measured: World) -> None:
    first = measured.http.get(f"{PATH}/rows", params={"sort": "id", "limit": 1}).json()["items"][0]
    add_row(measured, measured.graph(11), median_ms=11.0)
    with measured.database.write.begin() as session:
        parent = tables.Job(kind=JobKind.ADAPT, payload={}, max_attempts=1)
        session.add(parent)
        session.flush()
        session.get_one(tables.Job, first["job"]).parent_id = parent_id = parent.id
    measured.app.state.parts.changes.look()
    assert rows(measured, source=first["agent"], sort="-ms", limit=1) == [pytest.approx(30.0, rel=0.2)]
    assert rows(measured, source="none") == [11.0]
    assert len(rows(measured, source=["none", first["agent"]])) == 8
    assert rows(measured, source="nobody") == []
    assert rows(measured, job=first["job"]) == rows(measured, job=parent_id) == [pytest.approx(1.0, rel=0.2)]
    assert rows(measured, job="none") == []
    facets = measured.http.get(f"{PATH}/bins", params={"outcome": "failed"}).json()["facets"]["source"]
    assert facets == [
        {"name": first["agent"], "label": "bench", "count": 1, "total": 7},
        {"name": "none", "label": "a public table, or unknown", "count": 0, "total": 1},
    ]
    for kind in ("csv", "parquet"):
        content = measured.http.get(f"{PATH}/rows.{kind}", params={"source": first["agent"]}).content
        lines = list(csv.DictReader(io.StringIO(content.decode()))) if kind == "csv" else read_parquet(content)
        assert {line["agent"] for line in lines} == {first["agent"]}
        assert lines[0]["job"] == first["job"]
        assert len(lines) == 7


def read_parquet(content: bytes) -> list[dict[str, Any]]:
    rows_: list[dict[str, Any]] = pq.read_table(io.BytesIO(content)).to_pylist()
    return rows_


def test_charts_are_sent_again_when_a_device_has_another_name(measured: World) -> None:
    first = measured.http.get(f"{PATH}/bins")
    device = measured.http.get("/v1/devices").json()["items"][0]["id"]
    measured.http.post(f"/v1/devices/{device}/rename", json={"name": "another"}).raise_for_status()
    again = measured.http.get(f"{PATH}/bins", headers={"if-none-match": first.headers["etag"]})
    assert again.json()["facets"]["source"][0]["label"] == "another"


def test_what_is_unknown_is_refused(measured: World) -> None:
    for query in ({"sort": "text"}, {"ms_min": "inf"}, {"outcome": "none"}, {"limit": 0}, {"offset": -1}):
        assert measured.http.get(f"{PATH}/rows", params=query).status_code == 422
    assert measured.http.get("/v1/targets/none/rows").status_code == 404


def test_bins_count_every_row_once(measured: World) -> None:
    answer = measured.http.get(f"{PATH}/bins", params={"ms_max": 4.5}).json()
    assert (answer["matched"], answer["total"], answer["failed"], answer["noisy"]) == (4, 7, 0, 0)
    ms, flops, *_ = answer["histograms"]
    assert (ms["quantity"], ms["logarithmic"]) == ("ms", True)
    assert (sum(ms["counts"]), sum(ms["totals"]), ms["unknown"]) == (4, 6, 0)
    assert len(ms["edges"]) == len(ms["counts"]) + 1
    assert ms["edges"][0] < ms["edges"][-1]
    assert sum(flops["totals"]) == 7
    assert len(answer["scatter"]["points"]) == 4
    assert sum(answer["series"]["counts"]) == 4
    assert answer["facets"]["operator"] == [{"name": "MatMul", "label": None, "count": 4, "total": 7}]


def test_an_unchanged_state_is_not_sent_again_and_new_rows_are_seen_at_once(measured: World) -> None:
    first = measured.http.get(f"{PATH}/bins")
    assert first.headers["cache-control"] == "private, no-cache"
    known = {"if-none-match": first.headers["etag"]}
    assert measured.http.get(f"{PATH}/bins", headers=known).status_code == 304
    assert measured.http.get(f"{PATH}/bins", params={"noisy": True}, headers=known).status_code == 200
    add_row(measured, measured.graph(11), median_ms=11.0)
    measured.app.state.parts.changes.look()
    again = measured.http.get(f"{PATH}/bins", headers=known)
    assert again.json()["total"] == first.json()["total"] + 1


def test_files_have_what_the_filter_leaves(measured: World) -> None:
    table = measured.http.get(f"{PATH}/rows.csv", params={"noisy": True})
    assert len(table.text.splitlines()) == 2
    failed = measured.http.get(f"{PATH}/rows.csv", params={"outcome": "failed"}).text
    assert "'=cmd|" in failed
    parquet = measured.http.get(f"{PATH}/rows.parquet", params={"ms_max": 2.5})
    assert pq.read_table(io.BytesIO(parquet.content)).num_rows == 2
    assert "attachment" in parquet.headers["content-disposition"]
