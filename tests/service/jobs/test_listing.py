"""Jobs in lists: newest first, by what is asked of them, page by page."""

import pytest

from latcast.schema import InputError, JobKind, JobState
from service.jobs import queue
from service.jobs.listing import jobs_page
from tests.service.helpers import OTHER_TARGET, TARGET, World


@pytest.fixture
def jobs(world: World) -> list[str]:
    """Ids of jobs, oldest first: three of a target, of which the first is cancelled, and one of another target."""
    world.agent([TARGET, OTHER_TARGET])
    graphs = [world.graph(width) for width in (4, 5, 6)]
    made = world.client.profile(TARGET.id, graphs=graphs) + world.client.profile(OTHER_TARGET.id, graphs=graphs[:1])
    world.client.cancel(made[0]["id"])
    return [job["id"] for job in made]


def test_jobs_are_listed_newest_first_and_page_by_page(world: World, jobs: list[str]) -> None:
    with world.database.read() as session:
        first = jobs_page(session, limit=3)
        second = jobs_page(session, limit=3, cursor=first.next_cursor)
        with pytest.raises(InputError, match="cursor"):
            jobs_page(session, limit=3, cursor=jobs[0])
    assert [job.id for page in (first, second) for (job,) in page.items] == jobs[::-1]
    assert second.next_cursor is None


def test_jobs_are_told_apart_by_state_target_kind_and_parent(world: World, jobs: list[str]) -> None:
    def listed(**wanted) -> list[str]:
        with world.database.read() as session:
            return [job.id for (job,) in jobs_page(session, limit=10, **wanted).items]

    assert listed(state=JobState.CANCELLED) == jobs[:1]
    assert listed(target=OTHER_TARGET.id) == jobs[3:]
    assert listed(target=TARGET.id, state=JobState.QUEUED) == [jobs[2], jobs[1]]
    assert listed(kind=JobKind.ADAPT) == []
    with world.database.write.begin() as session:
        queue.find(session, jobs[1]).parent_id = jobs[3]
    assert listed(parent=jobs[3]) == [jobs[1]]
