"""Statements that find what may be leased: put together once, whoever asks."""

import pytest
from sqlalchemy import Engine, event

from latcast.schema import JobKind
from service.jobs import queue
from service.jobs.leasable import DEVICE, any_leasable, offering_work
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
