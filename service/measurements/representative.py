"""The measurement that represents a network on a target.

A network may have been measured often. Measurements with default feeds count, and of them the newest one that is not
noisy, else the newest: to learn from, to answer with, and to choose a support set of. Rows whose latency cannot be (of
before such were refused) represent nothing.
"""

from collections.abc import Callable, Collection, Hashable, Iterable
from typing import Any, TypeVar

from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from latcast.schema import TargetId
from service.db.records import DEFAULT_FEEDS, LONGEST_MS, SHORTEST_MS, is_latency
from service.db.representative import representatives
from service.db.tables import Measurement, Target

__all__ = ["COLUMNS", "representative_ids", "representative_measurements"]

COLUMNS = (Measurement.id, Measurement.median_ms, Measurement.noisy, Measurement.feeds_key)
"""What a row needs to be compared with others."""
K = TypeVar("K", bound=Hashable)


def representative_measurements(rows: Iterable[Any], *, key: Callable[[Any], K]) -> dict[K, Any]:
    """Of each network that was measured with default feeds the row that represents it.

    Args:
        rows: with at least `COLUMNS`, of one target or with the target in the key.
        key: what the row is of.
    """
    measured = (row for row in rows if is_latency(row.median_ms) and row.feeds_key == DEFAULT_FEEDS)
    return representatives(measured, key=key)


def representative_ids(
    session: Session, *, target_ids: Collection[TargetId] | None = None, imported: bool = False
) -> list[int]:
    """Ids of the measurements that represent networks, ascending.

    Args:
        session: reads.
        target_ids: of these targets alone; None for all.
        imported: columns of public tables too; they are not mixed in unless asked for.
    """
    targets = select(Target.id)
    if not imported:
        targets = targets.where(Target.origin == "")
    if target_ids is not None:
        targets = targets.where(Target.id.in_(list(target_ids)))
    network = (Measurement.target_id, Measurement.graph_hash, Measurement.architecture_id, Measurement.noisy)
    query = select(func.max(Measurement.id).label("id"), *network).where(
        Measurement.target_id.in_(targets),
        Measurement.feeds_key == DEFAULT_FEEDS,
        Measurement.median_ms.between(SHORTEST_MS, LONGEST_MS),
    )
    newest: Iterable[Any] = session.execute(query.group_by(*network))
    chosen = representatives(newest, key=_network_on_target)
    return sorted(row.id for row in chosen.values())


def _network_on_target(row: Row[Any]) -> tuple[str, str | int]:
    return row.target_id, row.graph_hash or row.architecture_id
