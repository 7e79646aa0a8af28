"""What agents call for: a job, and a report's way to the queue, for the routes and for what stands in front of them."""

import time

from fastapi import Request

from latcast.schema import Failure, Measurement
from service.api import schemas
from service.api.deps import Parts, is_ending
from service.fleet.access import Principal
from service.jobs.reports import Report

__all__ = ["NOBODY", "lease_within", "report_of"]

NOBODY = ""
"""The device of a caller without an agent's key, as on an open service: no lease is its own."""
POLL_SECONDS = 0.25
"""How often a waiting call looks whether its caller is still there; it holds neither a thread nor a connection."""


async def lease_within(wait_s: float, request: Request, parts: Parts, caller: Principal) -> schemas.LeaseOut | None:
    """A job for the caller's device, which may come while the call waits; None where none came.

    Args:
        wait_s: how long to wait; at most what the settings allow.
        request: whose caller may go meanwhile.
        parts: of the application.
        caller: an agent.

    Raises:
        AuthenticationError: the caller's key is no agent's, or was revoked.
        UnavailableError: the service ends, or has its hands full.
    """
    until = time.monotonic() + min(wait_s, parts.settings.max_lease_wait_s)
    while True:
        if (job := await parts.writes.lease(caller)) is not None:
            return job
        if not await _work_comes(request, parts, caller, until):
            return None


async def _work_comes(request: Request, parts: Parts, caller: Principal, until: float) -> bool:
    """Wait until there may be a job; False once the time is over, or the caller or the service goes."""
    while (left := until - time.monotonic()) > 0 and not is_ending(request) and not await request.is_disconnected():
        if await parts.work.comes_within(caller, min(POLL_SECONDS, left)):
            return True
    return False


def report_of(job_id: str, lease_token: str, outcome: Measurement | Failure, caller: Principal) -> Report:
    """What a caller reports about a job."""
    return Report(job_id=job_id, lease_token=lease_token, outcome=outcome, device_id=caller.device_id or NOBODY)
