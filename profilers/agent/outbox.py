"""Reports that wait to be taken: in memory, and measurements also on disk, until the source has acknowledged them."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from latcast.schema import Failure, InputError, Measurement, from_plain, to_plain
from profilers.agent.jobs import Job, SourceFailedError
from profilers.agent.spool import Spool

__all__ = ["Outbox"]

log = logging.getLogger(__name__)

PATIENCE_S = 60.0
"""So long a report that the source fails at is tried before anything else is done: most failures are short."""
PUT_OFF_S = 300.0
"""After that it is tried every so often, beside other work."""
MOST_PUT_OFF = 20
"""With so many reports of this life that nobody takes, measuring more is of no use."""

Report = Measurement | Failure


@dataclass(slots=True)
class _Entry:
    job: Job
    report: Report
    earlier: bool = False
    failing_since: float | None = None
    not_before: float = 0.0


class Outbox:
    """The reports of an agent, each until it is taken or refused. Used by one thread.

    Args:
        spool: keeps measurements beyond this life; what an earlier life left there waits here from the beginning.
    """

    def __init__(self, spool: Spool | None) -> None:
        self._spool = spool
        self._entries: dict[str, _Entry] = {}
        for record in spool.pending() if spool else ():
            try:
                job, report = from_plain(Job, record["job"]), from_plain(Measurement, record["measurement"])
            except (KeyError, InputError) as error:
                log.warning("a spooled result cannot be read any more and is left where it is: %s", error)
                continue
            self._entries[job.lease_token] = _Entry(job, report, earlier=True)

    def put(self, job: Job, report: Report) -> None:
        """Add a report; a measurement is on the disk when this returns, unless the disk takes nothing."""
        self._entries[job.lease_token] = _Entry(job, report)
        if self._spool and isinstance(report, Measurement):
            try:
                self._spool.keep(job.lease_token, {"job": to_plain(job), "measurement": to_plain(report)})
            except OSError as error:
                log.warning("the result is kept in memory alone: %s", error)

    def deliver(self, send: Callable[[Job, Report], None], *, put_off: Callable[[Job, str], None]) -> None:
        """Send every report whose time has come.

        Args:
            send: returns once the report is taken or refused for good, and is not wanted here any longer.
            put_off: told of a report which the source fails at for so long that other work goes on meanwhile.

        Raises:
            SourceUnavailableError: the source is away, or fails at something; nothing else should be done yet.
            AgentRefusedError: the source takes nothing from this agent; what was not taken is still here.
        """
        failed: SourceFailedError | None = None
        for entry in [entry for entry in self._entries.values() if entry.not_before <= time.monotonic()]:
            try:
                send(entry.job, entry.report)
            except SourceFailedError as error:
                if self._patient(entry):
                    failed = error
                else:
                    put_off(entry.job, str(error))
            else:
                self._drop(entry)
        if failed is None and self._is_full():
            failed = SourceFailedError("The service takes no results.")
        if failed is not None:
            raise failed

    @staticmethod
    def _patient(entry: _Entry) -> bool:
        """Whether to try again at once; else the report is put off."""
        now = time.monotonic()
        if entry.failing_since is None:
            entry.failing_since = now
        if now - entry.failing_since < PATIENCE_S:
            return True
        entry.not_before = now + PUT_OFF_S
        return False

    def _is_full(self) -> bool:
        put_off = [entry for entry in self._entries.values() if entry.not_before and not entry.earlier]
        return len(put_off) >= MOST_PUT_OFF

    def _drop(self, entry: _Entry) -> None:
        del self._entries[entry.job.lease_token]
        if self._spool:
            try:
                self._spool.drop(entry.job.lease_token)
            except OSError as error:
                log.warning("an acknowledged result stays in the spool: %s", error)
