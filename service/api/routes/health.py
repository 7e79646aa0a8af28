"""Liveness, readiness, metrics."""

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from service.api import schemas
from service.api.deps import PartsOf, Reader
from service.forecasting.track_record import track_gauges
from service.jobs.gauges import fleet_gauges
from service.operations.readiness import is_ready

__all__ = ["router"]

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def alive() -> dict[str, str]:
    """The process answers, whatever its threads are busy with."""
    return {"status": "ok"}


@router.get("/readyz", responses={503: {"model": schemas.HealthOut}})
def ready(parts: PartsOf, response: Response) -> schemas.HealthOut:
    """The state of database, migrations and artifacts; 503 with a sentence where calls cannot be answered."""
    state = parts.readiness.state()
    response.status_code = 200 if is_ready(state) else 503
    return schemas.HealthOut(ready=is_ready(state), parts=dict(state))


@router.get("/metrics", response_class=Response)
def metrics(parts: PartsOf, _caller: Reader) -> Response:
    """Counters in Prometheus' text format."""
    with parts.database.read() as session:
        gauges = fleet_gauges(session, parts.settings) | track_gauges(session)
    return Response(parts.metrics.render(gauges), media_type=CONTENT_TYPE_LATEST)
