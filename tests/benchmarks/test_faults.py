"""Faults under agents that go on reporting: nothing acknowledged is lost, nothing is there twice, nothing is stuck."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import delete
from sqlalchemy.orm import Session

from benchmarks.faults.__main__ import main, run, table
from benchmarks.faults.databases import Postgres, Sqlite, TestedDatabase
from benchmarks.faults.world import count_losses
from latcast.schema import JobKind
from service.db import tables
from service.db.session import Database, create_engine_for, upgrade
from service.jobs import queue, reports
from service.settings import Settings
from tests.service.helpers import TARGET, measurement
from tests.service.jobs.test_queue_states import GRAPH, MEASURE, furnish, worker_of

KINDS: dict[str, tuple[type[TestedDatabase], tuple[str, ...]]] = {
    "sqlite": (
        Sqlite,
        ("service killed", "agents killed a day ahead", "worker killed", "training killed", "database locked"),
    ),
    "postgres": (Postgres, ("service killed", "database killed", "database read-only")),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_nothing_is_lost_doubled_or_stuck(name: str) -> None:
    kind, faults = KINDS[name]
    told: list[str] = []
    with TemporaryDirectory(prefix="latcast-faults-") as folder:  # a server's user may not enter pytest's own
        result = run(
            kind, Path(folder), faults=faults, rounds=100, minutes=5, agents=4, each=4, say=told.append,
            enough=lambda: len(told) == len(faults),
        )  # fmt: skip
    assert {fault: len(seconds) for fault, seconds in result["seconds"].items()} == dict.fromkeys(faults, 1)
    assert len(told) == len(faults)
    assert result["acknowledged"] > 20
    assert (result["lost"], result["double"], result["stuck"]) == (0, 0, 0), table([result])


def test_losses_are_counted(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'latcast.db'}"
    database = Database(create_engine_for(Settings(database_url=url)))
    upgrade(database.engine)
    with database.write.begin() as session:
        agent, *_others = furnish(session)
        rows = [_measure(session, worker_of(agent)) for _ in range(2)]
        _order(session)
    kept = count_losses(url, [*rows, rows[0]])
    assert (kept.acknowledged, kept.lost, kept.double, kept.stuck) == (2, 0, 0, 1)
    with database.write.begin() as session:
        session.execute(delete(tables.Measurement).where(tables.Measurement.id == rows[0]))
    assert count_losses(url, rows).lost == 1
    database.close()


def _order(session: Session) -> None:
    queue.enqueue(session, MEASURE, max_attempts=1, target_id=TARGET.id, graph_hash=GRAPH.hash)


def _measure(session: Session, agent: queue.Worker) -> int:
    _order(session)
    job = queue.lease(session, kinds={JobKind.PROFILE}, worker=agent, lease_seconds=60.0)
    assert job is not None
    receipt = reports.take_measurement(
        session, job_id=job.id, lease_token=str(job.lease_token), measurement=measurement(GRAPH.hash)
    )
    assert receipt.measurement_id is not None
    return receipt.measurement_id


def test_figures_are_a_table() -> None:
    result = {
        "database": "sqlite", "agents": 16, "seconds": {"service killed": [0.5, 1.5], "disk full": []},
        "acknowledged": 7, "lost": 0, "double": 0, "stuck": 1, "jobs": {"done": 7, "leased": 1},
    }  # fmt: skip
    lines = table([result]).splitlines()
    assert "| sqlite | service killed | 2 | 1.00 | 1.50 |" in lines
    assert "| sqlite | 7 | 0 | 0 | 1 | 7 done, 1 leased |" in lines


def test_unknown_databases_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--database", "oracle"])
    assert "oracle" in capsys.readouterr().err
