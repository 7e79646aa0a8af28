"""Jobs by state: what may change is always as it is now, and a long count is made sparingly."""

import pytest

from latcast.schema import JobKind, JobState
from service.db import tables
from service.jobs import state_counts
from service.jobs.state_counts import JobCounts
from tests.service.helpers import World


def add(world: World, *states: JobState) -> None:
    with world.database.write.begin() as session:
        session.add_all(tables.Job(kind=JobKind.PROFILE, state=state, payload={}, max_attempts=1) for state in states)


def test_quick_counts_are_made_each_time_and_long_ones_once_in_a_while(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = JobCounts()
    add(world, JobState.QUEUED, JobState.DONE, JobState.CANCELLED)
    monkeypatch.setattr(state_counts, "QUICK_S", 3600.0)
    with world.database.read() as session:
        assert counts.of(session) == {"queued": 1, "done": 1, "cancelled": 1}
    add(world, JobState.DONE, JobState.FAILED)
    monkeypatch.setattr(state_counts, "QUICK_S", -1.0)
    monkeypatch.setattr(state_counts, "SPARING", 1e9)
    with world.database.read() as session:
        assert counts.of(session) == {"queued": 1, "done": 2, "failed": 1, "cancelled": 1}
    add(world, JobState.DONE, JobState.QUEUED, JobState.LEASED)
    with world.database.read() as session:
        assert counts.of(session) == {"queued": 2, "leased": 1, "done": 2, "failed": 1, "cancelled": 1}
