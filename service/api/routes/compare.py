"""Networks compared: on a target (the front of a search space), and on two."""

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query
from sqlalchemy.orm import Session

from service.api import schemas
from service.api.deps import PartsOf, Reader
from service.api.door.routes import Route
from service.fleet.targets import find_target
from service.measurements.columns import TargetColumns
from service.measurements.comparison import NetworkPair, compared
from service.measurements.frontier import frontier_of
from service.measurements.listed_rows import rows_of

__all__ = ["router"]

router = APIRouter(tags=["targets"], route_class=Route)
MOST_ON_FRONT = 1000
TargetName = Annotated[str, Query(max_length=100, description="Id of a target.")]


@router.get("/compare")
def compare_targets(a: TargetName, b: TargetName, parts: PartsOf, _caller: Reader) -> schemas.ComparisonOut:
    """Two targets over the networks that were measured on both: ratios by family and by operator, and ranks."""
    with parts.database.read() as session:
        here, there = (parts.columns.of(find_target(session, one).id) for one in (a, b))
        found = compared(session, here, there)
        moved = _moved(session, found.moved)
    return schemas.ComparisonOut(
        a=here.target_id,
        b=there.target_id,
        networks=found.networks,
        ratio=found.ratio,
        spearman=found.spearman,
        near=found.near,
        families=[schemas.GroupRatioOut.model_validate(one) for one in found.families],
        operators=[schemas.OperatorRatioOut.model_validate(one) for one in found.operators],
        kernel_networks=found.kernel_networks,
        pairs=[schemas.NetworkPairOut.model_validate(one) for one in found.pairs],
        moved=moved,
    )


def _moved(session: Session, pairs: Sequence[NetworkPair]) -> list[schemas.MovedOut]:
    names = {row.id: row for row in rows_of(session, [pair.rows[0] for pair in pairs])}
    return [
        schemas.MovedOut(
            rows=pair.rows, ms=pair.ms, ranks=pair.ranks, family=pair.family, graph=name.graph, text=name.text
        )
        for pair in pairs
        if (name := names.get(pair.rows[0])) is not None
    ]


@router.get("/targets/{target_id}/frontier")
def get_frontier(
    target_id: str,
    parts: PartsOf,
    _caller: Reader,
    space: Annotated[str, Query(max_length=100, description="Search space; the most measured one if left out.")] = "",
) -> schemas.FrontierOut:
    """The measured networks of a search space that do the most work in the least time, beside all others of it."""
    with parts.database.read() as session:
        columns = parts.columns.of(find_target(session, target_id).id)
        found = frontier_of(columns, space)
        items = rows_of(session, list(found.rows[:MOST_ON_FRONT]))
    return schemas.FrontierOut(
        spaces=[schemas.FacetOut.model_validate(one) for one in found.spaces],
        space=found.space,
        networks=found.networks,
        items=[schemas.FrontierRow(row=row, flops=_flops(columns, row.id)) for row in items],
        scatter=schemas.ScatterOut.model_validate(found.scatter),
    )


def _flops(columns: TargetColumns, row_id: int) -> float:
    return float(columns.flops[np.searchsorted(columns.ids, row_id)])
