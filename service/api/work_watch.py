"""Tells agents that wait that there may be work for them: one look for all of them, once something was committed."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from latcast.errors import AuthenticationError
from latcast.schema import JobKind
from service.api.door.pools import Pool
from service.api.shared_looks import SharedLooks
from service.db.changes import LOOK_SECONDS, Changes
from service.db.session import Database
from service.fleet import access
from service.fleet.access import Principal
from service.jobs import queue

__all__ = ["AGENT_KINDS", "WorkWatch"]

AGENT_KINDS = frozenset({JobKind.PROFILE})
"""Jobs that agents lease."""


@dataclass(frozen=True, slots=True)
class _Look:
    """What a look saw: devices that have work, and keys that are still valid, by their ids."""

    devices: Collection[str]
    keys: Collection[str]


class WorkWatch:
    """Wakes agents when their device has work. Used from one event loop; looks in a thread, while somebody waits.

    Args:
        database: with the queue.
        changes: of the database; without one nobody looks for a second.
        pool: in which a look takes its place.
    """

    def __init__(self, database: Database, changes: Changes, *, pool: Pool) -> None:
        self._database = database
        self._looks: SharedLooks[Principal, _Look] = SharedLooks(
            self._look, pool=pool, pause_s=LOOK_SECONDS, mark=lambda: changes.generation
        )

    async def comes_within(self, caller: Principal, seconds: float) -> bool:
        """Wait until the agent's device may have work; False where none came in that time.

        Raises:
            AuthenticationError: the caller's key was revoked.
            UnavailableError: looking takes its turn with other look-ups, and there are too many.
        """
        try:
            async with asyncio.timeout(seconds):
                while not self._has_work(await self._looks.next(caller), caller):
                    continue
        except TimeoutError:
            return False
        return True

    @staticmethod
    def _has_work(look: _Look, caller: Principal) -> bool:
        if caller.key_id is not None and caller.key_id not in look.keys:
            raise AuthenticationError("The key was revoked.")
        return caller.device_id in look.devices

    def _look(self, callers: Sequence[Principal]) -> _Look:
        devices = {caller.device_id for caller in callers if caller.device_id is not None}
        keys = {caller.key_id for caller in callers if caller.key_id is not None}
        with self._database.read() as session:
            with_work = queue.devices_with_work(session, kinds=AGENT_KINDS, device_ids=devices)
            return _Look(with_work, access.valid_keys(session, keys))
