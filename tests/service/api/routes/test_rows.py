"""Lists, charts and files of the rows that a filter leaves."""

import io
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.service.helpers import TARGET, World, add_row

PATH = f"/v1/targets/{TARGET.id}"


def rows(world: World, **query: Any) -> list[float | None]:
    answer = world.http.get(f"{PATH}/rows", params=query)
    assert answer.status_code == 200, answer.text
    return [row["median_ms"] and round(row["median_ms"], 1) for row in answer.json()["items"]]


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
    assert answer["facets"]["operator"] == [{"name": "MatMul", "count": 4, "total": 7}]


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
