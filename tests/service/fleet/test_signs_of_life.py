"""Agents' signs of life: written now and then, and by whom."""

import time

import pytest
from sqlalchemy import delete, event, update
from sqlalchemy.orm import Session

from latcast.errors import AuthenticationError
from service.db.tables import Agent
from service.fleet import signs_of_life
from service.fleet.access import Principal
from service.fleet.signs_of_life import NOTE_S, SignsOfLife
from tests.service.helpers import World


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
        signs.note(session, caller)
        assert session.get_one(Agent, caller.agent_id, populate_existing=True).seen_unix_s > 1.0
        statements: list[str] = []
        event.listen(session.connection(), "before_cursor_execute", lambda *told: statements.append(told[2]))
        now += NOTE_S / 2
        signs.note(session, caller)
        assert statements == []
        now += NOTE_S
        signs.note(session, caller)
        assert len(statements) == 1


def test_only_agents_that_are_there_give_signs(world: World) -> None:
    world.agent()
    with world.database.write.begin() as session:
        with pytest.raises(AuthenticationError, match="Only agents"):
            SignsOfLife().note(session, Principal())
        caller = principal_of(session)
        session.execute(delete(Agent))
        with pytest.raises(AuthenticationError, match="unknown or was revoked"):
            SignsOfLife().note(session, caller)
        session.rollback()
