"""When keys were last used: noted in memory at each call, and written down every few minutes."""

import time

from sqlalchemy import or_, update

from service.db.session import Database
from service.db.tables import ApiKey

__all__ = ["WRITE_SECONDS", "KeyUses"]

WRITE_SECONDS = 300.0
"""Pause between two writings; a commit makes every process look what has changed."""


class KeyUses:
    """Last uses of keys. `note` may be called from any thread, and is cheap; `write` by one at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._used: dict[str, float] = {}

    def note(self, key_id: str | None) -> None:
        """A call came with this key just now."""
        if key_id is not None:
            self._used[key_id] = time.time()

    def look(self) -> bool:
        """Write down what was noted; False, as the thread that calls it again has nothing to catch up with."""
        self.write()
        return False

    def write(self) -> None:
        """Write down what was noted."""
        used, self._used = self._used, {}
        if used:
            with self._database.write.begin() as session:
                for key_id, at in sorted(used.items()):  # in one order: two processes do not wait for each other
                    earlier = or_(ApiKey.last_used_unix_s.is_(None), ApiKey.last_used_unix_s < at)
                    session.execute(update(ApiKey).where(ApiKey.id == key_id, earlier).values(last_used_unix_s=at))
