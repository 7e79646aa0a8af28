"""Drift is the sentinel's latest time over its earlier one, of targets that were measured often enough."""

import pytest

from service.fleet.drift import drifts
from tests.service.helpers import TARGET, World, add_row


def test_the_latest_rows_are_compared_with_those_before(world: World) -> None:
    world.agent()
    graph = world.graph()
    for ms in (2.0,) * 14:
        add_row(world, graph, median_ms=1.0, sentinel_median_ms=ms)
    with world.database.read() as session:
        assert drifts(session) == {}  # too few
    add_row(world, graph, median_ms=1.0, sentinel_median_ms=None)
    for ms in (1.0, 3.0, 3.0, 3.0, 9.0):
        add_row(world, graph, median_ms=1.0, sentinel_median_ms=ms)
    with world.database.read() as session:
        assert drifts(session) == {TARGET.id: pytest.approx(0.5)}
