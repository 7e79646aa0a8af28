"""When agents last called, written down now and then: each time would be a statement in every one of their calls."""

import time

from sqlalchemy import update
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

    def note(self, session: Session, principal: Principal) -> None:
        """Write down that the caller's agent is there, unless this process did so just now.

        Args:
            session: in a transaction.
            principal: who calls.

        Raises:
            AuthenticationError: the call came without an agent's key, or the agent is gone.
        """
        agent_id, now = agent_id_of(principal), time.monotonic()
        if now - self._noted.get(agent_id, -NOTE_S) < NOTE_S:
            return
        found = session.execute(
            update(Agent).where(Agent.id == agent_id).values(seen_unix_s=time.time()).returning(Agent.id),
            execution_options={"synchronize_session": False},
        )
        if found.one_or_none() is None:
            raise AuthenticationError(REFUSED)
        self._noted[agent_id] = now
