"""Statements that find what may be leased: put together once, whoever asks."""

from typing import Any

import pytest
from sqlalchemy import Engine, Select, event

from latcast.schema import JobKind
from service.db.session import Database
from service.jobs import queue
from service.jobs.leasable import DEVICE, any_leasable, first_of_each, offering_work
from tests.service.helpers import World

MEASURING = frozenset({JobKind.PROFILE})


def test_they_are_put_together_once() -> None:
    assert any_leasable(MEASURING, of_device=True) is any_leasable(frozenset([JobKind.PROFILE]), of_device=True)
    assert any_leasable(MEASURING, of_device=True) is not any_leasable(MEASURING, of_device=False)
    assert offering_work(MEASURING) is offering_work(frozenset([JobKind.PROFILE]))


def test_the_device_is_a_parameter_of_each_question(world: World) -> None:
    said: list[tuple[str, object]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        said.append((statement, parameters))

    engine: Engine = world.database.engine
    event.listen(engine, "before_cursor_execute", note)
    with world.database.read() as session:
        for device in ("one", "another"):
            worker = queue.Worker(device_id=device)
            assert not queue.has_work(session, kinds=MEASURING, worker=worker)
    (first, asked_of_one), (second, asked_of_another) = [
        each for each in said if "FROM job" in each[0] and "target.device_id" in each[0]
    ]
    assert first == second
    assert "one" in str(asked_of_one)
    assert "another" in str(asked_of_another)


@pytest.mark.parametrize("asks", [any_leasable(MEASURING, of_device=True), offering_work(MEASURING)])
def test_they_ask_for_devices(asks: object) -> None:
    assert DEVICE in asks.compile().params  # type: ignore[attr-defined]


@pytest.mark.parametrize("asks", [first_of_each(MEASURING), offering_work(MEASURING)])
def test_a_target_finds_its_job_in_an_index_though_nothing_is_known_of_the_tables(
    database: Database, asks: Select[Any]
) -> None:
    """PostgreSQL went through every job that waits, once for each device."""
    if database.engine.dialect.name == "sqlite":
        pytest.skip("looks at no statistics")
    literal = asks.params({DEVICE: ["one", "another"]}).compile(database.engine, compile_kwargs={"literal_binds": True})
    with database.engine.connect() as connection:
        plan = "\n".join(connection.exec_driver_sql(f"EXPLAIN {literal}").scalars())
    looked_up = [line for line in plan.splitlines() if "target_id" in line and "target.id" in line]
    assert looked_up
    assert all("Index Cond:" in line for line in looked_up), plan


def test_only_kinds_that_may_have_children_are_asked_for_them() -> None:
    assert "parent_id" not in str(first_of_each(MEASURING))
    assert "parent_id" in str(first_of_each(frozenset({JobKind.ADAPT})))
    assert "parent_id" in str(any_leasable(frozenset(JobKind), of_device=False))
