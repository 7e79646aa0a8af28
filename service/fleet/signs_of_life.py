"""When agents last called, written down now and then: each time would be a statement in every one of their calls."""

import time
from collections.abc import Sequence

from sqlalchemy import bindparam, update
from sqlalchemy.orm import Session

from latcast.errors import AuthenticationError
from service.db.tables import Agent
from service.fleet.access import REFUSED, Principal, agent_id_of

__all__ = ["NOTE_S", "SignsOfLife"]

NOTE_S = 5.0
"""Signs of life of an agent that one process writes down are this far apart, in s."""


class SignsOfLife:
    """Notes that agents are there. Thread-safe; of one process, which remembers what it noted."""

    def __init__(self) -> None:
        self._noted: dict[str, float] = {}

    def note(self, session: Session, principals: Sequence[Principal]) -> list[AuthenticationError | None]:
        """Write down that callers' agents are there, in one statement, unless this process did so just now.

        Args:
            session: in a transaction.
            principals: who call.

        Returns:
            For each, the error of one that came without an agent's key, or whose agent is gone.
        """
        now = time.monotonic()
        agents = [_agent_of(principal) for principal in principals]
        due = sorted(
            {agent for agent in agents if isinstance(agent, str) and now - self._noted.get(agent, -NOTE_S) >= NOTE_S}
        )
        there = self._written(session, due) if due else set()
        self._noted |= dict.fromkeys(there, now)
        gone = set(due) - there
        return [
            agent if isinstance(agent, AuthenticationError) else AuthenticationError(REFUSED) if agent in gone else None
            for agent in agents
        ]

    def _written(self, session: Session, agent_ids: Sequence[str]) -> set[str]:
        """Those of the agents that are there still."""
        return set(
            session.scalars(_SEEN, {IDS: agent_ids, NOW: time.time()}, execution_options={"synchronize_session": False})
        )


IDS, NOW = "ids", "now_unix_s"
_SEEN = (
    update(Agent)
    .where(Agent.id.in_(bindparam(IDS, expanding=True)))
    .values(seen_unix_s=bindparam(NOW))
    .returning(Agent.id)
)


def _agent_of(principal: Principal) -> str | AuthenticationError:
    try:
        return agent_id_of(principal)
    except AuthenticationError as error:
        return error
