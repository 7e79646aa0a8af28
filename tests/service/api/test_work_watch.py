"""Agents that wait are woken by work for their device, and told when their key is revoked; one look serves all."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event

from latcast.errors import AuthenticationError
from latcast.schema import ProfileSettings
from service.api import shared_looks
from service.api.door.pools import Pool
from service.api.work_watch import WorkWatch
from service.db import records
from service.db.changes import Changes
from service.db.session import Database
from service.fleet import access
from service.fleet.access import Principal
from service.jobs import queue
from service.jobs.payloads import ProfilePayload
from tests.service.helpers import DEVICE, TARGET

PATIENCE_S = 60.0


@pytest.fixture
def callers(database: Database, monkeypatch: pytest.MonkeyPatch) -> list[Principal]:
    """Agents of three devices, each with a target of its own."""
    monkeypatch.setattr(shared_looks, "LONGEST_S", 1e9)
    agents = []
    with database.write.begin() as session:
        for number in range(3):
            device = session.merge(records.device_row(replace(DEVICE, fingerprint=f"m{number}", name=f"m{number}")))
            session.flush()
            session.merge(records.target_row(replace(TARGET, device=device.id), device)).offered = True
            key, _ = access.create_key(session, scope="agent")
            agents.append(Principal(scope="agent", key_id=key.id, device_id=device.id))
    return agents


def watch_of(database: Database) -> tuple[WorkWatch, Changes]:
    changes = Changes(database)
    changes.look()
    return WorkWatch(database, changes, pool=Pool("look-ups", setting="", places=1, patience_s=PATIENCE_S)), changes


def enqueue_for(database: Database, caller: Principal) -> None:
    with database.write.begin() as session:
        target = replace(TARGET, device=caller.device_id or "")
        queue.enqueue(session, ProfilePayload(settings=ProfileSettings(backend="fake")), max_attempts=3,
                      target_id=target.id)  # fmt: skip


async def waiting(
    database: Database, watch: WorkWatch, callers: Sequence[Principal]
) -> tuple[list["asyncio.Task[bool]"], list[str]]:
    """Those who wait, once a look saw nothing for them; and the looks at the queue, which may become more."""
    looks: list[str] = []

    def count(*sent: Any) -> None:
        looks.extend(statement for statement in sent[2:3] if "job" in statement)

    event.listen(database.engine, "before_cursor_execute", count)
    tasks = [asyncio.create_task(watch.comes_within(caller, PATIENCE_S)) for caller in callers]
    async with asyncio.timeout(PATIENCE_S):
        while not looks:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.3)
    assert not any(task.done() for task in tasks)
    return tasks, looks


def test_work_wakes_the_agents_of_its_device(database: Database, callers: list[Principal]) -> None:
    watch, changes = watch_of(database)

    async def wait() -> None:
        first, second, third = (await waiting(database, watch, callers))[0]
        enqueue_for(database, callers[1])
        changes.look()
        assert await second
        assert not first.done()
        assert not third.done()
        enqueue_for(database, callers[0])
        enqueue_for(database, callers[2])
        changes.look()
        assert await first
        assert await third

    asyncio.run(wait())
    changes.close()


def test_a_revoked_key_ends_the_wait(database: Database, callers: list[Principal]) -> None:
    watch, changes = watch_of(database)

    async def wait() -> None:
        first, second, third = (await waiting(database, watch, callers))[0]
        with database.write.begin() as session:
            access.revoke_key(session, callers[1].key_id or "")
        changes.look()
        with pytest.raises(AuthenticationError, match="revoked"):
            await second
        first.cancel()
        third.cancel()

    asyncio.run(wait())
    changes.close()


def test_many_who_wait_cost_one_look(database: Database, callers: list[Principal]) -> None:
    watch, changes = watch_of(database)

    async def wait() -> list[str]:
        tasks, looks = await waiting(database, watch, callers * 100)
        for task in tasks:
            task.cancel()
        return looks

    assert len(asyncio.run(wait())) == 1
    changes.close()


def test_nobody_waits_longer_than_asked(database: Database, callers: list[Principal]) -> None:
    watch, changes = watch_of(database)
    assert not asyncio.run(watch.comes_within(callers[0], 0.01))
    changes.close()
