"""Faults under agents that go on reporting: nothing acknowledged is lost, nothing is there twice, nothing is stuck."""

from pathlib import Path

import pytest
from sqlalchemy import delete

from benchmarks.faults.__main__ import main, run, table
from benchmarks.faults.databases import Postgres, Sqlite, TestedDatabase
from benchmarks.faults.world import count_losses
from service.db import tables
from service.db.session import Database
from tests.service.helpers import World

KINDS: dict[str, tuple[type[TestedDatabase], tuple[str, ...]]] = {
    "sqlite": (Sqlite, ("service killed", "agents killed a day ahead", "database locked")),
    "postgres": (Postgres, ("service killed", "database killed", "database read-only")),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_nothing_is_lost_doubled_or_stuck(name: str, tmp_path: Path) -> None:
    kind, faults = KINDS[name]
    told: list[str] = []
    result = run(kind, tmp_path, faults=faults, rounds=1, minutes=5, agents=4, each=4, say=told.append)
    assert {fault: len(seconds) for fault, seconds in result["seconds"].items()} == dict.fromkeys(faults, 1)
    assert len(told) == len(faults)
    assert result["acknowledged"] > 20
    assert (result["lost"], result["double"], result["stuck"]) == (0, 0, 0), table([result])


def test_losses_are_counted(world: World) -> None:
    agent = world.agent()
    first, second = (world.measure(agent, width) for width in (1, 2))
    world.client.profile(_target(world), graphs=[world.graph()])
    kept = count_losses(world.settings.url, [first, second, second])
    assert (kept.acknowledged, kept.lost, kept.double, kept.stuck) == (2, 0, 0, 1)
    _forget(world.database, first)
    assert count_losses(world.settings.url, [first, second]).lost == 1


def _target(world: World) -> str:
    return str(world.client.targets()[0]["id"])


def _forget(database: Database, row: int) -> None:
    with database.write.begin() as session:
        session.execute(delete(tables.Measurement).where(tables.Measurement.id == row))


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
