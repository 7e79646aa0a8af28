"""The data set of the repository is whole, small, and what its datasheet says."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pyarrow", reason="the extra [service] is not installed")

from predictors.data.measured import DATASHEET_FILE, MeasuredRow, read_about, read_rows, read_targets, to_dataset
from predictors.data.measured.datasheet import datasheet

DATA = Path(__file__).parents[4] / "benchmarks" / "data"
pytestmark = pytest.mark.skipif(not DATA.exists(), reason="the repository's data set is not in this checkout")
LARGEST_BYTES = 25_000_000


@pytest.fixture(scope="module")
def rows() -> list[MeasuredRow]:
    return read_rows(DATA)


def test_it_is_small() -> None:
    assert sum(path.stat().st_size for path in DATA.iterdir()) <= LARGEST_BYTES


def test_the_datasheet_is_computed_from_the_rows(rows: list[MeasuredRow]) -> None:
    assert (DATA / DATASHEET_FILE).read_text(encoding="utf-8") == datasheet(rows, read_targets(DATA), read_about(DATA))
    assert read_about(DATA).licence == "CC-BY-4.0"


def test_rows_make_sense(rows: list[MeasuredRow]) -> None:
    expected = {target.target.id for target in read_targets(DATA)}
    for row in rows:
        assert row.target in expected
        assert (row.latency_ms is None) == bool(row.failure_stage)
        if row.latency_ms is not None:
            assert row.p10_ms is not None
            assert row.p90_ms is not None
            assert 0 < row.p10_ms <= row.p90_ms
            assert row.noise_log is not None
            assert row.noise_log > 0
        if row.kernels:
            assert sum(kernel.share for kernel in row.kernels) == pytest.approx(1, abs=1e-3)


def test_graphs_are_still_those_that_were_measured(rows: list[MeasuredRow]) -> None:
    usable = [row for row in rows if row.latency_ms is not None and not row.stale]
    some = [usable[int(place)] for place in np.linspace(0, len(usable) - 1, 25)]
    data = to_dataset(some, read_targets(DATA))
    assert [query.graph.hash for query in data.queries] == [row.graph for row in some]
