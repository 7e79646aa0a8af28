"""Starts a worker beside the service while trainings wait, and ends it with the service."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from service.db.session import Database, create_engine_for
from service.settings import Settings
from service.worker.loop import Ticker
from service.worker.training.worker import has_training

__all__ = ["EmbeddedWorker", "embedded_worker"]

LOOK_S = 1.0
END_S = 10.0

log = structlog.get_logger(__name__)


@contextmanager
def embedded_worker(settings: Settings) -> Iterator[None]:
    """While the block runs, trainings that wait get a worker; nothing where `settings.embedded_worker` is false."""
    if not settings.embedded_worker:
        yield
        return
    database = Database(create_engine_for(settings))
    worker = EmbeddedWorker(database, settings)
    ticker = Ticker("embedded worker", LOOK_S, worker.look)
    ticker.start()
    try:
        yield
    finally:
        ticker.stop()
        worker.end()
        database.close()


class EmbeddedWorker:
    """One worker process, started when a training waits; it ends by itself when none does.

    Args:
        database: with the queue.
        settings: of the service; the worker gets the same.
        start: starts the process.
    """

    def __init__(
        self,
        database: Database,
        settings: Settings,
        *,
        start: "Callable[[Settings], subprocess.Popen[str]] | None" = None,
    ) -> None:
        self._database, self._settings, self._start = database, settings, start or start_worker
        self._child: subprocess.Popen[str] | None = None

    def look(self) -> bool:
        """Start the worker if a training waits and none runs; False, as the next look has time."""
        if self._child is not None and (code := self._child.poll()) is not None:
            if code:
                log.warning("the embedded worker ended", code=code)
            self._forget()
        if self._child is None and has_training(self._database):
            self._child = self._start(self._settings)
            log.info("a worker trains", process=self._child.pid)
        return False

    def end(self) -> None:
        """End the worker; the training that is under way returns to the queue."""
        if self._child is None:
            return
        self._child.terminate()
        try:
            self._child.wait(END_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._forget()

    def _forget(self) -> None:
        if self._child is not None and self._child.stdin is not None:
            self._child.stdin.close()
        self._child = None


def start_worker(settings: Settings) -> "subprocess.Popen[str]":
    """Start a worker's process; it ends when this one does, or when no training waits."""
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "service.worker.embedded.child"],
        stdin=subprocess.PIPE,
        text=True,
        start_new_session=True,  # an interrupt at the terminal is the service's, which ends its worker itself
    )
    if child.stdin is not None:
        child.stdin.write(json.dumps(settings.model_dump(mode="json")) + "\n")
        child.stdin.flush()
    return child
