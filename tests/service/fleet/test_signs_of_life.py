"""Agents' signs of life: written now and then, and by whom."""

import time
from dataclasses import replace

import pytest
from sqlalchemy import delete, event, update
from sqlalchemy.orm import Session

from service.db.tables import Agent
from service.fleet import signs_of_life
from service.fleet.access import Principal
from service.fleet.signs_of_life import NOTE_S, SignsOfLife
from tests.service.helpers import DEVICE, World


def principal_of(session: Session) -> Principal:
    agent = session.query(Agent).one()
    return Principal(agent_id=agent.id, device_id=agent.device_id, key_id=agent.api_key_id)


def test_a_sign_is_written_once_in_a_while(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.agent()
    signs, now = SignsOfLife(), time.monotonic()
    monkeypatch.setattr(signs_of_life.time, "monotonic", lambda: now)
    with world.database.write.begin() as session:
        caller = principal_of(session)
        session.execute(update(Agent).values(seen_unix_s=1.0))
        assert signs.note(session, [caller]) == [None]
        assert session.get_one(Agent, caller.agent_id, populate_existing=True).seen_unix_s > 1.0
        statements: list[str] = []
        event.listen(session.connection(), "before_cursor_execute", lambda *told: statements.append(told[2]))
        now += NOTE_S / 2
        assert signs.note(session, [caller]) == [None]
        assert statements == []
        now += NOTE_S
        assert signs.note(session, [caller]) == [None]
        assert len(statements) == 1


def test_only_agents_that_are_there_give_signs(world: World) -> None:
    world.agent()
    with world.database.write.begin() as session:
        caller = principal_of(session)
        here, without = SignsOfLife().note(session, [caller, Principal()])
        assert here is None
        assert "Only agents" in str(without)
        session.execute(delete(Agent))
        (gone,) = SignsOfLife().note(session, [caller])
        assert "unknown or was revoked" in str(gone)
        session.rollback()


def test_signs_of_many_are_one_statement_and_each_has_its_own_answer(world: World) -> None:
    for number in range(5):
        world.agent(device=replace(DEVICE, fingerprint=f"machine-{number}", name=f"machine-{number}"), targets=())
    with world.database.write.begin() as session:
        agents = session.query(Agent).order_by(Agent.id).all()
        callers = [Principal(agent_id=each.id, device_id=each.device_id, key_id=each.api_key_id) for each in agents]
        lost = replace(callers[0], agent_id="none")
        session.execute(update(Agent).values(seen_unix_s=1.0))
        signs, statements = SignsOfLife(), list[str]()
        event.listen(session.connection(), "before_cursor_execute", lambda *told: statements.append(told[2]))
        answers = signs.note(session, [*callers, lost, callers[1]])
        assert [error is None for error in answers] == [*[True] * len(callers), False, True]
        assert len(statements) == 1
        assert all(each.seen_unix_s > 1.0 for each in session.query(Agent).populate_existing())
