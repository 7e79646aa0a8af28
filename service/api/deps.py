"""What routes ask for: the application's parts, and who calls."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from latcast.errors import AuthenticationError
from latcast.schema import InputError
from latcast.schema.counting import counted
from predictors.foreign.reader import ReadsFeatures
from service.api.agent_writes import AgentWrites
from service.api.door.bodies import BodyReader
from service.api.door.callers import caller_at
from service.api.door.pools import Pools
from service.api.job_watch import JobWatch
from service.api.rate_limits import RateLimiter
from service.api.work_watch import WorkWatch
from service.db.changes import Changes
from service.db.session import Database
from service.fleet import access
from service.fleet.access import Principal, Scope
from service.fleet.identities import Identities
from service.forecasting.facts import NetworkFacts
from service.forecasting.memory import ForecastMemory
from service.forecasting.types import ForecasterLike
from service.forecasting.waiting_calls import WaitingCalls
from service.jobs.state_counts import JobCounts
from service.measurements.activity import Activity
from service.measurements.column_store import ColumnStore
from service.measurements.counts import MeasuredCounts
from service.operations.metrics import Metrics
from service.operations.readiness import Readiness
from service.settings import Settings

__all__ = ["AGENTS", "ENDING", "READERS", "Admin", "AgentOnly", "Allow", "Anybody", "Cursor", "Limit", "Measurer",
           "ModelReader", "Parts", "PartsOf", "Reader", "address_of", "identify", "is_ending"]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What one application is made of."""

    settings: Settings
    database: Database
    reader: ReadsFeatures
    forecaster: ForecasterLike
    memory: ForecastMemory | None
    facts: NetworkFacts
    limiter: RateLimiter
    forecast_limiter: RateLimiter
    metrics: Metrics
    readiness: Readiness
    pools: Pools
    bodies: BodyReader
    watch: JobWatch
    work: WorkWatch
    changes: Changes
    identities: Identities
    writes: AgentWrites
    activity: Activity
    jobs: JobCounts
    counts: MeasuredCounts
    columns: ColumnStore
    waiting: WaitingCalls


async def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


PartsOf = Annotated[Parts, Depends(_parts)]
_bearer = HTTPBearer(auto_error=False, description="A key; needed once the service has keys.")
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


class Allow:
    """Lets callers with one of the scopes pass; without scopes, everybody. Holds no connection while the call runs."""

    def __init__(self, *scopes: Scope) -> None:
        self._scopes = scopes

    async def __call__(self, request: Request, parts: PartsOf, credentials: Credentials) -> Principal:
        """Who calls; whoever called a moment ago is known without a thread.

        Raises:
            AuthenticationError: a key is needed, or the one that came is unknown or revoked.
            ForbiddenError: the key's scope does not reach this far.
            RateLimitedError: too many calls.
        """
        secret = credentials.credentials if credentials else None
        principal: Principal | None = getattr(request.state, "principal", None)  # of a call with a body
        if principal is None:
            needless = secret is None and not self._scopes
            principal = Principal() if needless else parts.identities.known(secret)
            if principal is None:
                principal = await run_in_threadpool(identify, parts, secret, address_of(request.client))
            request.state.caller = principal.key_id
        if not getattr(request.state, "admitted", False):
            self.admit(principal, parts, request.client)
        return principal

    def admit(self, principal: Principal, parts: Parts, client: Sequence[Any] | None) -> None:
        """Count a call, and let it pass.

        Raises:
            ForbiddenError: the key's scope does not reach this far.
            RateLimitedError: too many calls.
        """
        if not self._is_own(principal, parts, client):
            parts.limiter.take(principal.key_id or address_of(client))
        self.require_scope(principal)

    def require_scope(self, principal: Principal) -> None:
        """Let a caller pass without counting the call.

        Raises:
            ForbiddenError: the key's scope does not reach this far.
        """
        access.require_scope(principal, self._scopes or ("admin", "agent", "client", "measure"))

    def count_forecasts(self, principal: Principal, parts: Parts, client: Sequence[Any] | None, count: int) -> None:
        """Count what a caller wants forecast.

        Raises:
            RateLimitedError: too much.
        """
        if not self._is_own(principal, parts, client):
            parts.forecast_limiter.take(principal.key_id or address_of(client), count)

    def _is_own(self, principal: Principal, parts: Parts, client: Sequence[Any] | None) -> bool:
        """Whether somebody on this machine calls a service that has no keys, and nobody set a rate."""
        open_service = bool(self._scopes) and principal.key_id is None
        return (
            parts.settings.rate_per_second is None
            and open_service
            and client is not None
            and access.is_loopback(str(client[0]))
        )


def identify(parts: Parts, secret: str | None, address: str) -> Principal:
    """Who calls with this key; a key that is refused counts against the caller's address.

    Raises:
        AuthenticationError: a key is needed, or the one that came is unknown or revoked.
        RateLimitedError: too many refused keys.
    """
    if (known := parts.identities.known(secret)) is not None:
        return known
    generation = parts.changes.generation
    try:
        with parts.database.read() as session:
            principal = access.authenticate(session, secret, parts.settings)
        if principal.first_call and secret is not None:
            with parts.database.write.begin() as session:
                access.note_first_use(session, secret)
        parts.identities.remember(secret, principal, generation=generation)
        return principal
    except AuthenticationError:
        parts.limiter.take(address)
        raise


def address_of(client: Sequence[Any] | None) -> str:
    """How the limiter names a caller without a key; `client` is (host, port), None where it is not known."""
    return f"address {caller_at(str(client[0])) if client else 'unknown'}"


Anybody = Annotated[Principal, Depends(Allow())]
"""Everybody; a key that is sent has to be valid."""
Admin = Annotated[Principal, Depends(Allow("admin"))]
Measurer = Annotated[Principal, Depends(Allow("admin", "measure"))]
"""Whoever may have things measured."""
READERS = Allow("admin", "client", "measure")
Reader = Annotated[Principal, Depends(READERS)]
AGENTS = Allow("agent")
AgentOnly = Annotated[Principal, Depends(AGENTS)]
ModelReader = Annotated[Principal, Depends(Allow("admin", "client", "measure", "agent"))]

Cursor = Annotated[
    str | None, Query(max_length=200, description="`next_cursor` of the page before; leave it out for the first.")
]


async def _limit(
    parts: PartsOf, limit: Annotated[int, Query(ge=1, le=1_000_000, description="Most items on the page.")] = 100
) -> int:
    most = parts.settings.max_page_size
    if limit > most:
        raise InputError(f"limit: a page has at most {counted(most, 'item')}; use next_cursor to go on.")
    return limit


Limit = Annotated[int, Depends(_limit)]


ENDING = "ending"
"""Key of the application's state whose event says that the service is asked to end."""


def is_ending(request: Request) -> bool:
    """Whether the service is asked to end."""
    ending: asyncio.Event | None = getattr(request.state, ENDING, None)
    return ending is not None and ending.is_set()
