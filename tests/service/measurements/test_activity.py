"""Counts of measurements: whole once, then by what was added."""

import pytest

from service.measurements import activity
from service.measurements.activity import Activity
from tests.service.helpers import TARGET, World, add_row


def totals(world: World, counted: Activity) -> tuple[int, int, int]:
    with world.database.read() as session:
        counts = counted.counts(session, hours=3)
    assert len(counts.hours) == 3
    assert counts.hours[0].at_unix_s < counts.hours[1].at_unix_s
    return counts.measured, counts.noisy, counts.failed


def test_what_was_added_is_counted_once(measured: World) -> None:
    counted = Activity()
    assert totals(measured, counted) == (6, 1, 1)
    assert totals(measured, counted) == (6, 1, 1)
    add_row(measured, measured.graph(4), median_ms=1.0, noisy=True)
    assert totals(measured, counted) == (7, 2, 1)


def test_what_is_older_than_the_newest_ids_is_counted_once(measured: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activity, "NEWEST", 2)
    counted = Activity()
    assert totals(measured, counted) == (6, 1, 1)
    add_row(measured, measured.graph(4), id=1001, median_ms=1.0)
    assert totals(measured, counted) == (7, 1, 1)
    add_row(measured, measured.graph(4), id=1000, median_ms=1.0)  # a writer beside the other commits later
    assert totals(measured, counted) == (8, 1, 1)
    assert 0 < counted._counted.last_id < 1000


def test_rows_of_hidden_targets_do_not_count(measured: World) -> None:
    counted = Activity()
    assert totals(measured, counted) == (6, 1, 1)
    assert measured.http.delete(f"/v1/targets/{TARGET.id}").status_code == 200
    assert totals(measured, counted) == (0, 0, 0)
    assert measured.http.post(f"/v1/targets/{TARGET.id}/show").status_code == 200
    assert totals(measured, counted) == (6, 1, 1)


def test_all_is_counted_anew_after_a_while(measured: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activity, "NEWEST", 0)
    counted = Activity()
    assert totals(measured, counted) == (6, 1, 1)
    counted._counted.hours.clear()
    assert totals(measured, counted) == (0, 0, 0)
    monkeypatch.setattr(activity, "RECOUNT_S", -1.0)
    assert totals(measured, counted) == (6, 1, 1)
