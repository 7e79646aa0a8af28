"""Jobs are checked as far as can be before they are queued."""

from collections.abc import Callable
from typing import Any

import pytest

from latcast.errors import ConflictError, NotFoundError
from latcast.schema import FeedSpec, InputError, JobKind, JobState, Target, UnknownNameError
from service.db import records
from service.jobs import queue, submission
from service.jobs.payloads import AdaptPayload, Pool, ProfilePayload, parsed
from tests.service.helpers import CELL, DEVICE, OTHER_TARGET, TARGET, DirectReader, World

COLUMN = Target(device="phone", backend="table", origin="somewhere", options={"space": "nasbench201"})


def profile(world: World, **request: Any) -> list[Any]:
    wanted = {"target_id": TARGET.id, "graph_hashes": [], **request}
    return submission.profile(world.database, world.settings, DirectReader(), **wanted)


def adapt(world: World, target: Target = TARGET, **fields: Any) -> Any:
    payload = AdaptPayload(**{"samples": 2, "sampler": "random", **fields})
    return submission.adapt(world.database, world.settings, target_id=target.id, payload=payload)


def queued(world: World) -> int:
    return len(list(world.client.jobs()))


def test_there_is_one_job_for_each_graph_and_architecture_in_order(world: World) -> None:
    world.agent()
    graph = world.graph()
    feed = FeedSpec(name="x", dtype="float32", shape=(1, 8))
    jobs = profile(
        world,
        graph_hashes=[graph, graph],
        architectures=[("nasbench201", CELL)],
        overrides={"processes": 3},
        feeds=[feed],
    )
    assert [job.graph_hash for job in jobs[:2]] == [graph, graph]
    assert world.client.graph(jobs[2].graph_hash)["architecture"] == {"space": "nasbench201", "text": CELL}
    assert {(job.kind, job.state) for job in jobs} == {(JobKind.PROFILE, JobState.QUEUED)}
    payload = parsed(ProfilePayload, jobs[0])
    assert (payload.settings.backend, payload.settings.processes, payload.feeds) == ("fake", 3, (feed,))


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (profile, InputError, "at least one graph"),
        (lambda world: profile(world, graph_hashes=["g1-none"]), NotFoundError, "g1-none"),
        (lambda world: profile(world, target_id="none", graph_hashes=["g"]), NotFoundError, "no target 'none'"),
        (lambda world: profile(world, architectures=[("nowhere", CELL)]), UnknownNameError, "nowhere"),
        (lambda world: adapt(world, sampler="nobody"), UnknownNameError, "nobody"),
        (lambda world: adapt(world, pool=Pool(space=("nowhere",))), UnknownNameError, "nowhere"),
        (lambda world: adapt(world, pool=Pool(space=("zoo",), graphs=("g",))), InputError, "not both"),
        (lambda world: adapt(world, pool=Pool(graphs=("g1-none",))), NotFoundError, "g1-none"),
        (lambda world: adapt(world, OTHER_TARGET), NotFoundError, "no target"),
    ],
)
def test_what_cannot_be_done_is_refused_and_nothing_is_queued(
    world: World, make: Callable[[World], Any], error: type[Exception], said: str
) -> None:
    world.agent()
    with pytest.raises(error, match=said):
        make(world)
    assert queued(world) == 0


def test_a_target_that_nobody_offers_is_neither_measured_nor_adapted_to(world: World) -> None:
    world.agent()
    graph = world.graph()
    world.client.register(DEVICE, [OTHER_TARGET])
    for make in (lambda: profile(world, graph_hashes=[graph]), lambda: adapt(world)):
        with pytest.raises(ConflictError, match="no longer offers"):
            make()
    assert queued(world) == 0


def test_a_column_of_a_table_can_be_adapted_to_but_not_measured_on(world: World) -> None:
    graph = world.graph()
    with world.database.write.begin() as session:
        session.add(records.target_row(COLUMN, None))
    job = adapt(world, COLUMN)
    with world.database.read() as session:
        assert queue.find(session, job.id).target_id == COLUMN.id
    with pytest.raises(ConflictError, match="column of a public table"):
        profile(world, target_id=COLUMN.id, graph_hashes=[graph])
