"""Looks again and again at the jobs whose events are read: once for all readers together."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from latcast.errors import AuthenticationError, NotFoundError
from service.api import schemas, views
from service.api.door.pools import Pool
from service.api.shared_looks import SharedLooks
from service.db.session import Database
from service.fleet import access
from service.fleet.access import Principal
from service.settings import Settings

__all__ = ["JobWatch", "Look", "look_at"]

PAUSE_S = 0.25


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at the database saw.

    Args:
        jobs: by id, those that are there.
        keys: ids of the keys that are still valid.
    """

    jobs: Mapping[str, schemas.JobOut]
    keys: Collection[str]


def look_at(database: Database, settings: Settings, job_ids: Collection[str], key_ids: Collection[str]) -> Look:
    """Look at jobs, and at the keys of those who read about them."""
    with database.read() as session:
        return Look(views.jobs_out(session, job_ids, settings), access.valid_keys(session, key_ids))


class JobWatch:
    """Hands every reader what the next look saw of its job. Used from one event loop; looks in a thread.

    Args:
        look: at jobs and keys, by their ids.
        pool: in which a look takes its place.
        pause_s: between looks.
    """

    def __init__(
        self, look: Callable[[Collection[str], Collection[str]], Look], *, pool: Pool, pause_s: float = PAUSE_S
    ) -> None:
        self.look = look
        self._looks: SharedLooks[tuple[str, str | None], Look] = SharedLooks(self._look, pool=pool, pause_s=pause_s)

    async def next(self, job_id: str, caller: Principal) -> schemas.JobOut:
        """The job as the next look sees it.

        Raises:
            AuthenticationError: the caller's key was revoked.
            NotFoundError: there is no such job any more.
            UnavailableError: looking takes its turn with other look-ups, and there are too many.
        """
        look = await self._looks.next((job_id, caller.key_id))
        if caller.key_id is not None and caller.key_id not in look.keys:
            raise AuthenticationError("The key was revoked.")
        if job_id not in look.jobs:
            raise NotFoundError(f"There is no job {job_id!r}.")
        return look.jobs[job_id]

    def _look(self, asked: Sequence[tuple[str, str | None]]) -> Look:
        return self.look({job_id for job_id, _ in asked}, {key_id for _, key_id in asked if key_id is not None})
