"""A worker for trainings: one at a time, each in a child process, from whatever the queue has."""

import os
import socket
import threading

import structlog
from sqlalchemy import select

from latcast.errors import LeaseLostError
from latcast.schema import JobKind, JobState
from profilers.host.private_folder import is_running
from service.db.session import Database, create_engine_for
from service.db.tables import Attempt, Job
from service.jobs import queue
from service.settings import Settings
from service.worker.loop import Ticker
from service.worker.runner import JobRunner, this_process
from service.worker.training.steps import TrainingSteps

__all__ = ["TrainingWorker", "has_training", "take_over", "work"]

KINDS = frozenset({JobKind.TRAIN})
DIED = "The worker's process ended before the training was done; another one goes on with it."
NICENESS = 10

log = structlog.get_logger(__name__)


def work(settings: Settings, stop: threading.Event, *, once: bool = False) -> None:
    """Train what is asked for, in this process's children, behind whatever else the machine does.

    Args:
        settings: of the service whose database has the queue.
        stop: work ends once it is set; the training that is under way returns to the queue.
        once: end when no training waits.
    """
    os.nice(NICENESS)
    database = Database(create_engine_for(settings))
    try:
        TrainingWorker(database, settings, stop).run(once=once)
    finally:
        database.close()


def has_training(database: Database) -> bool:
    """Whether a training waits for a worker, or was left by one of this machine that has ended."""
    with database.read() as session:
        waiting = queue.has_work(session, kinds=KINDS, worker=this_process())
    return waiting or bool(_left(database))


class TrainingWorker:
    """Takes trainings one after the other.

    Args:
        database: with the queue.
        settings: of the service.
        stop: work ends once it is set.
        steps: how a training is done; by default in a child process.
    """

    def __init__(
        self, database: Database, settings: Settings, stop: threading.Event, *, steps: TrainingSteps | None = None
    ) -> None:
        self._database, self._settings, self._stop = database, settings, stop
        self._runner = JobRunner(
            database,
            [steps or TrainingSteps(database, settings)],
            worker=this_process(),
            lease_seconds=settings.lease_seconds,
        )

    def run(self, *, once: bool = False) -> None:
        """Work until told to stop; with `once`, until no training waits."""
        ticker = Ticker("trainings", self._settings.tick_seconds, lambda: self._advance(once=once))
        ticker.start()
        try:
            self._stop.wait()
        finally:
            self._runner.give_back()  # the training ends as soon as its lease has
            ticker.stop()

    def _advance(self, *, once: bool) -> bool:
        take_over(self._database)
        more = self._runner.advance()
        if once and not more:
            self._stop.set()
        return more and not self._stop.is_set()


def take_over(database: Database) -> None:
    """Return trainings to the queue whose worker was a process of this machine that has ended."""
    for job_id, lease_token, process in _left(database):
        try:
            with database.write.begin() as session:
                queue.fail(session, job_id=job_id, lease_token=lease_token, message=DIED, final=False)
        except LeaseLostError:
            continue  # somebody else was faster
        log.warning("a training goes on whose worker ended", job=job_id, process=process)


def _left(database: Database) -> list[tuple[str, str, str]]:
    """Job, lease and process of trainings whose worker was a process of this machine that has ended."""
    with database.read() as session:
        query = select(Job.id, Job.lease_token, Attempt.process).join(Attempt, Attempt.lease_token == Job.lease_token)
        held = session.execute(query.where(Job.kind == JobKind.TRAIN, Job.state == JobState.LEASED)).all()
    return [(job_id, token or "", process) for job_id, token, process in held if process and _is_dead(process)]


def _is_dead(process: str) -> bool:
    host, _, pid = process.rpartition(":")
    return host == socket.gethostname() and pid.isdigit() and int(pid) != os.getpid() and not is_running(int(pid))
