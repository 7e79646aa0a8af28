"""The worker beside the service: started when a training waits, and ended with the service."""

import time

import pytest

from service.worker.embedded.supervisor import EmbeddedWorker, embedded_worker
from tests.service.helpers import World

LONGEST_S = 120.0


@pytest.fixture
def database_url(new_sqlite: str) -> str:
    """SQLite alone: a file that two processes share."""
    return new_sqlite


def test_it_trains_what_waits_and_ends_by_itself(measured: World) -> None:
    supervisor = EmbeddedWorker(measured.database, measured.settings)
    supervisor.look()
    assert supervisor._child is None, "nothing waits"
    job_id = measured.client.train("flops", folds=0)["id"]
    supervisor.look()
    child = supervisor._child
    assert child is not None
    assert child.wait(LONGEST_S) == 0
    assert measured.client.job(job_id)["state"] == "done"
    supervisor.look()
    assert supervisor._child is None
    supervisor.end()


def test_it_ends_with_the_service_and_leaves_its_training_to_others(
    measured: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.worker.embedded.supervisor.LOOK_S", 0.05)
    # So many trees that it cannot be done before it is ended.
    job_id = measured.client.train("boosted_trees", hyperparameters={"trees": 10**6, "boosters": 50}, folds=0)["id"]
    with embedded_worker(measured.settings):
        until = time.monotonic() + LONGEST_S
        while measured.client.job(job_id)["state"] != "leased" and time.monotonic() < until:
            time.sleep(0.05)
        assert measured.client.job(job_id)["state"] == "leased"
    job = measured.client.job(job_id)
    assert (job["state"], job["attempts"]) == ("queued", 0)


def test_it_can_be_turned_off(measured: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("no worker is wanted")

    monkeypatch.setattr("service.worker.embedded.supervisor.EmbeddedWorker", never)
    with embedded_worker(measured.settings.model_copy(update={"embedded_worker": False})):
        pass
