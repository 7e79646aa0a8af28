"""Bins: every wanted row is counted once, edges stay, and quantiles are where they should be."""

import math

import numpy as np
import pytest

from service.measurements import bins
from tests.service.measurements.columns_made import made

ALL = np.ones(6, bool)


def test_a_histogram_has_the_edges_of_all_rows() -> None:
    columns = made([1.0, 2.0, 4.0, 8.0, 100.0, math.nan])
    some = np.array([True, True, False, False, False, True])
    whole, part = (bins.histogram(columns, mask, "ms") for mask in (ALL, some))
    assert whole.edges == part.edges
    assert whole.edges[0] == pytest.approx(1.0)
    assert whole.edges[-1] == pytest.approx(100.0)
    assert (sum(whole.counts), whole.unknown) == (5, 1)
    assert (sum(part.counts), sum(part.totals), part.unknown) == (2, 5, 1)


def test_one_value_alone_has_a_bin() -> None:
    assert sum(bins.histogram(made([3.0]), np.ones(1, bool), "ms").counts) == 1
    assert sum(bins.histogram(made([math.nan]), np.ones(1, bool), "ms").counts) == 0


def test_few_rows_are_points_and_many_are_a_density(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = made([1.0, 2.0, 4.0, 8.0, 100.0, math.nan])
    points = bins.scatter(columns, ALL).points
    assert points is not None
    assert points[1] == (11, 1e7, 2.0, False)
    assert len(points) == 5
    monkeypatch.setattr(bins, "MOST_POINTS", 2)
    dense = bins.scatter(made([1.0, 2.0, 4.0, 8.0, 100.0, math.nan]), ALL)
    assert dense.points is None
    assert sum(map(sum, dense.counts)) == 5
    assert len(dense.x_edges) == len(dense.counts) + 1


def test_what_was_binned_of_all_rows_serves_again() -> None:
    columns = made([1.0, 2.0])
    both = np.ones(2, bool)
    assert bins.scatter(columns, both) is bins.scatter(columns, both)
    assert bins.series(columns, both) is bins.series(columns, both)
    assert bins.scatter(columns, np.array([True, False])).points == [(10, 1e6, 1.0, False)]


def test_series_tell_drift_and_leave_gaps() -> None:
    columns = made([1.0] * 6, noisy=[True] + [False] * 5)
    over = bins.series(columns, ALL)
    assert (sum(over.counts), sum(over.noisy)) == (6, 1)
    known = [value for value in over.sentinel_median_ms if value is not None]
    assert known == sorted(known)
    assert known[0] == pytest.approx(1.0, rel=0.01)
    assert known[-1] == pytest.approx(2.0, rel=0.01)
    assert None in over.sentinel_median_ms


def test_facets_count_names_of_networks() -> None:
    columns = made([1.0] * 6)
    found = bins.facets(columns, np.array([True] * 3 + [False] * 3))
    assert [(facet.name, facet.count, facet.total) for facet in found["operator"]] == [("Relu", 3, 6), ("Conv", 2, 3)]
    assert {facet.name: facet.total for facet in found["family"]} == {"zoo/mobile": 3, "": 3}
