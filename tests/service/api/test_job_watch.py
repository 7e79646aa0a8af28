"""Readers of events share their looks at the database."""

import asyncio
from collections.abc import Collection

import pytest

from latcast.errors import AuthenticationError, NotFoundError
from service.api import views
from service.api.door.pools import Pool
from service.api.job_watch import JobWatch, Look, look_at
from service.db.session import Database
from service.fleet import access
from service.fleet.access import Principal
from service.jobs import queue
from service.jobs.payloads import AdaptPayload
from service.jobs.payloads import Pool as NetworkPool
from service.settings import Settings


def watch_of(database: Database, looks: list[tuple[set[str], set[str]]]) -> JobWatch:
    def look(job_ids: Collection[str], key_ids: Collection[str]) -> Look:
        looks.append((set(job_ids), set(key_ids)))
        return look_at(database, Settings(), job_ids, key_ids)

    return JobWatch(look, pool=Pool("look-ups", setting="max_read_calls", places=2, patience_s=5.0), pause_s=0.001)


def new_jobs(database: Database, count: int) -> list[str]:
    payload = AdaptPayload(samples=3, sampler="random", pool=NetworkPool(space=(), graphs=()), settings={}, seed=0)
    with database.write.begin() as session:
        return [queue.enqueue(session, payload, max_attempts=3).id for _ in range(count)]


def test_one_look_serves_all_readers(database: Database) -> None:
    ids, looks = new_jobs(database, 3), []
    watch = watch_of(database, looks)

    async def read() -> list[str]:
        readers = [watch.next(ids[place % 3], Principal()) for place in range(30)]
        return [job.id for job in await asyncio.gather(*readers)]

    assert asyncio.run(read()) == [ids[place % 3] for place in range(30)]
    assert looks == [(set(ids), set())]


def test_a_look_sees_what_a_single_look_up_sees(database: Database) -> None:
    (parent, other) = new_jobs(database, 2)
    payload = AdaptPayload(samples=3, sampler="random", pool=NetworkPool(space=(), graphs=()), settings={}, seed=0)
    with database.write.begin() as session:
        for _ in range(3):
            queue.enqueue(session, payload, max_attempts=3, parent_id=parent)
        queue.lease(session, kinds=[payload.kind], worker=queue.Worker(process="p"), lease_seconds=60.0)
    look = look_at(database, Settings(), [parent, other, "none"], [])
    with database.read() as session:
        for job_id in (parent, other):
            assert look.jobs[job_id] == views.job_out(session, queue.find(session, job_id), Settings())
    assert set(look.jobs) == {parent, other}
    assert sum(look.jobs[parent].children.values()) == 3


def test_who_has_no_valid_key_or_job_is_told(database: Database) -> None:
    (job_id,) = new_jobs(database, 1)
    with database.write.begin() as session:
        good, _ = access.create_key(session, scope="admin")
        revoked, _ = access.create_key(session, scope="client")
        access.revoke_key(session, revoked.id)
        good_id, revoked_id = good.id, revoked.id
    watch = watch_of(database, [])

    async def read() -> list[object]:
        callers = [(job_id, good_id), (job_id, revoked_id), ("none", good_id), (job_id, None)]
        readers = [watch.next(job, Principal(key_id=key)) for job, key in callers]
        return list(await asyncio.gather(*readers, return_exceptions=True))

    first, second, third, last = asyncio.run(read())
    assert isinstance(second, AuthenticationError)
    assert isinstance(third, NotFoundError)
    assert first == last


def test_a_look_that_fails_fails_its_readers_and_no_later_ones(database: Database) -> None:
    (job_id,) = new_jobs(database, 1)
    watch = watch_of(database, [])
    look = watch.look

    def fail(_jobs: Collection[str], _keys: Collection[str]) -> Look:
        raise OSError("away")

    async def read() -> str:
        watch.look = fail
        with pytest.raises(OSError, match="away"):
            await watch.next(job_id, Principal())
        watch.look = look
        gone = asyncio.create_task(watch.next(job_id, Principal()))
        await asyncio.sleep(0)
        gone.cancel()
        return (await watch.next(job_id, Principal())).id

    assert asyncio.run(read()) == job_id


def test_looking_ends_with_the_last_reader(database: Database) -> None:
    (job_id,) = new_jobs(database, 1)
    looks: list[tuple[set[str], set[str]]] = []
    watch = watch_of(database, looks)

    async def read() -> None:
        await watch.next(job_id, Principal())
        await asyncio.sleep(0.05)
        assert len(looks) == 1
        await watch.next(job_id, Principal())

    asyncio.run(read())
    assert len(looks) == 2
