"""The networks of a search space that do the most work in the least time on a target."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from service.measurements.bins import Facet, Scatter, facets, scatter
from service.measurements.columns import Bools, Ints, TargetColumns
from service.measurements.selection import Selection

__all__ = ["Frontier", "frontier_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frontier:
    """A Pareto front of latency and work.

    Args:
        spaces: search spaces of which networks were measured, the most frequent first; counts are of rows.
        space: the one that is shown; empty where there is none.
        networks: of it, with a steady measurement and known work.
        rows: ids of the measurements that represent the networks on the front, the fastest first.
        scatter: all of these networks.
    """

    spaces: Sequence[Facet]
    space: str
    networks: int
    rows: Sequence[int]
    scatter: Scatter


def frontier_of(columns: TargetColumns, space: str = "") -> Frontier:
    """The front of a search space, each network by the measurement that represents it; noisy ones are left out.

    Args:
        columns: rows of a target.
        space: name; the most frequent one where empty.
    """
    measured = ~columns.failed
    spaces = [one for one in facets(Selection(columns, measured))["space"] if one.name and one.count]
    space = space or (spaces[0].name if spaces else "")
    mask = _steady_networks(columns, space)
    rows = np.flatnonzero(mask)
    return Frontier(
        spaces=spaces,
        space=space,
        networks=len(rows),
        rows=columns.ids[_front(columns, rows)].tolist(),
        scatter=scatter(Selection(columns, mask)),
    )


def _steady_networks(columns: TargetColumns, space: str) -> Bools:
    """The rows that represent networks of a space whose work is known, bool (n,)."""
    networks = columns.networks
    codes = [place for place, name in enumerate(networks.spaces) if name == space]
    wanted = np.isin(networks.space, codes) & (networks.flops > 0)
    rows = columns.representatives[wanted]
    mask = np.zeros(len(columns), bool)
    mask[rows[rows >= 0]] = True
    steady: Bools = mask & ~columns.noisy
    return steady


def _front(columns: TargetColumns, rows: Ints) -> Ints:
    """Those that no other one beats in both."""
    order = rows[np.lexsort((-columns.flops[rows], columns.ms[rows]))]
    if not len(order):
        return order
    work = columns.flops[order]
    before = np.concatenate([[-np.inf], np.maximum.accumulate(work)[:-1]])
    front: Ints = order[work > before]
    return front
