"""The queue as a state machine: whatever agents, clocks and people do in whichever order, no job is lost, done twice or
stuck, and every row that was acknowledged is there.
"""

import shutil
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from latcast.errors import AuthenticationError, ConflictError, LeaseLostError
from latcast.schema import FINISHED_STATES, Failure, JobKind, JobState, LatcastError, LeaseOutcome, ProfileSettings
from profilers.onnx_graph import load_graph
from service.db import records, tables
from service.db.session import Database, create_engine_for
from service.fleet import access
from service.fleet.access import Principal
from service.graphs import store
from service.jobs import queue, reports
from service.jobs.payloads import AdaptPayload, ProfilePayload
from service.jobs.reports import Report
from service.settings import Settings
from tests.service.helpers import DEVICE, TARGET, DirectReader, measurement, model, run_sql

MEASURE = ProfilePayload(settings=ProfileSettings(backend="fake"))
ADAPT = AdaptPayload(samples=1, sampler="random")
LEASE_S, MAX_ATTEMPTS, AGENTS = 60.0, 3, 3
GRAPH = load_graph(model())
ANY = st.integers(0, 5)
"""Counted from the newest, so that what is met has just been touched."""
SERVICE, SERVICE_CALLER = queue.Worker(process="here:1"), Principal()


class Clock:
    """The time, as the queue is told it."""

    def __init__(self) -> None:
        self.now = time.time()

    def time(self) -> float:
        return self.now


@dataclass
class Lease:
    """What a worker knows of its lease, and what has to have come of it."""

    job: "Job"
    token: str
    deadline: float
    worker: int
    outcome: LeaseOutcome | None = None
    row: int | None = None
    """That was acknowledged."""


@dataclass
class Job:
    """What has to be true of a job."""

    id: str
    kind: JobKind
    parent: "Job | None" = None
    state: JobState = JobState.QUEUED
    attempts: int = 0
    leases: list[Lease] = field(default_factory=list)

    @property
    def is_finished(self) -> bool:
        return self.state in FINISHED_STATES

    def takes_reports_of(self, lease: Lease) -> bool:
        """A lease that ran out still delivers as long as nobody else got the job."""
        return (
            self.leases[-1] is lease and not self.is_finished and lease.outcome in (None, LeaseOutcome.EXPIRED)
        )  # fmt: skip

    def was_given_up_with(self, lease: Lease) -> bool:
        """Whether the job failed because this lease, the last one, ran out."""
        return self.leases[-1] is lease and self.state == JobState.FAILED and lease.outcome == LeaseOutcome.EXPIRED

    def takes_results_of(self, lease: Lease) -> bool:
        """A result is taken again, and after the job was given up, too."""
        return lease.outcome == LeaseOutcome.DONE or self.takes_reports_of(lease) or self.was_given_up_with(lease)


class QueueMachine(RuleBasedStateMachine):
    """Real functions over a real database, beside a model of them that is too simple to be wrong."""

    def __init__(self, database: Database, clock: Clock) -> None:
        super().__init__()
        self.database, self.clock = database, clock
        self.jobs: list[Job] = []
        self.leases: list[Lease] = []
        with self.database.write.begin() as session:
            self.callers = furnish(session)
        self.revoked: set[int] = set()

    # --- What happens -------------------------------------------------------------------------------------------

    @rule(count=st.integers(1, 3))
    def submit(self, count: int) -> None:
        with self.database.write.begin() as session:
            for _ in range(count):
                self._add(session, MEASURE)

    @rule(children=st.integers(0, 2))
    def submit_an_adaptation(self, children: int) -> None:
        with self.database.write.begin() as session:
            parent = self._add(session, ADAPT)
            for _ in range(children):
                self._add(session, MEASURE, parent)

    def _add(self, session: Session, payload: Any, parent: Job | None = None) -> Job:
        row = queue.enqueue(
            session, payload, max_attempts=MAX_ATTEMPTS, target_id=TARGET.id, graph_hash=GRAPH.hash,
            parent_id=parent and parent.id,
        )  # fmt: skip
        self.jobs.append(Job(row.id, payload.kind, parent))
        return self.jobs[-1]

    @rule(worker=st.integers(0, AGENTS))
    def lease(self, worker: int) -> None:
        kind = JobKind.PROFILE if worker < AGENTS else JobKind.ADAPT
        expected = next((job for job in self.jobs if job.kind == kind and self._is_leasable(job)), None)
        with self._admitted(worker), self.database.write.begin() as session:
            who = self._calls(session, worker)
            assert queue.has_work(session, kinds={kind}, worker=who) == (expected is not None)
            if worker < AGENTS:
                woken = queue.devices_with_work(session, kinds={kind}, device_ids=[str(who.device_id)])
                assert bool(woken) == (expected is not None)
            row = queue.lease(session, kinds={kind}, worker=who, lease_seconds=LEASE_S)
            assert (row and row.id) == (expected and expected.id)
            if row is not None and expected is not None:
                expected.state, expected.attempts = JobState.LEASED, expected.attempts + 1
                expected.leases.append(Lease(expected, str(row.lease_token), self.clock.now + LEASE_S, worker))
                self.leases.append(expected.leases[-1])

    @rule(agent=st.integers(0, AGENTS - 1))
    def revoke(self, agent: int) -> None:
        """The agent's key opens nothing from now on, whatever it holds; revoking twice is once."""
        with self.database.write.begin() as session:
            access.revoke_key(session, str(self.callers[agent].key_id))
        self.revoked.add(agent)

    @precondition(lambda self: self.revoked)
    @rule(which=ANY)
    def let_in_again(self, which: int) -> None:
        """The device gets another key; what it leased with the former one is still its own."""
        agent = sorted(self.revoked)[which % len(self.revoked)]
        with self.database.write.begin() as session:
            self.callers[agent] = new_caller(session, str(self.callers[agent].device_id))
        self.revoked.remove(agent)

    def _calls(self, session: Session, worker: int) -> queue.Worker:
        """Who calls, as far as it still may."""
        caller = self.callers[worker]
        if caller is SERVICE_CALLER:
            return SERVICE
        access.require_valid(session, caller, lock=True)
        return worker_of(caller)

    def _admitted(self, worker: int) -> Any:
        return pytest.raises(AuthenticationError) if worker in self.revoked else nullcontext()

    def _is_leasable(self, job: Job) -> bool:
        waits = any(child.parent is job and not child.is_finished for child in self.jobs)
        return job.state == JobState.QUEUED and not waits

    @precondition(lambda self: self.leases)
    @rule(which=ANY)
    def beat(self, which: int) -> None:
        lease = self._lease(which)
        lives = lease.job.state == JobState.LEASED and lease.job.leases[-1] is lease
        with self._refused_unless(lives, lease), self.database.write.begin() as session:
            device_id = self._calls(session, lease.worker).device_id
            queue.heartbeat(
                session, job_id=lease.job.id, lease_token=lease.token, lease_seconds=LEASE_S, device_id=device_id
            )
            lease.deadline = self.clock.now + LEASE_S

    @precondition(lambda self: self.leases)
    @rule(which=ANY)
    def report(self, which: int) -> None:
        lease, job = self._lease(which), self._lease(which).job
        if job.kind != JobKind.PROFILE:
            self._complete(lease)
            return
        with self._refused_unless(job.takes_results_of(lease), lease), self.database.write.begin() as session:
            device_id = self._calls(session, lease.worker).device_id
            receipt = reports.take_measurement(
                session, job_id=job.id, lease_token=lease.token, measurement=measurement(GRAPH.hash),
                device_id=device_id,
            )  # fmt: skip
            self._note_result(lease, receipt)

    def _note_result(self, lease: Lease, receipt: queue.Receipt) -> None:
        assert lease.row in (None, receipt.measurement_id), "a repeat is answered as the first was"
        lease.row = receipt.measurement_id
        if not lease.job.was_given_up_with(lease):
            lease.outcome, lease.job.state = LeaseOutcome.DONE, JobState.DONE

    @precondition(lambda self: self.leases)
    @rule(several=st.lists(ANY, min_size=2, max_size=4))
    def report_together(self, several: list[int]) -> None:
        """Each is answered as it would be alone, and those that are refused take nothing from the others."""
        leases = {lease.token: lease for lease in map(self._lease, several) if lease.job.kind == JobKind.PROFILE}
        takes = [lease.job.takes_results_of(lease) for lease in leases.values()]
        sent = [
            Report(job_id=lease.job.id, lease_token=lease.token, outcome=measurement(GRAPH.hash),
                   device_id=self.callers[lease.worker].device_id)
            for lease in leases.values()
        ]  # fmt: skip
        with self.database.write.begin() as session:
            answers = reports.take(session, sent)
        for lease, taken, answer in zip(leases.values(), takes, answers, strict=True):
            if taken:
                assert isinstance(answer, queue.Receipt)
                self._note_result(lease, answer)
            else:
                assert isinstance(answer, LeaseLostError)

    def _complete(self, lease: Lease) -> None:
        again = lease.outcome == LeaseOutcome.DONE
        takes = again or lease.job.takes_reports_of(lease)
        with self._refused_unless(takes, lease), self.database.write.begin() as session:
            queue.complete(session, job_id=lease.job.id, lease_token=lease.token, result={})
            lease.outcome, lease.job.state = LeaseOutcome.DONE, JobState.DONE

    @precondition(lambda self: self.leases)
    @rule(which=ANY, stage=st.sampled_from(["crash", "internal", "memory"]))
    def fail(self, which: int, stage: str) -> None:
        lease, job = self._lease(which), self._lease(which).job
        again = lease.outcome == LeaseOutcome.FAILED
        takes = again or job.takes_reports_of(lease)
        with self._refused_unless(takes, lease), self.database.write.begin() as session:
            device_id = self._calls(session, lease.worker).device_id
            taken: dict[str, Any] = {"job_id": job.id, "lease_token": lease.token}
            if job.kind == JobKind.PROFILE:
                reports.take_failure(
                    session, **taken, device_id=device_id, failure=Failure(stage=stage, message="It failed.")
                )
            else:
                queue.fail(session, **taken, message="It failed.", final=stage in reports.FINAL_STAGES)
            if not again:
                lease.outcome = LeaseOutcome.FAILED
                ends = stage in reports.FINAL_STAGES or job.attempts >= MAX_ATTEMPTS
                job.state = JobState.FAILED if ends else JobState.QUEUED

    @precondition(lambda self: self.leases)
    @rule(which=ANY)
    def give_back(self, which: int) -> None:
        lease, job = self._lease(which), self._lease(which).job
        again = lease.outcome == LeaseOutcome.RELEASED
        takes = again or job.takes_reports_of(lease)
        with self._refused_unless(takes, lease), self.database.write.begin() as session:
            self._calls(session, lease.worker)
            queue.release(session, job_id=job.id, lease_token=lease.token)
            if not again:
                lease.outcome, job.state, job.attempts = LeaseOutcome.RELEASED, JobState.QUEUED, job.attempts - 1

    @precondition(lambda self: self.jobs)
    @rule(which=ANY)
    def cancel(self, which: int) -> None:
        job = self.jobs[-1 - which % len(self.jobs)]
        allowed = job.state not in FINISHED_STATES - {JobState.CANCELLED}
        with self._refused_unless(allowed, error=ConflictError), self.database.write.begin() as session:
            queue.cancel(session, job.id)
            for one in self.jobs:
                if (one is job or one.parent is job) and not one.is_finished:
                    if one.state == JobState.LEASED:
                        one.leases[-1].outcome = LeaseOutcome.CANCELLED
                    one.state = JobState.CANCELLED

    @precondition(lambda self: self.jobs)
    @rule(which=ANY, token=st.sampled_from(["", "x", "another"]))
    def report_with_a_foreign_token(self, which: int, token: str) -> None:
        job = self.jobs[-1 - which % len(self.jobs)]
        others = [lease.token for lease in self.leases if lease.job is not job]
        sent = others[which % len(others)] if token == "another" and others else token
        with self._refused_unless(False), self.database.write.begin() as session:
            queue.release(session, job_id=job.id, lease_token=sent)

    @rule(seconds=st.sampled_from([1.0, 30.0, 61.0, 86_400.0]))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule(by=st.sampled_from([-86_400.0, -90.0, 90.0, 86_400.0]))
    def set_the_clock(self, by: float) -> None:
        """The service notices that its clock was set."""
        self.clock.now += by
        leased = [job for job in self.jobs if job.state == JobState.LEASED]
        with self.database.write.begin() as session:
            assert queue.renew(session, lease_seconds=LEASE_S) == len(leased)
            assert not queue.any_beyond(session, 2 * LEASE_S)
        for job in leased:
            job.leases[-1].deadline = self.clock.now + LEASE_S

    @rule()
    def expire(self) -> None:
        late = [job for job in self.jobs if job.state == JobState.LEASED and job.leases[-1].deadline < self.clock.now]
        with self.database.write.begin() as session:
            assert queue.any_late(session) == bool(late)
            assert queue.expire(session) == len(late)
        for job in late:
            job.leases[-1].outcome = LeaseOutcome.EXPIRED
            job.state = JobState.FAILED if job.attempts >= MAX_ATTEMPTS else JobState.QUEUED

    @precondition(lambda self: any(job.state == JobState.QUEUED for job in self.jobs))
    @rule()
    def crash(self) -> None:
        """A process dies within a transaction."""
        with self.database.write.begin() as session:
            queue.lease(session, kinds=set(JobKind), worker=SERVICE, lease_seconds=LEASE_S)
            session.rollback()

    def _lease(self, which: int) -> Lease:
        return self.leases[-1 - which % len(self.leases)]

    def _refused_unless(
        self, allowed: bool, lease: Lease | None = None, error: type[LatcastError] = LeaseLostError
    ) -> Any:
        if lease is not None and lease.worker in self.revoked:
            return pytest.raises(AuthenticationError)
        return nullcontext() if allowed else pytest.raises(error)

    # --- What stays true ----------------------------------------------------------------------------------------

    @invariant()
    def rows_are_as_they_have_to_be(self) -> None:
        with self.database.read() as session:
            kept = {row.id: row for row in session.scalars(select(tables.Job))}
            assert kept.keys() == {job.id for job in self.jobs}, "none lost, none made up"
            for job in self.jobs:
                row = kept[job.id]
                assert (row.state, row.attempts) == (job.state, job.attempts)
                assert (row.deadline_unix_s is not None) == (job.state == JobState.LEASED)
            self._check_leases(session)
            self._check_measurements(session)

    def _check_leases(self, session: Session) -> None:
        attempts = session.scalars(select(tables.Attempt)).all()
        outcomes = {attempt.lease_token: attempt.outcome for attempt in attempts}
        assert outcomes == {lease.token: lease.outcome for lease in self.leases}
        running = [attempt.job_id for attempt in attempts if attempt.outcome is None]
        leased = [job.id for job in self.jobs if job.state == JobState.LEASED]
        assert sorted(running) == sorted(leased), "each job is one worker's at a time"

    def _check_measurements(self, session: Session) -> None:
        good = select(tables.Measurement).where(tables.Measurement.failure_stage.is_(None))
        rows = {row.id: row.job_id for row in session.scalars(good)}
        acknowledged = {lease.row: lease.job.id for lease in self.leases if lease.row is not None}
        assert rows == acknowledged, "what was acknowledged is there, and nothing else"
        assert len(set(rows.values())) == len(rows), "none is done twice"

    def teardown(self) -> None:
        """Everything comes to an end once workers work, whatever happened before: nothing is stuck."""
        while self.revoked:
            self.let_in_again(0)
        for _ in range(MAX_ATTEMPTS * (len(self.jobs) + 1)):
            if all(job.is_finished for job in self.jobs):
                break
            self.clock.now += 2 * LEASE_S
            self.expire()
            for worker in (0, AGENTS):
                before = len(self.leases)
                self.lease(worker)
                if len(self.leases) > before:
                    self.report(before)
        self.rows_are_as_they_have_to_be()
        assert [job.id for job in self.jobs if not job.is_finished] == []
        self.database.close()


def furnish(session: Session) -> list[Principal]:
    """A device with a target and a graph; and its agents, and the service's own worker at the end."""
    device = session.merge(records.device_row(DEVICE))
    session.flush()
    session.merge(records.target_row(TARGET, device)).offered = True
    store.save(session, store.prepare(DirectReader(), model()))
    return [*(new_caller(session, device.id) for _ in range(AGENTS)), SERVICE_CALLER]


def new_caller(session: Session, device_id: str) -> Principal:
    """An agent of the device, with a key of its own."""
    key, _secret = access.create_key(session, scope="agent")
    agent = tables.Agent(device_id=device_id, api_key_id=key.id)
    session.add(agent)
    session.flush()
    return Principal(scope="agent", key_id=key.id, agent_id=agent.id, device_id=device_id)


def worker_of(caller: Principal) -> queue.Worker:
    """An agent as it leases."""
    return queue.Worker(agent_id=caller.agent_id, device_id=caller.device_id)


def run(make_database: Callable[[], Database], monkeypatch: pytest.MonkeyPatch, *, examples: int, steps: int) -> None:
    clock = Clock()
    monkeypatch.setattr(queue, "time", clock)
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
    )
    run_state_machine_as_test(lambda: QueueMachine(make_database(), clock), settings=chosen)


@pytest.mark.slow
def test_on_sqlite(migrated_sqlite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def make() -> Database:
        path = tmp_path / "latcast.db"
        for old in tmp_path.glob("latcast.db*"):
            old.unlink()
        shutil.copy(migrated_sqlite, path)
        engine = create_engine_for(Settings(database_url=f"sqlite:///{path}"))
        event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
        return Database(engine)

    run(make, monkeypatch, examples=15, steps=30)


def test_on_postgres(new_postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def make() -> Database:
        run_sql(new_postgres, f"TRUNCATE {', '.join(tables.Base.metadata.tables)} RESTART IDENTITY CASCADE")
        return Database(create_engine_for(Settings(database_url=new_postgres)))

    run(make, monkeypatch, examples=4, steps=25)
