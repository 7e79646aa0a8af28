"""What goes on behind the API, in threads: the service's own jobs, and learning from what was measured."""

from collections.abc import Sequence
from dataclasses import dataclass

from service.db.session import Database
from service.forecasting.forecaster import Forecaster
from service.settings import Settings
from service.worker.kinds import service_steps
from service.worker.learner import Learner
from service.worker.loop import Ticker
from service.worker.runner import JobRunner, this_process

__all__ = ["Background", "background_of"]

REST = 1.0
"""Learning takes half a core at most, however much is measured; from a few reports a second on it would take one."""


@dataclass(frozen=True)
class Background:
    """Work that is started and stopped together.

    Args:
        tickers: threads that do it.
        runner: carries the jobs on.
    """

    tickers: Sequence[Ticker]
    runner: JobRunner

    def start(self) -> None:
        """Start the threads."""
        for ticker in self.tickers:
            ticker.start()

    def stop(self) -> None:
        """End the threads, and return the job of a step that is still under way to the queue."""
        for ticker in self.tickers:
            ticker.stop()
        self.runner.give_back()


def background_of(settings: Settings, database: Database, forecaster: Forecaster) -> Background:
    """The work behind a service with these settings.

    Args:
        settings: how often there is looked for work.
        database: of the service.
        forecaster: that answers; what it keeps in memory is renewed by what is learnt.
    """
    steps = service_steps(database, settings, catalogue=forecaster.catalogue, resolver=forecaster.resolver)
    runner = JobRunner(database, steps, worker=this_process(), lease_seconds=settings.lease_seconds)
    tickers = [Ticker("jobs", settings.tick_seconds, runner.advance)]
    if settings.learn_seconds:
        tickers.append(Ticker("learning", settings.learn_seconds, Learner(database, forecaster, rest=REST).look))
    return Background(tickers, runner)
