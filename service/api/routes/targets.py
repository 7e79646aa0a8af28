"""Targets and their measurements: list, page, export, adapt, compare with forecasts."""

import tempfile
from collections.abc import Iterator
from itertools import chain, islice
from typing import IO, Annotated

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import StreamingResponse

from latcast.schema import Microbench
from profilers.search_spaces import get_space
from service.api import schemas, views
from service.api.deps import AgentOnly, Cursor, Limit, Measurer, ModelReader, Parts, PartsOf, Reader
from service.api.door.routes import Route
from service.api.submitters import submitter_of
from service.fleet import access, microbenchmarks
from service.fleet.targets import find_target, targets_page
from service.forecasting.history import adaptation_errors, pairs_by_operator
from service.forecasting.lookup_tables import lookup_table
from service.forecasting.state import state_of
from service.forecasting.track_record import track_record
from service.graphs.names import find_wanted_hash
from service.jobs import submission
from service.measurements import export, pages

__all__ = ["PARQUET", "as_file", "router", "sent"]

router = APIRouter(tags=["targets"], route_class=Route)
SpaceName = Annotated[str, Query(max_length=100, description="Search space whose architectures have fixed positions.")]
Samples = Annotated[int, Query(ge=10, le=10_000, description="Architectures at random that it is made of.")]
CHUNK_BYTES = 1 << 16
ARTIFACT = "application/octet-stream"
PARQUET = "application/vnd.apache.parquet"


@router.get("/targets")
def list_targets(
    parts: PartsOf, _caller: Reader, limit: Limit, cursor: Cursor = None, *, hidden: bool = False
) -> schemas.Listed[schemas.TargetOut]:
    """Targets, by id; with `hidden`, those that were taken out of sight instead."""
    with parts.database.read() as session:
        page = targets_page(session, limit=limit, cursor=cursor, hidden=hidden)
        items = views.targets_out(session, [row for (row,) in page.items], parts.settings, parts.counts.of(session))
    return schemas.Listed(items=items, next_cursor=page.next_cursor)


@router.get("/targets/{target_id}")
def get_target(target_id: str, parts: PartsOf, _caller: Reader) -> schemas.TargetOut:
    """One target, with the adaptation that answers for it."""
    with parts.database.read() as session:
        found = find_target(session, target_id)
        return views.targets_out(session, [found], parts.settings, parts.counts.of(session))[0]


@router.get("/targets/{target_id}/state")
def get_target_state(target_id: str, parts: PartsOf, _caller: Reader) -> schemas.TargetState:
    """A text that is another as soon as forecasts for the target may be: whoever keeps answers asks for it first."""
    parts.changes.look()  # so that forecasts which are asked for next are not older than this
    with parts.database.read() as session:
        return schemas.TargetState(target=target_id, state=state_of(session, target_id))


@router.get("/targets/{target_id}/contenders")
def get_contenders(target_id: str, parts: PartsOf, _caller: Reader) -> schemas.ContendersOut:
    """Who contends to answer for graphs, and for the search spaces of which the target has measurements: the error of
    each on measured networks that it was not shown, and how far it is believed.
    """
    with parts.database.read() as session:
        target_id = find_target(session, target_id).id
    found = parts.forecaster.contenders(target_id)
    spaces = [schemas.SpaceContendersOut.model_validate(one) for one in found]
    return schemas.ContendersOut(target=target_id, spaces=spaces)


@router.get("/targets/{target_id}/lookup-table")
def get_lookup_table(
    target_id: str, space: SpaceName, parts: PartsOf, _caller: Reader, samples: Samples = 1000
) -> schemas.LookupTableOut:
    """What each option of a search space costs at each position, in ms: the sum that is closest to the forecasts of
    architectures at random, and how close it is. Takes long where forecasts need graphs.
    """
    with parts.database.read() as session:
        target_id = find_target(session, target_id).id
    return views.lookup_table_out(target_id, lookup_table(parts.forecaster, target_id, space, samples=samples))


@router.get(
    "/targets/{target_id}/predictor",
    response_class=Response,
    responses={200: {"content": {ARTIFACT: {"schema": {"type": "string", "format": "binary"}}}}},
)
def get_target_predictor(target_id: str, space: SpaceName, parts: PartsOf, _caller: Reader) -> Response:
    """The predictor that answers for architectures of a space, adapted to the target, as an artifact: for loops that
    forecast in their own process.
    """
    with parts.database.read() as session:
        target_id = find_target(session, target_id).id
    content = parts.forecaster.artifact(target_id, get_space(space).name)
    return Response(content, media_type=ARTIFACT, headers=as_file(f"{target_id}.safetensors"))


@router.post("/targets/{target_id}/adapt", status_code=202)
def adapt_target(target_id: str, body: schemas.AdaptIn, parts: PartsOf, caller: Measurer) -> schemas.JobRef:
    """Have graphs measured, adapt a predictor to them and let it answer; follow the job to see it happen."""
    submitter = submitter_of(caller, body.priority)
    job = submission.adapt(
        parts.database, parts.settings, target_id=target_id, payload=body.payload(), submitter=submitter
    )
    return views.job_ref(job)


@router.put("/targets/{target_id}/microbench")
def put_microbench(target_id: str, body: Microbench, parts: PartsOf, caller: AgentOnly) -> schemas.MicrobenchOut:
    """Report the hardware descriptor of a target; repeating the report is harmless."""
    with parts.database.write.begin() as session:
        device_id = access.agent_of(session, caller).device_id
        microbenchmarks.save_microbench(session, target_id, body, device_id=device_id)
        return views.microbench_out(session, target_id)


@router.get("/targets/{target_id}/microbench")
def get_microbench(target_id: str, parts: PartsOf, _caller: ModelReader) -> schemas.MicrobenchOut:
    """The hardware descriptor that represents a target: the newest one that is not noisy."""
    with parts.database.read() as session:
        return views.microbench_out(session, target_id)


def _filter(
    *,
    target_id: str,
    parts: PartsOf,
    outcome: pages.Outcome = "all",
    noisy: bool | None = None,
    graph: Annotated[str | None, Query(max_length=100, description="Hash of a graph, or its beginning.")] = None,
    space: Annotated[str | None, Query(max_length=100)] = None,
    hidden: Annotated[bool, Query(description="Rows that were hidden, instead of the others.")] = False,
) -> pages.Filter:
    with parts.database.read() as session:
        target_id = find_target(session, target_id).id
        graph = None if graph is None else find_wanted_hash(session, graph)
    return pages.Filter(target_id=target_id, outcome=outcome, noisy=noisy, graph=graph, space=space, hidden=hidden)


Wanted = Annotated[pages.Filter, Depends(_filter)]


@router.get("/targets/{target_id}/measurements")
def list_measurements(
    _caller: Reader,
    wanted: Wanted,
    parts: PartsOf,
    limit: Limit,
    cursor: Cursor = None,
    sort: pages.Sort = "-id",
) -> schemas.MeasurementsPage:
    """Measurements of a target with their summaries, a page at a time."""
    with parts.database.read() as session:
        page = pages.page(session, wanted, limit=limit, cursor=cursor, sort=sort)
    return schemas.MeasurementsPage(items=page.items, next_cursor=page.next_cursor)


@router.get("/measurements/{measurement_id}")
def get_measurement(measurement_id: int, parts: PartsOf, _caller: Reader) -> schemas.MeasurementOut:
    """One measurement whole: every sample, kernel and counter."""
    with parts.database.read() as session:
        return views.measurement_out(session, pages.measurement_row(session, measurement_id))


@router.get(
    "/targets/{target_id}/dataset.csv", response_class=StreamingResponse, responses={200: {"content": {"text/csv": {}}}}
)
def export_csv(_caller: Reader, wanted: Wanted, parts: PartsOf) -> StreamingResponse:
    """The measurements as CSV, with device and target; texts that spreadsheets would run as formulas are harmless."""
    lines = _csv(parts, wanted)
    # The header and the first row are drawn here: once the answer has begun, a refusal can only break it off.
    first = list(islice(lines, 2))
    return StreamingResponse(
        chain(first, lines), media_type="text/csv; charset=utf-8", headers=as_file(f"{wanted.target_id}.csv")
    )


def _csv(parts: Parts, wanted: pages.Filter) -> Iterator[str]:
    with parts.database.read() as session:
        yield from export.csv_lines(session, find_target(session, wanted.target_id), pages.iterate(session, wanted))


@router.get(
    "/targets/{target_id}/dataset.parquet",
    response_class=StreamingResponse,
    responses={200: {"content": {PARQUET: {}}}},
)
def export_parquet(_caller: Reader, wanted: Wanted, parts: PartsOf) -> StreamingResponse:
    """The measurements with all their samples, kernels and counters, device and target as Parquet."""
    out = tempfile.TemporaryFile()  # noqa: SIM115 - closed when it has been sent
    with parts.database.read() as session:
        export.write_parquet(session, find_target(session, wanted.target_id), pages.iterate(session, wanted), out)
    out.seek(0)
    return StreamingResponse(sent(out), media_type=PARQUET, headers=as_file(f"{wanted.target_id}.parquet"))


def sent(file: IO[bytes]) -> Iterator[bytes]:
    """What a file holds, in parts; closes it."""
    with file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def as_file(name: str) -> dict[str, str]:
    """Headers that make a browser save the answer."""
    return {"Content-Disposition": f'attachment; filename="{name}"'}


@router.get("/targets/{target_id}/quality")
def get_quality(target_id: str, parts: PartsOf, _caller: Reader) -> schemas.QualityOut:
    """Every measured graph beside its forecast; rows that the predictor was adapted to are marked. Over time: how good
    the forecasts were that stood when networks were measured.
    """
    pairs = parts.forecaster.quality(target_id)
    with parts.database.read() as session:
        target_id = find_target(session, target_id).id
        return schemas.QualityOut(
            target=target_id,
            pairs=pairs,
            over_time=track_record(session, target_id),
            operators=pairs_by_operator(session, pairs),
            adaptations=adaptation_errors(session, target_id),
        )
