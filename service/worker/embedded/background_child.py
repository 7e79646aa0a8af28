"""The process that does the work behind `latcast serve`, so that no forecast waits for an adaptation."""

import os
import sys
import threading

from predictors.foreign.reader import ForeignReader
from service.db.session import Database, create_engine_for
from service.forecasting.forecaster import Forecaster
from service.settings import Settings
from service.worker.background import background_of
from service.worker.embedded.process import run_beside
from service.worker.left_behind import take_over

__all__ = ["main"]

NICENESS = 10
"""Forecasts go first where there are too few cores for both."""


def main() -> int:
    """Work until the service ends; the exit code."""
    return run_beside(_work)


def _work(settings: Settings, stop: threading.Event) -> None:
    os.nice(NICENESS)
    database = Database(create_engine_for(settings))
    with ForeignReader(
        timeout_s=settings.reader_timeout_s, memory_bytes=settings.reader_memory_bytes, workers=settings.reader_workers
    ) as reader:
        background = background_of(settings, database, Forecaster(settings, database, reader))
        take_over(database, background.runner.kinds)
        background.start()
        try:
            stop.wait()
        finally:
            background.stop()
            database.close()


if __name__ == "__main__":
    sys.exit(main())
