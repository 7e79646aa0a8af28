"""A worker for trainings: one at a time, each in a child process, from whatever the queue has."""

import os
import threading

from latcast.schema import JobKind
from service.db.session import Database, create_engine_for
from service.jobs import queue
from service.settings import Settings
from service.worker.left_behind import left_behind, take_over
from service.worker.loop import Ticker
from service.worker.runner import JobRunner, this_process
from service.worker.training.steps import TrainingSteps

__all__ = ["TrainingWorker", "has_training", "work"]

KINDS = frozenset({JobKind.TRAIN})
NICENESS = 10


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
    return waiting or bool(left_behind(database, KINDS))


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
        take_over(self._database, KINDS)
        more = self._runner.advance()
        if once and not more:
            self._stop.set()
        return more and not self._stop.is_set()
