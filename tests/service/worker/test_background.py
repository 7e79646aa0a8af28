"""What goes on behind the API is started and stopped together."""

import time

import pytest

from service.worker.background import background_of
from tests.service.learning.test_adaptation import AdaptingWorld, base, world

__all__ = ["base", "world"]

LONGEST_S = 120.0


@pytest.mark.slow
def test_it_does_jobs_and_learns_until_it_is_stopped(world: AdaptingWorld) -> None:
    settings = world.settings.model_copy(update={"tick_seconds": 0.05, "learn_seconds": 0.05})
    background = background_of(settings, world.database, world.forecaster)
    assert len(background.tickers) == 2
    agent = world.agent()
    job = world.request()
    background.start()
    try:
        until = time.monotonic() + LONGEST_S
        while world.client.job(job)["state"] != "done" and time.monotonic() < until:
            world.work(agent)
        assert world.client.job(job)["state"] == "done"
    finally:
        background.stop()
    assert not any(ticker.is_running for ticker in background.tickers)


def test_learning_can_be_turned_off(world: AdaptingWorld) -> None:
    (only,) = background_of(world.settings, world.database, world.forecaster).tickers
    assert only.name == "jobs"
