"""The service's own worker: leases its jobs, keeps the leases while their steps run, and writes what comes of them."""

import os
import socket
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import structlog

from latcast.errors import LeaseLostError
from latcast.schema import JobKind, LatcastError
from service.db import tables
from service.db.failures import DATABASE_AWAY, cause_of, is_away
from service.db.session import Database
from service.jobs import queue
from service.jobs.payloads import parsed
from service.jobs.steps import Finished, LeasedJob, Steps, TryAgainError, Waiting
from service.worker.loop import Ticker

__all__ = ["JobRunner", "this_process"]

HEARTBEATS = 4
"""How many heartbeats there are in the time of a lease."""
OUR_FAULT = "The job failed for a reason that is ours; the service's log has it."
MOST_SETBACKS = 30
"""So often in a row the database may fail at one job's steps while it lets the job be leased and given back."""

log = structlog.get_logger(__name__)


def this_process() -> queue.Worker:
    """This process as a worker; its name tells people which one it is."""
    return queue.Worker(process=f"{socket.gethostname()}:{os.getpid()}")


class JobRunner:
    """Carries jobs of the service's own on, a step at a time.

    Every step is: lease in a short transaction; do the slow work, while heartbeats keep the lease; write the outcome
    and end the lease in a second short transaction, only if the lease still holds. What this process holds is in its
    stack: another one begins the step anew when the lease of a dead one runs out. `advance` is called by one thread.

    Args:
        database: with the queue.
        steps: one for each kind of job.
        worker: who leases.
        lease_seconds: how long a silent process keeps a job.
    """

    def __init__(
        self, database: Database, steps: Collection[Steps[Any]], *, worker: queue.Worker, lease_seconds: float
    ) -> None:
        self._database, self._worker, self._lease_seconds = database, worker, lease_seconds
        self._steps: dict[JobKind, Steps[Any]] = {one.payload.kind: one for one in steps}
        self._current: tables.Job | None = None
        self._interrupted: tables.Job | None = None
        self._setbacks: Counter[str] = Counter()

    @property
    def kinds(self) -> Collection[JobKind]:
        """Kinds of the jobs that it carries on."""
        return self._steps.keys()

    def advance(self) -> bool:
        """Carry the oldest job that can be carried on by one step; whether there was one.

        Never raises for what is wrong with a job: the job fails with a sentence instead. Where the database is away in
        the middle of a step, the job goes back to the queue, with no attempt counted, as soon as the database is there.

        Raises:
            DBAPIError, TimeoutError: SQLAlchemy's, while the database cannot be reached, read or written.
        """
        self._give_back_interrupted()
        job = self._lease()
        if job is None:
            return False
        self._current = job
        try:
            with self._heartbeats(job):
                self._step_or_fail(job)
        except DATABASE_AWAY as error:
            self._note_setback(job, error)
            raise
        finally:
            self._current = None
        self._setbacks.pop(job.id, None)
        return True

    def give_back(self) -> None:
        """Release the job of a step that is still under way, because this process ends; its outcome is dropped."""
        if (job := self._current or self._interrupted) is not None:
            self._release(job)

    def _give_back_interrupted(self) -> None:
        if (job := self._interrupted) is None:
            return
        if self._setbacks[job.id] < MOST_SETBACKS:
            self._release(job)
        else:
            self._fail(job, OUR_FAULT)
            del self._setbacks[job.id]
        self._interrupted = None

    def _release(self, job: tables.Job) -> None:
        try:
            with self._database.write.begin() as session:
                queue.release(session, job_id=job.id, lease_token=job.lease_token or "")
        except LeaseLostError:
            log.info("nothing to give back", job=job.id)

    def _lease(self) -> tables.Job | None:
        with self._database.read() as session:
            if not queue.has_work(session, kinds=self._steps, worker=self._worker):
                return None
        with self._database.write.begin() as session:
            return queue.lease(session, kinds=self._steps, worker=self._worker, lease_seconds=self._lease_seconds)

    def _step_or_fail(self, job: tables.Job) -> None:
        try:
            self._write(job, self._step(job))
        except LeaseLostError as error:
            log.info("outcome dropped", job=job.id, reason=str(error))
        except TryAgainError as error:
            self._fail(job, str(error), final=False)
        except LatcastError as error:
            self._fail(job, str(error))
        except Exception as error:
            if is_away(error):
                raise
            log.exception("job failed", job=job.id, kind=job.kind)
            self._fail(job, OUR_FAULT)

    def _note_setback(self, job: tables.Job, error: Exception) -> None:
        self._interrupted = job
        self._setbacks[job.id] += 1
        log.warning("job goes back to the queue", job=job.id, kind=job.kind, reason=cause_of(error).sentence)

    def _step(self, job: tables.Job) -> Waiting | Finished:
        steps = self._steps[job.kind]
        payload = parsed(steps.payload, job)
        leased = LeasedJob(id=job.id, lease_token=job.lease_token or "", target_id=job.target_id, payload=payload)
        with self._database.read() as session:
            planned = bool(queue.child_states(session, job.id))
        return steps.finish(leased) if planned else steps.plan(leased)

    def _write(self, job: tables.Job, outcome: Waiting | Finished) -> None:
        lease = {"job_id": job.id, "lease_token": job.lease_token or ""}
        with self._database.write.begin() as session:
            queue.require_open(*queue.reported(session, **lease))
            if isinstance(outcome, Waiting):
                outcome.write(session)
                queue.release(session, **lease)
            else:
                queue.complete(session, **lease, result=outcome.write(session))
        if isinstance(outcome, Finished):
            outcome.announce()

    def _fail(self, job: tables.Job, message: str, *, final: bool = True) -> None:
        try:
            with self._database.write.begin() as session:
                queue.fail(
                    session,
                    job_id=job.id,
                    lease_token=job.lease_token or "",
                    message=message,
                    final=final,
                    result={"error": message},
                )
        except LeaseLostError as error:
            log.info("failure dropped", job=job.id, reason=str(error))

    @contextmanager
    def _heartbeats(self, job: tables.Job) -> Iterator[None]:
        """Extend the lease again and again until the block ends."""
        ticker = Ticker("heartbeats", self._lease_seconds / HEARTBEATS, lambda: self._heartbeat(job))
        ticker.start()
        try:
            yield
        finally:
            ticker.stop()

    def _heartbeat(self, job: tables.Job) -> bool:
        try:
            with self._database.write.begin() as session:
                queue.heartbeat(
                    session,
                    job_id=job.id,
                    lease_token=job.lease_token or "",
                    lease_seconds=self._lease_seconds,
                )
        except LeaseLostError as error:
            log.info("lease lost", job=job.id, reason=str(error))
        return False
