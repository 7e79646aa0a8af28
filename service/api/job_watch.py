"""Looks again and again at the jobs whose events are read: once for all readers together."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial

from latcast.errors import AuthenticationError, NotFoundError
from service.api import schemas, views
from service.api.door.pools import Pool
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


@dataclass(frozen=True, slots=True)
class _Reader:
    job_id: str
    key_id: str | None
    seen: "asyncio.Future[schemas.JobOut]"

    def take(self, look: Look) -> None:
        if self.seen.done():  # the reader has gone
            return
        if self.key_id is not None and self.key_id not in look.keys:
            self.seen.set_exception(AuthenticationError("The key was revoked."))
        elif self.job_id not in look.jobs:
            self.seen.set_exception(NotFoundError(f"There is no job {self.job_id!r}."))
        else:
            self.seen.set_result(look.jobs[self.job_id])

    def fail(self, error: BaseException) -> None:
        if not self.seen.done():
            self.seen.set_exception(error)


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
        self.look, self.pause_s, self._pool = look, pause_s, pool
        self._readers: list[_Reader] = []
        self._looking: asyncio.Task[None] | None = None

    async def next(self, job_id: str, caller: Principal) -> schemas.JobOut:
        """The job as the next look sees it.

        Raises:
            AuthenticationError: the caller's key was revoked.
            NotFoundError: there is no such job any more.
            UnavailableError: looking takes its turn with other look-ups, and there are too many.
        """
        reader = _Reader(job_id, caller.key_id, asyncio.get_running_loop().create_future())
        self._readers.append(reader)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look_while_somebody_reads())
        return await reader.seen

    async def _look_while_somebody_reads(self) -> None:
        while self._readers:
            await asyncio.sleep(self.pause_s)
            readers, self._readers = self._readers, []
            jobs = {reader.job_id for reader in readers if not reader.seen.done()}
            keys = {reader.key_id for reader in readers if reader.key_id is not None}
            try:
                look = await self._pool.run(partial(self.look, jobs, keys))
            except Exception as error:  # noqa: BLE001 - it is the readers' to handle
                for reader in readers:
                    reader.fail(error)
                continue
            for reader in readers:
                reader.take(look)
            await asyncio.sleep(0)  # let them come back for the next look
