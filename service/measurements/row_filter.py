"""Which rows of a target's columns are wanted."""

from dataclasses import dataclass

import numpy as np
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from service.db.tables import Architecture, Job, Measurement
from service.measurements.columns import Bools, Floats, Ints, TargetColumns

__all__ = ["Range", "RowFilter", "mask_of", "search"]

Range = tuple[float | None, float | None]
"""From and to, both included; None is no end."""
ANY: Range = (None, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFilter:
    """What is wanted; empty means any. Within a list one suffices, and all operators have to be there.

    Args:
        outcome: `measured`, `failed` or `all`.
        noisy: flagged rows, or the others.
        families, spaces: of the network.
        operators: that the network has.
        ms: latency.
        flops: of the network.
        noise: interquartile range over median.
        created: when the row was stored, in Unix seconds.
        graph: hash of the network.
        sources: ids of agents that reported the row, or `none` for rows of public tables.
        job: id of the job that measured the row, or that waited for the one which did.
        text: part of the architecture's text, or beginning of the graph's hash.
    """

    outcome: str = "all"
    noisy: bool | None = None
    families: tuple[str, ...] = ()
    spaces: tuple[str, ...] = ()
    operators: tuple[str, ...] = ()
    ms: Range = ANY
    flops: Range = ANY
    noise: Range = ANY
    created: Range = ANY
    graph: str = ""
    sources: tuple[str, ...] = ()
    job: str = ""
    text: str = ""


def mask_of(session: Session, columns: TargetColumns, wanted: RowFilter) -> Bools:
    """Which rows are wanted, bool (n,)."""
    mask = np.ones(len(columns), bool)
    if wanted.outcome != "all":
        mask &= columns.failed == (wanted.outcome == "failed")
    if wanted.noisy is not None:
        mask &= columns.noisy == wanted.noisy
    for values, limits in (
        (columns.ms, wanted.ms), (columns.noise, wanted.noise), (columns.created, wanted.created),
    ):  # fmt: skip
        _within(mask, values, limits)
    if wanted.sources:
        mask &= np.array([name in wanted.sources for name in columns.agents], bool)[columns.agent]
    if wanted.job:
        mask &= np.isin(columns.ids, _measured_for(session, columns, wanted.job))
    networks = _networks(session, columns, wanted)
    return mask if networks is None else mask & networks[columns.network]


def _within(mask: Bools, values: Floats, limits: Range) -> None:
    """Take out what lies outside; an unknown value does."""
    low, high = limits
    if low is not None:
        mask &= values >= low
    if high is not None:
        mask &= values <= high


def _measured_for(session: Session, columns: TargetColumns, job_id: str) -> Ints:
    """Ids of the target's rows that a job or its children measured."""
    jobs = select(Job.id).where(or_(Job.id == job_id, Job.parent_id == job_id))
    rows = select(Measurement.id).where(Measurement.job_id.in_(jobs), Measurement.target_id == columns.target_id)
    return np.array(session.scalars(rows).all(), np.int64)


def _networks(session: Session, columns: TargetColumns, wanted: RowFilter) -> Bools | None:
    """Which networks are wanted; None for all of them."""
    networks = columns.networks
    if not any((wanted.families, wanted.spaces, wanted.operators, wanted.graph, wanted.text)) and wanted.flops == ANY:
        return None
    mask = np.ones(len(networks.flops), bool)
    _within(mask, networks.flops, wanted.flops)
    for names, chosen, codes in (
        (networks.families, wanted.families, networks.family), (networks.spaces, wanted.spaces, networks.space),
    ):  # fmt: skip
        if chosen:
            mask &= np.isin(codes, [place for place, name in enumerate(names) if name in chosen])
    for operator in wanted.operators:
        mask &= networks.with_operator(operator)
    if wanted.graph:
        mask &= np.arange(len(mask)) == networks.places.get(wanted.graph, -1)
    return mask & search(session, columns, wanted.text) if wanted.text else mask


def search(session: Session, columns: TargetColumns, text: str) -> Bools:
    """Which networks have the text in their architecture, or at the beginning of their hash."""
    networks = columns.networks
    query = select(Architecture.id).where(Architecture.text.contains(text, autoescape=True))
    mask = np.isin(networks.architectures, np.array(session.scalars(query).all(), np.int64))
    for network, place in networks.places.items() if text.startswith("g1-") else ():
        mask[place] |= isinstance(network, str) and network.startswith(text)
    return mask
