"""Latencies of a target by network, as what was measured answers them."""

from dataclasses import replace

import pytest

from latcast.schema import from_plain
from service.measurements.lookup import GRAPHS, measured_latencies
from tests.service.helpers import OTHER_TARGET, TARGET, World, measurement


def test_measured_latency_prefers_quiet_rows_and_knows_default_feeds_only(measured: World) -> None:
    graphs = [measured.graph(width) for width in (1, 3, 9, 50)]
    with measured.database.read() as session:
        known = measured_latencies(session, TARGET, GRAPHS, [*graphs, "none"])
        assert measured_latencies(session, OTHER_TARGET, GRAPHS, graphs) == {}
    assert set(known) == set(graphs[:2])
    assert known[graphs[1]].median_ms == pytest.approx(3.15)
    assert known[graphs[1]].samples == 4


def test_measured_with_other_feeds_is_another_key(world: World) -> None:
    from latcast.schema import FeedSpec

    agent = world.agent()
    graph = world.graph()
    feed = FeedSpec(name="x", dtype="float32", shape=(1, 8), low=0.0, high=1.0)
    world.client.profile(TARGET.id, graphs=[graph], feeds=[feed])
    job = agent.lease(wait_s=0)
    assert job is not None
    assert [from_plain(FeedSpec, plain) for plain in job["feeds"]] == [feed]
    agent.result(job["id"], job["lease_token"], replace(measurement(graph), feeds=(feed,)))
    with world.database.read() as session:
        assert measured_latencies(session, TARGET, GRAPHS, [graph]) == {}
