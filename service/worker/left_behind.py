"""Jobs whose worker was a process of this machine that has ended go back to the queue before their lease runs out."""

import os
import socket
from collections.abc import Collection

import structlog
from sqlalchemy import select

from latcast.errors import LeaseLostError
from latcast.schema import JobKind, JobState
from profilers.host.private_folder import is_running
from service.db.session import Database
from service.db.tables import Attempt, Job
from service.jobs import queue

__all__ = ["left_behind", "take_over"]

DIED = "The worker's process ended before the work was done; another one goes on with it."

log = structlog.get_logger(__name__)


def take_over(database: Database, kinds: Collection[JobKind]) -> None:
    """Return what `left_behind` finds to the queue."""
    for job_id, lease_token, process in left_behind(database, kinds):
        try:
            with database.write.begin() as session:
                queue.fail(session, job_id=job_id, lease_token=lease_token, message=DIED, final=False)
        except LeaseLostError:
            continue  # somebody else was faster
        log.warning("a job goes on whose worker ended", job=job_id, process=process)


def left_behind(database: Database, kinds: Collection[JobKind]) -> list[tuple[str, str, str]]:
    """Job, lease and process of jobs of these kinds whose worker was a process of this machine that has ended."""
    with database.read() as session:
        query = select(Job.id, Job.lease_token, Attempt.process).join(Attempt, Attempt.lease_token == Job.lease_token)
        held = session.execute(query.where(Job.kind.in_(kinds), Job.state == JobState.LEASED)).all()
    return [(job_id, token or "", process) for job_id, token, process in held if process and _is_dead(process)]


def _is_dead(process: str) -> bool:
    host, _, pid = process.rpartition(":")
    return host == socket.gethostname() and pid.isdigit() and int(pid) != os.getpid() and not is_running(int(pid))
