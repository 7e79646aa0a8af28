"""Bins: every wanted row is counted once, edges stay, and quantiles are where they should be."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.measurements import bins
from service.measurements.selection import Selection
from tests.service.measurements.columns_made import made

ALL = np.ones(6, bool)


def test_a_histogram_has_the_edges_of_all_rows() -> None:
    columns = made([1.0, 2.0, 4.0, 8.0, 100.0, math.nan])
    some = np.array([True, True, False, False, False, True])
    whole, part = (bins.histogram(Selection(columns, mask), "ms") for mask in (ALL, some))
    assert whole.edges == part.edges
    assert whole.edges[0] == pytest.approx(1.0)
    assert whole.edges[-1] == pytest.approx(100.0)
    assert (sum(whole.counts), whole.unknown) == (5, 1)
    assert (sum(part.counts), sum(part.totals), part.unknown) == (2, 5, 1)


def test_one_value_alone_has_a_bin() -> None:
    assert sum(bins.histogram(Selection(made([3.0]), np.ones(1, bool)), "ms").counts) == 1
    assert sum(bins.histogram(Selection(made([math.nan]), np.ones(1, bool)), "ms").counts) == 0


def test_few_rows_are_points_and_many_are_a_density(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = made([1.0, 2.0, 4.0, 8.0, 100.0, math.nan])
    points = bins.scatter(Selection(columns, ALL)).points
    assert points is not None
    assert points[1] == (11, 1e7, 2.0, False)
    assert len(points) == 5
    monkeypatch.setattr(bins, "MOST_POINTS", 2)
    dense = bins.scatter(Selection(made([1.0, 2.0, 4.0, 8.0, 100.0, math.nan]), ALL))
    assert dense.points is None
    assert sum(map(sum, dense.counts)) == 5
    assert len(dense.x_edges) == len(dense.counts) + 1


def test_what_was_binned_of_all_rows_serves_again() -> None:
    columns = made([1.0, 2.0])
    both, other = (Selection(columns, np.ones(2, bool)) for _ in range(2))
    assert bins.scatter(both) is bins.scatter(other)
    assert both.counts("agent", lambda: columns.agent, 3) is other.counts("agent", lambda: columns.agent, 3)
    assert bins.scatter(Selection(columns, np.array([True, False]))).points == [(10, 1e6, 1.0, False)]


def test_series_tell_drift_and_leave_gaps() -> None:
    columns = made([1.0] * 6, noisy=[True] + [False] * 5)
    over = bins.series(Selection(columns, ALL))
    assert (sum(over.counts), sum(over.noisy)) == (6, 1)
    known = [value for value in over.sentinel_median_ms if value is not None]
    assert known == sorted(known)
    assert known[0] == pytest.approx(1.0, rel=0.01)
    assert known[-1] == pytest.approx(2.0, rel=0.01)
    assert None in over.sentinel_median_ms


def test_facets_count_names_of_networks() -> None:
    columns = made([1.0] * 6)
    found = bins.facets(Selection(columns, np.array([True] * 3 + [False] * 3)))
    assert [(facet.name, facet.count, facet.total) for facet in found["operator"]] == [("Relu", 3, 6), ("Conv", 2, 3)]
    assert {facet.name: facet.total for facet in found["family"]} == {"zoo/mobile": 3, "": 3}


@given(st.lists(st.tuples(st.sampled_from([math.nan, 0.0, 1e-3, 1.0, 3.0, 250.0]), st.booleans(), st.booleans())))
def test_every_chart_counts_the_wanted_rows(rows: list[tuple[float, bool, bool]]) -> None:
    columns = made([ms for ms, *_ in rows], noisy=[noisy for _, noisy, _ in rows])
    mask = np.array([wanted for *_, wanted in rows], bool)
    wanted, selection = int(mask.sum()), Selection(columns, mask)
    assert len(selection) == wanted
    for quantity in ("ms", "flops", "noise", "created"):
        found = bins.histogram(selection, quantity)
        values = getattr(columns, quantity)
        known = np.isfinite(np.log10(values, out=np.full(len(rows), -np.inf), where=values > 0))
        if quantity not in bins.LOGARITHMIC:
            known = np.isfinite(values)
        assert (sum(found.counts), found.unknown) == (int((known & mask).sum()), int((~known & mask).sum()))
        assert sum(found.totals) == int(known.sum())
        assert (len(found.counts), len(found.totals), len(found.edges)) == (bins.BINS, bins.BINS, bins.BINS + 1)
    over = bins.series(selection)
    assert (sum(over.counts), sum(over.noisy)) == (wanted, int((mask & columns.noisy).sum()))
    assert len(over.edges_unix_s) == len(over.counts) + 1
    for place, value in enumerate(over.sentinel_median_ms):
        assert (value is None) == (over.counts[place] == 0)
    for kind in ("family", "space", "source"):
        assert sum(facet.count for facet in bins.facets(selection)[kind]) == wanted
        assert sum(facet.total for facet in bins.facets(selection)[kind]) == len(rows)
    points = bins.scatter(selection).points
    assert points is not None
    assert [row for row, *_ in points] == [10 + place for place in np.flatnonzero(mask & (columns.ms > 0))]


def test_a_histogram_has_each_value_between_its_edges() -> None:
    values = np.geomspace(0.01, 100.0, 997)
    columns = made(values.tolist())
    some = np.arange(997) % 3 > 0
    for quantity in ("ms", "created"):
        found = bins.histogram(Selection(columns, some), quantity)
        expected, _ = np.histogram(getattr(columns, quantity)[some], np.array(found.edges) * (1 - 1e-12))
        assert np.abs(np.array(found.counts) - expected).max() <= 1, "a value on an edge may lie on either side"
