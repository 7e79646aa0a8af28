"""A key's jobs are counted against its limits, those that an adaptation will make included."""

import pytest
from sqlalchemy import update

from latcast.errors import ConflictError
from service.db.tables import Job
from tests.service.helpers import TARGET, World


def test_open_jobs_are_limited(keyed: tuple[World, dict[str, str]]) -> None:
    world, _ = keyed
    made = world.client.create_key("measure", max_open_jobs=3)
    tuner, graph = world.client_with(made["key"]), world.graph()
    jobs = tuner.profile(TARGET.id, graphs=[graph, graph])
    with pytest.raises(ConflictError, match=r"may have 3 jobs that wait .* it has 2, and 2 more"):
        tuner.profile(TARGET.id, graphs=[graph, graph])
    with pytest.raises(ConflictError, match="and 11 more"):
        tuner.adapt(TARGET.id, samples=10)
    tuner.cancel(jobs[0]["id"])
    assert len(tuner.profile(TARGET.id, graphs=[graph, graph])) == 2
    assert len(world.client.profile(TARGET.id, graphs=[graph] * 9)) == 9, "the admin's key has no limit"


def test_jobs_of_a_day_are_limited(keyed: tuple[World, dict[str, str]]) -> None:
    world, _ = keyed
    made = world.client.create_key("measure", max_jobs_per_day=2)
    tuner, graph = world.client_with(made["key"]), world.graph()
    for job in tuner.profile(TARGET.id, graphs=[graph, graph]):
        tuner.cancel(job["id"])
    with pytest.raises(ConflictError, match="2 jobs of the last 24 hours"):
        tuner.profile(TARGET.id, graphs=[graph])
    with world.database.write.begin() as session:
        session.execute(update(Job).values(created_unix_s=Job.created_unix_s - 86_401))
    assert tuner.profile(TARGET.id, graphs=[graph])
