"""Keeps the processes that work beside the service: those for its own jobs, one more while trainings wait."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from service.db.session import Database, create_engine_for
from service.settings import Settings
from service.worker.embedded.process import BesideService
from service.worker.loop import Ticker, pause_after
from service.worker.training.worker import has_training

__all__ = ["Supervisor", "processes_beside"]

LOOK_S = 1.0
EARLY_S = 10.0
"""A process that ends so soon is started again after a pause that grows."""
BACKGROUND = "service.worker.embedded.background_child"
TRAINING = "service.worker.embedded.training_child"

log = structlog.get_logger(__name__)


@contextmanager
def processes_beside(settings: Settings) -> Iterator[None]:
    """While the block runs, the service's own jobs are done, and trainings that wait get a worker.

    Trainings are left to others where `settings.embedded_worker` is false.
    """
    database = Database(create_engine_for(settings))
    # One of them learns from what is measured; the others do jobs alone.
    others = settings.model_copy(update={"learn_seconds": 0.0})
    configured = [settings, *[others] * (settings.job_processes - 1)]
    supervisors = [Supervisor(BACKGROUND, each, wanted=lambda: True) for each in configured]
    if settings.embedded_worker:
        supervisors.append(Supervisor(TRAINING, settings, wanted=lambda: has_training(database)))
    tickers = [Ticker("processes", LOOK_S, each.look) for each in supervisors]
    for ticker in tickers:
        ticker.start()
    try:
        yield
    finally:
        for ticker in tickers:
            ticker.stop()
        for each in supervisors:
            each.end()
        database.close()


class Supervisor:
    """Starts a process while it is wanted and none runs; one that fails, again.

    Args:
        module: of the process, see `BesideService`.
        settings: of the service.
        wanted: whether there is something to do.
        start: starts the process; by default as `BesideService` does.
    """

    def __init__(
        self,
        module: str,
        settings: Settings,
        *,
        wanted: Callable[[], bool],
        start: Callable[[str, Settings], BesideService] | None = None,
    ) -> None:
        self._module, self._settings, self._wanted, self._begin = module, settings, wanted, start or BesideService
        self.child: BesideService | None = None
        self._started_at = 0.0
        self._early_ends = 0

    def look(self) -> bool:
        """Start the process if it is wanted and none runs; False, as the next look has time."""
        if self.child is not None and (code := self.child.exit_code()) is not None:
            self._note_end(self.child, code)
            self.child = None
        if self.child is None and self._is_time() and self._wanted():
            self.child, self._started_at = self._begin(self._module, self._settings), time.monotonic()
            log.debug("a process works beside the service", module=self._module, process=self.child.pid)
        return False

    def end(self) -> None:
        """End the process; the job that is under way returns to the queue."""
        if self.child is not None:
            self.child.end()
            self.child = None

    def _note_end(self, child: BesideService, code: int) -> None:
        early = code != 0 and time.monotonic() - self._started_at < EARLY_S
        self._early_ends = self._early_ends + 1 if early else 0
        if code:
            log.warning("a process beside the service ended", module=self._module, process=child.pid, code=code)

    def _is_time(self) -> bool:
        return not self._early_ends or time.monotonic() - self._started_at >= pause_after(self._early_ends, LOOK_S)
