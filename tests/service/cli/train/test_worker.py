"""`latcast worker`: works on the database of the settings until nothing waits."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from service.cli.main import app
from service.db.session import Database, create_engine_for
from service.jobs import queue
from service.jobs.payloads import TrainPayload
from service.settings import Settings


def test_a_training_without_rows_fails_and_the_worker_ends(
    new_sqlite: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.nice", lambda _: 0)  # the test's own process keeps its priority
    monkeypatch.setattr("service.operations.logs.configure_logs", lambda _: None)  # and its logs
    database = Database(create_engine_for(Settings(database_url=new_sqlite)))
    with database.write.begin() as session:
        job_id = queue.enqueue(session, TrainPayload(predictor="flops"), max_attempts=1).id
    done = CliRunner().invoke(app, ["worker", "--once", "--database-url", new_sqlite, "--threads", "1"])
    assert done.exit_code == 0, done.output
    with database.read() as session:
        job = queue.find(session, job_id)
    assert job.state == "failed"
    assert "no measurement to learn from" in (job.result or {})["error"]
    database.close()


def test_what_trains_is_said_by_options_or_settings(new_sqlite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[Settings] = []
    monkeypatch.setattr("service.operations.logs.configure_logs", lambda _: None)
    monkeypatch.setattr(
        "service.worker.training.worker.work", lambda settings, _stop, *, once: found.append(settings) if once else None
    )
    monkeypatch.setenv("LATCAST_TRAINING_WORKERS", "5")
    for options in ([], ["--threads", "2", "--workers", "3", "--ray", "ray://head:10001"]):
        done = CliRunner().invoke(app, ["worker", "--once", "--database-url", new_sqlite, *options])
        assert done.exit_code == 0, done.output
    plain, told = found
    assert (plain.training_threads, plain.training_workers, plain.ray_address) == (1, 5, "")
    assert (told.training_threads, told.training_workers, told.ray_address) == (2, 3, "ray://head:10001")
