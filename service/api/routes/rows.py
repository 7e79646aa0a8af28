"""Rows of a target that a filter leaves: a page of them, what charts show of them, and all of them as files."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import IO, Annotated

import numpy as np
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse
from sqlalchemy.orm import Session

from service.api import schemas
from service.api.deps import Limit, Parts, PartsOf, Reader
from service.api.door.entity_tags import is_known, tag_of
from service.api.door.routes import Route
from service.api.routes.targets import PARQUET, as_file, sent
from service.fleet.targets import find_target
from service.graphs.names import find_wanted_hash
from service.measurements import bins, export
from service.measurements.columns import Bools, TargetColumns
from service.measurements.listed_rows import RowSort, page_ids, rows_of
from service.measurements.pages import Outcome, iterate_ids
from service.measurements.row_filter import RowFilter, mask_of
from service.measurements.selection import Selection
from service.measurements.sources import names_of

__all__ = ["router"]

router = APIRouter(tags=["measurements"], route_class=Route)
MOST_NAMES = 50
Number = Annotated[float | None, Query(allow_inf_nan=False)]
Names = Annotated[list[str] | None, Query(max_length=MOST_NAMES)]
Text = Annotated[str, Query(max_length=200)]
QUANTITIES = ("ms", "flops", "noise", "created")


def _filter(
    *,
    outcome: Outcome = "all",
    noisy: bool | None = None,
    family: Names = None,
    space: Names = None,
    operator: Names = None,
    ms_min: Number = None,
    ms_max: Number = None,
    flops_min: Number = None,
    flops_max: Number = None,
    noise_min: Number = None,
    noise_max: Number = None,
    created_min: Number = None,
    created_max: Number = None,
    graph: Text = "",
    source: Annotated[
        list[str] | None,
        Query(
            max_length=MOST_NAMES,
            description="Ids of agents that reported the rows, or `none` for rows of public tables.",
        ),
    ] = None,
    job: Annotated[str, Query(max_length=64, description="Rows that this job or the jobs it waits for measured.")] = "",
    q: Text = "",
) -> RowFilter:
    return RowFilter(
        outcome=outcome,
        noisy=noisy,
        families=tuple(family or ()),
        spaces=tuple(space or ()),
        operators=tuple(operator or ()),
        ms=(ms_min, ms_max),
        flops=(flops_min, flops_max),
        noise=(noise_min, noise_max),
        created=(created_min, created_max),
        graph=graph,
        sources=tuple(source or ()),
        job=job,
        text=q.strip(),
    )


@dataclass(frozen=True, slots=True)
class Found:
    """Columns of a target and which of its rows the filter leaves."""

    columns: TargetColumns
    mask: Bools
    matched: int


def _found(target_id: str, parts: PartsOf, _caller: Reader, wanted: Annotated[RowFilter, Depends(_filter)]) -> Found:
    with parts.database.read() as session:
        columns = parts.columns.of(find_target(session, target_id).id)
        if wanted.graph:
            wanted = replace(wanted, graph=find_wanted_hash(session, wanted.graph))
        mask = mask_of(session, columns, wanted)
    return Found(columns, mask, int(np.count_nonzero(mask)))


FoundRows = Annotated[Found, Depends(_found)]
NOT_MODIFIED = {304: {"description": "What the `ETag` of the answer before stands for is still so."}}


def _unchanged(request: Request, response: Response, found: Found, *names: str) -> Response | None:
    """Name the state that is answered, which has these names in it; 304 where the caller has it."""
    state = (found.columns.target_id, found.columns.version, *names)
    tag = tag_of([request.scope["query_string"], *(part.encode() for part in state)])
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    response.headers.update(headers)
    return Response(status_code=304, headers=headers) if is_known(tag, request.headers.get("if-none-match")) else None


@router.get("/targets/{target_id}/rows", responses=NOT_MODIFIED)  # type: ignore[arg-type]
def list_rows(
    *,
    request: Request,
    response: Response,
    parts: PartsOf,
    found: FoundRows,
    limit: Limit,
    offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
    sort: RowSort = "-id",
) -> schemas.RowsOut:
    """Rows that the filter leaves, in an order, a page at a time."""
    if (unchanged := _unchanged(request, response, found)) is not None:
        return unchanged  # type: ignore[return-value]  # FastAPI passes responses through
    ids = page_ids(found.columns, found.mask, sort=sort, offset=offset, limit=limit)
    with parts.database.read() as session:
        items = rows_of(session, ids)
    return schemas.RowsOut(items=items, offset=offset, matched=found.matched, total=len(found.columns))


@router.get("/targets/{target_id}/bins", responses=NOT_MODIFIED)  # type: ignore[arg-type]
def bin_rows(request: Request, response: Response, parts: PartsOf, found: FoundRows) -> schemas.BinsOut:
    """Histograms of latency, FLOPs, noise and time; latency over FLOPs; drift and noise over time; frequent names."""
    with parts.database.read() as session:
        sources = names_of(session, found.columns.agents)
    if (unchanged := _unchanged(request, response, found, *sorted(sources.values()))) is not None:
        return unchanged  # type: ignore[return-value]
    columns, mask = found.columns, found.mask
    selection = Selection(columns, mask)
    facets = bins.facets(selection)
    return schemas.BinsOut(
        matched=found.matched,
        total=len(columns),
        failed=int(np.count_nonzero(mask & columns.failed)),
        noisy=int(np.count_nonzero(mask & columns.noisy)),
        histograms=[
            schemas.HistogramOut.model_validate(bins.histogram(selection, quantity)) for quantity in QUANTITIES
        ],
        scatter=schemas.ScatterOut.model_validate(bins.scatter(selection)),
        series=schemas.SeriesOut.model_validate(bins.series(selection)),
        facets={
            kind: [
                schemas.FacetOut.model_validate(replace(one, label=sources.get(one.name)) if kind == "source" else one)
                for one in listed
            ]
            for kind, listed in facets.items()
        },
    )


@router.get(
    "/targets/{target_id}/rows.csv", response_class=StreamingResponse, responses={200: {"content": {"text/csv": {}}}}
)
def export_rows_csv(parts: PartsOf, found: FoundRows) -> StreamingResponse:
    """The rows that the filter leaves as CSV, without their samples; harmless to spreadsheets."""
    lines = _csv(parts, found)
    headers = as_file(f"{found.columns.target_id}.csv")
    return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)


def _csv(parts: Parts, found: Found) -> Iterator[str]:
    with parts.database.read() as session:
        target = find_target(session, found.columns.target_id)
        yield from export.csv_lines(session, target, iterate_ids(session, found.columns.ids[found.mask].tolist()))


@router.get(
    "/targets/{target_id}/rows.parquet",
    response_class=StreamingResponse,
    responses={200: {"content": {PARQUET: {}}}},
)
def export_rows_parquet(parts: PartsOf, found: FoundRows) -> StreamingResponse:
    """The rows that the filter leaves with all their samples, kernels and counters as Parquet."""
    out = tempfile.TemporaryFile()  # noqa: SIM115 - closed when it has been sent
    with parts.database.read() as session:
        _write(session, found, out)
    out.seek(0)
    return StreamingResponse(sent(out), media_type=PARQUET, headers=as_file(f"{found.columns.target_id}.parquet"))


def _write(session: Session, found: Found, out: IO[bytes]) -> None:
    target = find_target(session, found.columns.target_id)
    export.write_parquet(session, target, iterate_ids(session, found.columns.ids[found.mask].tolist()), out)
