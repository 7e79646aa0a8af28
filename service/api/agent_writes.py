"""What agents' calls write: leases and reports of all that call at the same time, in one transaction."""

from collections.abc import Sequence
from itertools import compress

from sqlalchemy.orm import Session

from latcast.errors import AuthenticationError
from latcast.schema import LatcastError
from service.api import schemas, views
from service.api.work_watch import AGENT_KINDS
from service.db.group_commit import GroupCommit
from service.db.session import Database
from service.db.tables import Job
from service.fleet import access
from service.fleet.access import Principal
from service.fleet.signs_of_life import SignsOfLife
from service.jobs import queue, reports
from service.jobs.queue import Receipt
from service.jobs.reports import Report

__all__ = ["AgentWrites"]


class AgentWrites:
    """Leases jobs and takes reports; an answer is on disk. Thread-safe.

    Args:
        database: with the queue.
        signs: notes that agents are there.
        lease_seconds: the length of a lease.
    """

    def __init__(self, database: Database, signs: SignsOfLife, *, lease_seconds: float) -> None:
        self._signs, self._lease_seconds = signs, lease_seconds
        # Reports lock jobs, leases the rows of agents: as heartbeats do, one after the other.
        self._together = GroupCommit(database, (reports.take, self._lease_each))

    async def take(self, report: Report) -> Receipt:
        """Take a report.

        Raises:
            InputError: it is not what the job asks for.
            LeaseLostError: the lease is another device's, the job went on to somebody else, or is finished.
            NotFoundError: there is no such job.
        """
        # A report that is sent again while it is written is answered as the first is, once that is written.
        return await self._together.run(reports.take, report, key=report.lease_token)

    async def lease(self, caller: Principal) -> schemas.LeaseOut | None:
        """A job for the caller's device, if there is one.

        Raises:
            AuthenticationError: the call came without an agent's key, or that has ended.
        """
        return await self._together.run(self._lease_each, caller)

    def close(self) -> None:
        """Write what waits, and take nothing more."""
        self._together.close()

    def _lease_each(
        self, session: Session, callers: Sequence[Principal]
    ) -> list[schemas.LeaseOut | LatcastError | None]:
        key_ids = {caller.key_id for caller in callers if caller.key_id is not None}
        valid = access.valid_keys(session, key_ids, lock=True)
        admitted = [caller.key_id is None or caller.key_id in valid for caller in callers]
        noted = iter(self._signs.note(session, list(compress(callers, admitted))))
        refused = [next(noted) if each else AuthenticationError(access.REFUSED) for each in admitted]
        workers = [
            queue.Worker(agent_id=caller.agent_id, device_id=caller.device_id)
            for caller, error in zip(callers, refused, strict=True)
            if error is None
        ]
        with session.no_autoflush:  # the attempts are written together
            jobs = iter(
                queue.lease_together(session, kinds=AGENT_KINDS, workers=workers, lease_seconds=self._lease_seconds)
            )
        return [self._leased(next(jobs)) if error is None else error for error in refused]

    def _leased(self, job: Job | None) -> schemas.LeaseOut | None:
        return views.lease_out(job, self._lease_seconds) if job else None
