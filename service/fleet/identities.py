"""Who called with a key a moment ago: remembered while no key changed, so that calls need no look at it."""

from profilers.caching import Cache
from service.db.changes import Changes
from service.fleet.access import Principal, digest_of
from service.fleet.key_uses import KeyUses

__all__ = ["Identities"]

_MOST = 10_000


class Identities:
    """Principals by their keys. Thread-safe. A key that is revoked by another process is refused once `changes` says
    that keys changed, within a fifth of a second; `forget` makes this process ask at once.

    Args:
        changes: says when keys changed.
        uses: is told which keys are used.
    """

    def __init__(self, changes: Changes, uses: KeyUses) -> None:
        self._changes, self._uses = changes, uses
        self._known: Cache[str, tuple[int, Principal]] = Cache(_MOST)

    def known(self, secret: str | None) -> Principal | None:
        """Who calls with this key, or without one; None where the database has to be asked."""
        if not self._changes.reachable:
            return None
        generation, principal = self._known.get(_key(secret)) or (-1, None)
        if principal is None or generation < self._changes.of_keys or principal.is_expired:
            return None
        self._uses.note(principal.key_id)
        return principal

    def is_agents(self, secret: str) -> bool:
        """Whether an agent called with this key a moment ago."""
        _, principal = self._known.get(_key(secret)) or (-1, None)
        return principal is not None and principal.agent_id is not None

    def remember(self, secret: str | None, principal: Principal, *, generation: int) -> None:
        """Keep what the database said.

        Args:
            secret: the key, None for a call without one.
            principal: who calls with it.
            generation: `changes.generation` before the database was asked.
        """
        self._uses.note(principal.key_id)
        if not principal.first_call:
            self._known.put(_key(secret), (generation, principal))

    def forget(self) -> None:
        """Keys changed: ask the database about every one of them."""
        self._known = Cache(_MOST)


def _key(secret: str | None) -> str:
    return "" if secret is None else digest_of(secret)
