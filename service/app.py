"""The application: parts, routes, and what runs beside them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.routing import APIRoute
from starlette.types import Lifespan

from predictors.foreign.reader import ForeignReader, ReadsFeatures
from service.api import problems
from service.api.agent_writes import AgentWrites
from service.api.deps import ENDING, Parts, identify
from service.api.door.bodies import BodyReader
from service.api.door.cancelling import CancelledCalls
from service.api.door.entity_tags import EntityTags
from service.api.door.origins import NamedHosts, SameSite
from service.api.door.pools import Pools
from service.api.door.prefix import BehindPrefix
from service.api.job_watch import JobWatch, look_at
from service.api.middleware import KeyBeforeBody, RequestContext
from service.api.quick_forecasts import QuickForecasts
from service.api.quick_reports import QuickReports
from service.api.rate_limits import KeepsBuckets, RateLimiter
from service.api.routes import (
    compare,
    curation,
    devices,
    docs,
    graphs,
    health,
    jobs,
    overview,
    predict,
    predictors,
    rows,
    session,
    targets,
)
from service.api.schemas import Problem
from service.api.shared_buckets import SharedBuckets
from service.api.web import MOUNTED_AT, web_app, web_dir
from service.api.web import router as web_router
from service.api.work_watch import WorkWatch
from service.db.changes import LOOK_SECONDS, Changes
from service.db.session import Database, create_engine_for
from service.fleet.identities import Identities
from service.fleet.key_uses import WRITE_SECONDS, KeyUses
from service.fleet.signs_of_life import SignsOfLife
from service.forecasting.facts import NetworkFacts
from service.forecasting.types import ForecasterLike
from service.forecasting.waiting_calls import WaitingCalls
from service.graphs.resolver import Resolver
from service.jobs.state_counts import JobCounts
from service.learning.artifact_check import ArtifactCheck
from service.measurements.activity import Activity
from service.measurements.column_store import ColumnStore
from service.measurements.counts import MeasuredCounts
from service.operations.logs import configure_logs
from service.operations.metrics import NOTE_SECONDS, CacheUse, Metrics
from service.operations.readiness import Readiness
from service.operations.traffic import TELL_SECONDS, Traffic
from service.settings import Settings, read_settings
from service.worker.abandoned import AbandonedJobs
from service.worker.leases import LeaseKeeper
from service.worker.loop import Ticker

if TYPE_CHECKING:
    from service.forecasting.memory import ForecastMemory
    from service.worker.background import Background

__all__ = ["create_app"]

VERSION = "/v1"
RATE_PER_SECOND = 100.0
"""Calls of each key or address where the settings say nothing."""
ABANDONED_TICKS = 10
"""Jobs that nobody will take are looked for so much less often than leases that ran out."""
ROUTERS = (devices.router, compare.router, graphs.router, jobs.router, predict.router, targets.router,
           predictors.router, curation.router, session.router, overview.router, rows.router)  # fmt: skip
"""The API's; its paths begin with the version."""
KEYLESS_ENDS = ("/devices/register",)
"""Ends of paths whose bodies hold an enrolment token in place of a key."""
DESCRIPTION = "Forecasts how long a neural network takes on a device before anybody runs it there."


def create_app(
    settings: Settings | None = None,
    *,
    reader: ReadsFeatures | None = None,
    forecaster: ForecasterLike | None = None,
    shared: Path | None = None,
    in_background: bool = True,
    counted_beside: Path | None = None,
    rehearses: bool = False,
) -> FastAPI:
    """The service over one database, which has to be at the newest migration (`service.db.session.upgrade`).

    Args:
        settings: read from the environment where left out.
        reader: reads foreign models within limits; by default in limited processes.
        forecaster: answers `POST /v1/predict`; by default `service.forecasting.forecaster`.
        shared: folder of what the processes of one service share; None where this one serves alone.
        in_background: whether threads of this process do the service's own jobs and learn from what is measured, where
            it has the default forecaster; `latcast serve` has another process for that.
        counted_beside: folder in which another process of the service counts; None without one.
        rehearses: whether it gets to know the search spaces before somebody asks, where the settings allow it and it
            has the default forecaster.
    """
    settings = settings or read_settings()
    configure_logs(settings)
    database = Database(create_engine_for(settings))
    closing: list[Callable[[], None]] = [database.close]
    if reader is None:
        reader = own_reader = ForeignReader(
            timeout_s=settings.reader_timeout_s,
            memory_bytes=settings.reader_memory_bytes,
            workers=settings.reader_workers,
        )
        closing.append(own_reader.close)
    leases = LeaseKeeper(database, lease_seconds=settings.lease_seconds)
    tickers = [
        Ticker("leases", settings.tick_seconds, leases.look),
        Ticker("abandoned", ABANDONED_TICKS * settings.tick_seconds, AbandonedJobs(database, settings).look),
    ]
    if forecaster is None:
        forecaster, background = _forecasting(settings, database, reader, in_background=in_background)
        if background is not None:
            tickers.extend(background.tickers)
            closing.insert(0, background.runner.give_back)
    changes, artifacts, uses = Changes(database), ArtifactCheck(database), KeyUses(database)
    tickers.append(Ticker("changes", LOOK_SECONDS, changes.look))
    tickers.append(Ticker("artifacts", settings.tick_seconds, artifacts.look))
    tickers.append(Ticker("uses of keys", WRITE_SECONDS, uses.look))
    writes = AgentWrites(database, SignsOfLife(), lease_seconds=settings.lease_seconds)
    closing[:0] = [writes.close, changes.close, uses.write]
    pools = Pools.of(settings)
    memory = _memory_of(forecaster, database, changes, settings)
    metrics = Metrics(_caches_of(forecaster, memory), others=counted_beside)
    parts = Parts(
        settings=settings,
        database=database,
        reader=reader,
        forecaster=forecaster,
        memory=memory,
        facts=NetworkFacts(database, _resolver_of(forecaster) or Resolver(database, reader)),
        limiter=RateLimiter(
            RATE_PER_SECOND if settings.rate_per_second is None else settings.rate_per_second,
            settings.rate_burst,
            buckets=_buckets(shared, "calls"),
        ),
        forecast_limiter=RateLimiter(
            settings.forecasts_per_second,
            settings.forecasts_per_second,
            what="forecasts",
            buckets=_buckets(shared, "forecasts"),
        ),
        metrics=metrics,
        readiness=Readiness(database, artifacts.sentence),
        pools=pools,
        bodies=BodyReader(pools.uploads, pause_s=settings.body_timeout_s),
        watch=JobWatch(partial(look_at, database, settings), pool=pools.reads),
        work=WorkWatch(database, changes, pool=pools.reads),
        changes=changes,
        identities=Identities(changes, uses),
        writes=writes,
        activity=Activity(),
        jobs=JobCounts(),
        counts=MeasuredCounts(),
        columns=ColumnStore(database, changes, cache_bytes=settings.column_cache_bytes),
        waiting=WaitingCalls(),
    )
    traffic = Traffic()
    if rehearses and settings.rehearse and (rehearsal := _rehearsal_of(forecaster, parts)) is not None:
        tickers.append(rehearsal)
    tickers.append(Ticker("traffic", TELL_SECONDS, traffic.tell))
    tickers.append(Ticker("caches", NOTE_SECONDS, metrics.note_caches))
    return _assemble(parts, memory, traffic, tickers, closing)


def _buckets(shared: Path | None, name: str) -> KeepsBuckets | None:
    return None if shared is None else SharedBuckets(shared / name)


def _memory_of(
    forecaster: ForecasterLike, database: Database, changes: Changes, settings: Settings
) -> "ForecastMemory | None":
    """Answers in memory, of a forecaster that has predictors."""
    from service.forecasting.forecaster import Forecaster
    from service.forecasting.memory import ForecastMemory

    if not isinstance(forecaster, Forecaster):
        return None
    return ForecastMemory(
        database, forecaster.catalogue, forecaster.selection, changes, most_bytes=settings.forecast_cache_bytes
    )


def _rehearsal_of(forecaster: ForecasterLike, parts: Parts) -> Ticker | None:
    """A thread that rehearses, for a forecaster that has predictors."""
    from service.forecasting.forecaster import Forecaster
    from service.forecasting.rehearsal import LOOK_SECONDS as REHEARSE_SECONDS
    from service.forecasting.rehearsal import Rehearsal

    if not isinstance(forecaster, Forecaster):
        return None
    return Ticker("rehearsal", REHEARSE_SECONDS, Rehearsal(parts.database, forecaster, parts.waiting).look)


def _resolver_of(forecaster: ForecasterLike) -> Resolver | None:
    from service.forecasting.forecaster import Forecaster

    return forecaster.resolver if isinstance(forecaster, Forecaster) else None


def _caches_of(forecaster: ForecasterLike, memory: "ForecastMemory | None") -> dict[str, CacheUse]:
    resolver = _resolver_of(forecaster)
    caches = {} if resolver is None else resolver.cache_uses()
    if memory is not None:
        caches["forecasts"] = lambda: (memory.hits, memory.misses)
    return caches


def _forecasting(
    settings: Settings, database: Database, reader: ReadsFeatures, *, in_background: bool
) -> "tuple[ForecasterLike, Background | None]":
    from service.forecasting.forecaster import Forecaster
    from service.worker.background import background_of

    forecaster = Forecaster(settings, database, reader)
    return forecaster, background_of(settings, database, forecaster) if in_background else None


def _assemble(
    parts: Parts,
    memory: "ForecastMemory | None",
    traffic: Traffic,
    tickers: Sequence[Ticker],
    closing: Sequence[Callable[[], None]],
) -> FastAPI:
    app = FastAPI(
        title="latcast",
        version=version("latcast"),
        description=DESCRIPTION,
        lifespan=_lifespan_of(parts.pools, tickers, closing),
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        generate_unique_id_function=lambda route: route.name,
        responses={"4XX": {"model": Problem, "content": {problems.MEDIA_TYPE: {}}}},
    )
    app.root_path = parts.settings.root_path.rstrip("/")  # as an argument, FastAPI warns of it at every start
    app.state.parts = parts
    _include_routes(app)
    problems.install(app)
    _add_middleware(app, parts, memory, traffic)
    return app


def _include_routes(app: FastAPI) -> None:
    """Every route of the API under its version; and without one, as it was, for agents and scripts that call it so."""
    for router in ROUTERS:
        app.include_router(router, prefix=VERSION)
    app.include_router(health.router)
    app.include_router(docs.router)
    app.include_router(web_router)
    app.mount(MOUNTED_AT, web_app(web_dir()), name="dashboard")
    for router in ROUTERS:
        app.include_router(router, include_in_schema=False)


def _lifespan_of(pools: Pools, tickers: Sequence[Ticker], closing: Sequence[Callable[[], None]]) -> Lifespan[FastAPI]:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[dict[str, object]]:
        pools.size_threads()
        for ticker in tickers:
            ticker.start()
        try:
            yield {ENDING: asyncio.Event()}
        finally:
            for ticker in tickers:
                ticker.stop()
            for close in closing:
                close()

    return lifespan


def _successor_of(settings: Settings) -> Callable[[str], str | None]:
    """Path → the versioned one of what version 0.1 called so; None for all others."""
    former = {route.path.split("/")[1] for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)}
    prefix = settings.root_path.rstrip("/")

    def successor(path: str) -> str | None:
        inside = path.removeprefix(prefix)
        return f"{prefix}{VERSION}{inside}" if inside[1:].partition("/")[0] in former else None

    return successor


def _add_middleware(app: FastAPI, parts: Parts, memory: "ForecastMemory | None", traffic: Traffic) -> None:
    """The last one added is the outermost."""
    settings = parts.settings
    app.add_middleware(EntityTags)
    app.add_middleware(CancelledCalls)
    app.add_middleware(QuickReports, parts=parts)
    if memory is not None:
        app.add_middleware(QuickForecasts, parts=parts, memory=memory)
    app.add_middleware(BehindPrefix, prefix=settings.root_path)
    app.add_middleware(
        KeyBeforeBody,
        known=parts.identities.known,
        identify=lambda secret, address: identify(parts, secret, address),
        keyless=lambda path: path.endswith(KEYLESS_ENDS),
    )
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.cors_origins),
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type"],
        )
    app.add_middleware(SameSite, origins=settings.cors_origins)
    app.add_middleware(NamedHosts, listens_on=settings.host, allowed=settings.allowed_hosts)
    app.add_middleware(
        RequestContext, metrics=parts.metrics, traffic=traffic, waiting=parts.waiting, successor=_successor_of(settings)
    )
