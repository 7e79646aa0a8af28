"""How far a long step of a job is, and what of it is done: written under its lease, read by whoever goes on."""

import time
from collections.abc import Callable

from sqlalchemy import select
from sqlalchemy.orm import Session

from latcast.schema import JobState
from service.db.session import Database
from service.db.tables import Checkpoint, Job
from service.jobs import queue

__all__ = ["JobCheckpoints", "JobProgress", "holds_lease"]

LONGEST_WHAT = 200


def holds_lease(session: Session, job_id: str, lease_token: str) -> bool:
    """Whether the job is still leased with this token: not cancelled, and not gone to somebody else."""
    row = session.execute(select(Job.state, Job.lease_token).where(Job.id == job_id)).one_or_none()
    return row is not None and (row.state, row.lease_token) == (JobState.LEASED, lease_token)


class JobProgress:
    """Writes how far a job is, at most once in a while (`profilers.progress.Progress`).

    Args:
        database: that has the job.
        job_id, lease_token: the job, and the lease under which it is done.
        pause_s: between two writes.
        clock: seconds, never going back.

    Raises:
        LeaseLostError: when called after the lease has ended.
    """

    def __init__(
        self,
        database: Database,
        *,
        job_id: str,
        lease_token: str,
        pause_s: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database, self._job_id, self._token = database, job_id, lease_token
        self._pause_s, self._clock, self._written_at = pause_s, clock, float("-inf")

    def __call__(self, share: float, what: str) -> None:
        """Take note that a share of 0 to 1 is done, and of what is being done."""
        if self._clock() - self._written_at < self._pause_s:
            return
        self._written_at = self._clock()
        with self._database.write.begin() as session:
            job, attempt = queue.reported(session, self._job_id, self._token)
            queue.require_open(job, attempt)
            job.progress = {"share": min(max(float(share), 0.0), 1.0), "what": what[:LONGEST_WHAT]}


class JobCheckpoints:
    """Keeps parts of a job's work by name (`predictors.evaluation.checkpoints.Checkpoints`).

    Args:
        database: that has the job.
        job_id, lease_token: the job, and the lease under which it is done.
    """

    def __init__(self, database: Database, *, job_id: str, lease_token: str) -> None:
        self._database, self._job_id, self._token = database, job_id, lease_token

    def load(self, name: str) -> bytes | None:
        """What was saved under the name, under whichever lease; None where nothing was."""
        query = select(Checkpoint.content).where(Checkpoint.job_id == self._job_id, Checkpoint.name == name)
        with self._database.read() as session:
            return session.scalar(query)

    def save(self, name: str, content: bytes) -> None:
        """Keep the content under the name, in place of what was there.

        Raises:
            LeaseLostError: the lease has ended.
        """
        with self._database.write.begin() as session:
            queue.require_open(*queue.reported(session, self._job_id, self._token))
            session.merge(Checkpoint(job_id=self._job_id, name=name, content=content))
