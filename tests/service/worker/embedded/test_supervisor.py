"""The processes beside the service: started when they are wanted, again when they fail, and ended with the service."""

import os
import signal
import time
from collections.abc import Callable

import numpy as np
import pytest
from sqlalchemy import select

from latcast.schema import Target
from profilers.search_spaces import get_space
from service.db import records, tables
from service.settings import Settings
from service.worker.embedded import supervisor as supervising
from service.worker.embedded.supervisor import BACKGROUND, TRAINING, Supervisor, processes_beside
from service.worker.training.worker import has_training
from tests.predictors.tables import latencies
from tests.service.helpers import World

LONGEST_S = 120.0


@pytest.fixture
def database_url(new_sqlite: str) -> str:
    """SQLite alone: a file that two processes share."""
    return new_sqlite


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait until something holds, and fail where it does not in time."""
    until = time.monotonic() + LONGEST_S
    while not holds() and time.monotonic() < until:
        time.sleep(0.05)
    assert holds()


@pytest.mark.slow
def test_trainings_that_wait_are_done_by_a_process_that_ends_by_itself(measured: World) -> None:
    supervisor = Supervisor(TRAINING, measured.settings, wanted=lambda: has_training(measured.database))
    supervisor.look()
    assert supervisor.child is None, "nothing waits"
    job_id = measured.client.train("flops", folds=0)["id"]
    supervisor.look()
    assert supervisor.child is not None
    assert supervisor.child.wait(LONGEST_S) == 0
    assert measured.client.job(job_id)["state"] == "done"
    supervisor.look()
    assert supervisor.child is None
    supervisor.end()


@pytest.mark.slow
def test_they_end_with_the_service_and_leave_their_jobs_to_others(
    measured: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervising, "LOOK_S", 0.05)
    imported(measured, 1)  # enough networks to train on; so many trees that it cannot be done before it is ended
    endless = {"trees": 10**6, "boosters": 50}
    job_id = measured.client.train(
        "boosted_trees", spaces=["nasbench201"], tables=True, hyperparameters=endless, folds=0
    )["id"]
    with processes_beside(measured.settings):
        wait_until(lambda: measured.client.job(job_id)["state"] == "leased")
    job = measured.client.job(job_id)
    assert (job["state"], job["attempts"]) == ("queued", 0), job


def test_trainings_can_be_left_to_others(measured: World, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[str] = []

    class Noted(Supervisor):
        def __init__(self, module: str, *arguments: object, **options: object) -> None:
            begun.append(module)
            super().__init__(module, *arguments, **{**options, "wanted": lambda: False})  # type: ignore[arg-type]

    monkeypatch.setattr(supervising, "Supervisor", Noted)
    for embedded in (True, False):
        with processes_beside(measured.settings.model_copy(update={"embedded_worker": embedded})):
            pass
    assert begun == [BACKGROUND, TRAINING, BACKGROUND]


def test_several_processes_do_jobs_and_one_of_them_learns(measured: World, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[tuple[str, float]] = []

    class Noted(Supervisor):
        def __init__(self, module: str, settings: Settings, **options: object) -> None:
            begun.append((module, settings.learn_seconds))
            super().__init__(module, settings, wanted=lambda: False)

    monkeypatch.setattr(supervising, "Supervisor", Noted)
    options = {"embedded_worker": False, "job_processes": 3, "learn_seconds": 0.3}
    with processes_beside(measured.settings.model_copy(update=options)):
        pass
    assert begun == [(BACKGROUND, 0.3), (BACKGROUND, 0.0), (BACKGROUND, 0.0)]


def test_several_processes_adapt_to_several_targets(measured: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervising, "LOOK_S", 0.05)
    columns = imported(measured, 4)
    options = {"embedded_worker": False, "job_processes": 2, "tick_seconds": 0.05, "learn_seconds": 0.0}
    jobs = [measured.client.adapt(target_id, samples=6, sampler="random")["id"] for target_id in columns]
    with processes_beside(measured.settings.model_copy(update=options)):
        wait_until(lambda: all(measured.client.job(job)["state"] == "done" for job in jobs))
    did = [measured.client.job(job)["reasons"][-1]["process"] for job in jobs]
    assert all(did)
    assert [measured.client.job(job)["attempts"] for job in jobs] == [1] * 4
    assert all(measured.client.target(target_id)["adaptation"]["support"] for target_id in columns)


def imported(world: World, count: int) -> list[str]:
    """Ids of so many targets of a public table of cells."""
    space = get_space("nasbench201")
    rng = np.random.default_rng(4)
    cells = list(dict.fromkeys(space.sample(rng).text for _ in range(60)))
    ids = []
    with world.database.write.begin() as session:
        for number in range(count):
            options = {"space": space.name}
            target = Target(device=f"phone {number}", backend="imported", origin="ours, CC0", options=options)
            session.add(records.target_row(target, None))
            session.flush()
            ids.append(target.id)
            milliseconds = latencies([space.parse(text) for text in cells], number)
            for text, ms in zip(cells, milliseconds, strict=True):
                architecture = session.scalar(select(tables.Architecture).where(tables.Architecture.text == text))
                if architecture is None:
                    session.add(architecture := tables.Architecture(space=space.name, text=text))
                    session.flush()
                session.add(
                    tables.Measurement(
                        target_id=target.id, architecture_id=architecture.id, median_ms=float(ms),
                        statistic="reported", settings={}, feeds=[], runs=[], sentinel_ms=[], protocol_version=1,
                    )
                )  # fmt: skip
    return ids


def test_one_that_is_killed_is_started_again(measured: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervising, "EARLY_S", 0.0)
    supervisor = Supervisor(BACKGROUND, measured.settings, wanted=lambda: True)
    try:
        supervisor.look()
        first = supervisor.child
        assert first is not None
        os.kill(first.pid, signal.SIGKILL)
        assert first.wait(LONGEST_S) == -signal.SIGKILL
        supervisor.look()
        assert supervisor.child is not None
        assert supervisor.child.pid != first.pid
    finally:
        supervisor.end()


def test_one_that_ends_as_soon_as_it_begins_is_started_after_pauses(measured: World) -> None:
    supervisor = Supervisor("service.worker.embedded.nothing", measured.settings, wanted=lambda: True)
    supervisor.look()
    child = supervisor.child
    assert child is not None
    assert child.wait(LONGEST_S) == 1
    supervisor.look()
    assert supervisor.child is None, "it waits"
    supervisor._started_at -= 10.0
    supervisor.look()
    assert supervisor.child is not None
    supervisor.end()
