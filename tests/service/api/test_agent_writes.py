"""Leases and reports of agents that call at the same time are one transaction, and each agent gets its own answer."""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from sqlalchemy import select

from latcast.errors import AuthenticationError, LeaseLostError
from latcast.schema import JobState, LatcastError, Target
from service.api import schemas
from service.api.agent_writes import AgentWrites
from service.db import records, tables
from service.db.session import Database
from service.fleet import access
from service.fleet.access import Principal
from service.fleet.signs_of_life import SignsOfLife
from service.graphs import store
from service.jobs import queue
from service.jobs.reports import Report
from tests.service.helpers import DEVICE, TARGET, DirectReader, measurement, model, transactions
from tests.service.jobs.test_queue_states import GRAPH, MEASURE, new_caller

AGENTS, JOBS_EACH = 16, 2
LEASE_STATEMENTS, REPORT_STATEMENTS = AGENTS + 2, 8
"""Of leases: keys, a job for each, attempts. Of reports: see `test_reports_together`."""


@dataclass
class Farm:
    """Devices with an agent each, and what their calls write."""

    database: Database
    writes: AgentWrites
    callers: Sequence[Principal]
    targets: Sequence[Target]

    def at_once(self, *calls: Awaitable[Any]) -> list[Any]:
        """What calls answer, or raise, that come before any of them is looked at."""

        async def run() -> list[Any]:
            with self.writes._together._changed:
                tasks = [asyncio.ensure_future(call) for call in calls]
                await asyncio.sleep(0)
            return await asyncio.gather(*tasks, return_exceptions=True)

        return asyncio.run(run())

    def report(self, number: int, job: schemas.LeaseOut) -> Report:
        outcome = measurement(job.graph, target=self.targets[number])
        device_id = self.callers[number].device_id
        return Report(job_id=job.id, lease_token=job.lease_token, outcome=outcome, device_id=device_id)


@pytest.fixture
def farm(database: Database) -> Any:
    callers, targets = [], []
    with database.write.begin() as session:
        store.save(session, store.prepare(DirectReader(), model()))
        for number in range(AGENTS):
            device = records.device_row(replace(DEVICE, fingerprint=f"machine-{number}", name=f"bench-{number}"))
            session.add(device)
            session.flush()
            target = replace(TARGET, device=device.fingerprint)
            row = records.target_row(target, device)
            row.offered = True
            session.add(row)
            session.flush()
            callers.append(new_caller(session, device.id))
            targets.append(target)
            for _ in range(JOBS_EACH):
                queue.enqueue(session, MEASURE, max_attempts=3, target_id=target.id, graph_hash=GRAPH.hash)
    farm = Farm(database, AgentWrites(database, SignsOfLife(), lease_seconds=60.0), callers, targets)
    yield farm
    farm.writes.close()


def test_a_result_costs_two_transactions_of_all_agents_together(farm: Farm) -> None:
    """Leases are one, reports another one, and neither takes more statements for what many write than for what one
    does, but one for each job that is chosen.
    """
    farm.at_once(*map(farm.writes.lease, farm.callers))  # with signs of life
    done = transactions(farm.database)
    jobs = farm.at_once(*map(farm.writes.lease, farm.callers))
    assert len({job.id for job in jobs}) == AGENTS
    assert [len(statements) <= LEASE_STATEMENTS for statements in done] == [True], done
    sent = [farm.report(number, job) for number, job in enumerate(jobs)]
    receipts = farm.at_once(*map(farm.writes.take, sent))
    assert [receipt.state for receipt in receipts] == [JobState.DONE] * AGENTS
    assert [len(statements) <= REPORT_STATEMENTS for statements in done[1:]] == [True], done
    with farm.database.read() as session:
        rows = session.execute(select(tables.Measurement.id, tables.Measurement.job_id))
        assert {row.id: row.job_id for row in rows} == {each.measurement_id: each.job_id for each in receipts}


def test_leases_and_reports_of_one_moment_are_one_transaction(farm: Farm) -> None:
    jobs = farm.at_once(*map(farm.writes.lease, farm.callers))
    done = transactions(farm.database)
    reports = [farm.writes.take(farm.report(number, jobs[number])) for number in range(8)]
    answers = farm.at_once(*reports, *map(farm.writes.lease, farm.callers[8:]))
    assert len(done) == 1
    assert [each.state for each in answers[:8]] == [JobState.DONE] * 8
    assert all(isinstance(each, schemas.LeaseOut) for each in answers[8:])


def test_each_agent_gets_a_job_of_its_own_device_and_none_where_there_is_none(farm: Farm) -> None:
    same = [farm.callers[0]] * (JOBS_EACH + 1)
    *leased, nothing = farm.at_once(*map(farm.writes.lease, same))
    assert len({job.id for job in leased}) == JOBS_EACH
    assert nothing is None
    with farm.database.read() as session:
        targets = {session.get_one(tables.Job, job.id).target_id for job in leased}
    assert targets == {farm.targets[0].id}


def test_who_may_not_gets_nothing_and_the_others_do(farm: Farm) -> None:
    with farm.database.write.begin() as session:
        access.revoke_key(session, farm.callers[1].key_id or "")
    first, revoked, nobody, last = farm.at_once(
        *map(farm.writes.lease, [farm.callers[0], farm.callers[1], Principal(), farm.callers[2]])
    )
    assert isinstance(revoked, AuthenticationError)
    assert isinstance(nobody, AuthenticationError)
    assert {type(first), type(last)} == {schemas.LeaseOut}
    thief = replace(farm.report(0, first), device_id=farm.callers[2].device_id)
    refused, taken = farm.at_once(*map(farm.writes.take, [thief, farm.report(2, last)]))
    assert isinstance(refused, LeaseLostError)
    assert taken.state == JobState.DONE


def test_a_result_that_comes_twice_at_once_is_one_row(farm: Farm) -> None:
    (job,) = farm.at_once(farm.writes.lease(farm.callers[0]))
    report = farm.report(0, job)
    first, second = farm.at_once(farm.writes.take(report), farm.writes.take(report))
    assert first == second
    with farm.database.read() as session:
        assert len(session.scalars(select(tables.Measurement.id)).all()) == 1


def test_a_job_that_cannot_be_read_stays_and_the_others_are_leased(farm: Farm) -> None:
    with farm.database.write.begin() as session:
        for job in session.scalars(select(tables.Job).where(tables.Job.target_id == farm.targets[0].id)):
            job.payload = {"settings": "lost"}
    broken, good = farm.at_once(*map(farm.writes.lease, farm.callers[:2]))
    assert isinstance(broken, LatcastError)
    assert isinstance(good, schemas.LeaseOut)
    with farm.database.read() as session:
        states = session.scalars(select(tables.Job.state).where(tables.Job.target_id == farm.targets[0].id)).all()
    assert set(states) == {JobState.QUEUED}
