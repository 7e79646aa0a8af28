"""Two targets over the networks that were measured on both: who is faster at what, and who ranks what differently."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.db.statements import chunks
from service.db.tables import KernelMeasurement
from service.measurements.columns import Bools, Floats, Ints, TargetColumns

__all__ = ["GroupRatio", "NetworkPair", "OperatorRatio", "TargetComparison", "compared"]

MOST_PAIRS = 5000
MOST_MOVED = 10
MOST_WITH_KERNELS = 300
NEAR = 0.2
LEAST_IN_GROUP = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkPair:
    """A network that was measured on both.

    Args:
        rows: ids of the measurements that represent it, here and there.
        ms: what these say.
        ranks: its place among all, from 1 for the fastest.
        family: empty where the network is of no search space.
    """

    rows: tuple[int, int]
    ms: tuple[float, float]
    ranks: tuple[int, int]
    family: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRatio:
    """A family: the median of latency there over latency here."""

    name: str
    ratio: float
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorRatio:
    """An operator over the networks whose kernels were timed on both.

    Args:
        name: of the kernels, whatever each runtime calls them.
        shares: of the time of all these networks, here and there.
        ratio: median over networks of its time there over its time here.
        relative: that ratio over the one of whole networks: above 1 the operator is dearer there than others are.
        count: networks that have it on both.
    """

    name: str
    shares: tuple[float, float]
    ratio: float
    relative: float
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetComparison:
    """Two targets; ratios are there over here, None without a network on both.

    Args:
        networks: on both.
        ratio: median.
        spearman: rank correlation of the latencies; None for fewer than two.
        near: share of the networks whose ratio is within 20 % of the median.
        families: of two networks or more, the dearest there first.
        operators: likewise.
        kernel_networks: networks whose kernels were timed on both, of which `operators` tells.
        pairs: evenly spread over the latencies where there are more than 5,000.
        moved: those that the two rank most differently.
    """

    networks: int
    ratio: float | None
    spearman: float | None
    near: float | None
    families: Sequence[GroupRatio]
    operators: Sequence[OperatorRatio]
    kernel_networks: int
    pairs: Sequence[NetworkPair]
    moved: Sequence[NetworkPair]


def compared(session: Session, here: TargetColumns, there: TargetColumns) -> TargetComparison:
    """Compare two targets.

    Args:
        session: reads kernels.
        here: rows of the one.
        there: rows of the other.
    """
    one, other = _on_both(here, there, here.representatives, there.representatives)
    a, b = here.ms[one], there.ms[other]
    count, ratios = len(a), b / a
    ratio = float(np.median(ratios)) if count else None
    ranks = _ranks(a), _ranks(b)
    apart = np.abs(ranks[0] - ranks[1])
    families = [here.networks.families[code] for code in here.networks.family[here.network[one]].tolist()]

    def pair(place: int) -> NetworkPair:
        return NetworkPair(
            rows=(int(here.ids[one[place]]), int(there.ids[other[place]])),
            ms=(float(a[place]), float(b[place])),
            ranks=(int(ranks[0][place]), int(ranks[1][place])),
            family=families[place],
        )

    by_latency = np.argsort(a, kind="stable")
    shown = by_latency[np.linspace(0, count - 1, min(count, MOST_PAIRS)).astype(np.int64)] if count else by_latency
    operators, kernel_networks = _operators(session, here, there)
    return TargetComparison(
        networks=count,
        ratio=ratio,
        spearman=float(1 - 6 * float((apart**2).sum()) / (count * (count**2 - 1))) if count > 1 else None,
        near=float((np.abs(ratios / ratio - 1) < NEAR).mean()) if ratio is not None else None,
        families=_families(families, ratios),
        operators=operators,
        kernel_networks=kernel_networks,
        pairs=[pair(place) for place in shown.tolist()],
        moved=[pair(place) for place in np.argsort(-apart, kind="stable")[:MOST_MOVED].tolist()],
    )


def _ranks(values: Floats) -> Ints:
    ranks = np.empty(len(values), np.int64)
    ranks[np.argsort(values, kind="stable")] = np.arange(1, len(values) + 1)
    return ranks


def _on_both(here: TargetColumns, there: TargetColumns, rows: Ints, others: Ints) -> tuple[Ints, Ints]:
    """Places of rows of the networks that both have, in pairs.

    Args:
        here: the one.
        there: the other.
        rows: a row of each network of the one, -1 for none.
        others: likewise of the other.
    """
    second = {key: row for key, row in _keys(there, others) if row >= 0}
    pairs = [(row, second[key]) for key, row in _keys(here, rows) if row >= 0 and key in second]
    found: Ints = np.array(pairs, np.int64).reshape(-1, 2)
    return found[:, 0], found[:, 1]


def _keys(columns: TargetColumns, rows: Ints) -> Iterator[tuple[str | int, int]]:
    """(what the network is on any target, its row): the number of the architecture, else the graph's hash."""
    architectures = columns.networks.architectures.tolist()
    for key, place in columns.networks.places.items():
        yield (architectures[place] if architectures[place] >= 0 else key), int(rows[place])


def _families(names: Sequence[str], ratios: Floats) -> list[GroupRatio]:
    groups: dict[str, list[float]] = defaultdict(list)
    for name, ratio in zip(names, ratios.tolist(), strict=True):
        groups[name].append(ratio)
    found = [
        GroupRatio(name=name, ratio=float(np.median(values)), count=len(values))
        for name, values in groups.items()
        if name and len(values) >= LEAST_IN_GROUP
    ]
    return sorted(found, key=lambda group: (-group.ratio, group.name))


def _operators(session: Session, here: TargetColumns, there: TargetColumns) -> tuple[list[OperatorRatio], int]:
    """(operators, how many networks they were compared on)."""
    one, other = _on_both(here, there, *(columns.newest(_with_kernels(columns)) for columns in (here, there)))
    if len(one) > MOST_WITH_KERNELS:
        by_latency = np.argsort(here.ms[one], kind="stable")
        chosen = by_latency[np.linspace(0, len(one) - 1, MOST_WITH_KERNELS).astype(np.int64)]
        one, other = one[chosen], other[chosen]
    ids = here.ids[one].tolist(), there.ids[other].tolist()
    times = [_times(session, part) for part in ids]
    pairs = [
        (times[0][first], times[1][second])
        for first, second in zip(*ids, strict=True)
        if first in times[0] and second in times[1]
    ]
    if not pairs:
        return [], 0
    wholes = [sum(sum(pair[side].values()) for pair in pairs) for side in (0, 1)]
    typical = float(np.median([sum(b.values()) / sum(a.values()) for a, b in pairs]))
    return [_operator(name, pairs, wholes, typical) for name in _ranked(pairs, typical)], len(pairs)


Times = Mapping[str, float]
"""ms by operator."""


def _with_kernels(columns: TargetColumns) -> Bools:
    found: npt.NDArray[np.bool_] = columns.with_kernels & (columns.ms > 0)
    return found


def _times(session: Session, ids: Sequence[int]) -> Mapping[int, Times]:
    """Time by operator of each measurement, in the first of its processes that has kernels; none that took no time."""
    from predictors.features.kernels.families import operator_family

    table = KernelMeasurement
    found: dict[int, dict[int, dict[str, float]]] = {}
    for part in chunks(ids):
        query = select(table.measurement_id, table.run, table.operator, func.sum(table.time_ms))
        grouped = query.where(table.measurement_id.in_(part)).group_by(table.measurement_id, table.run, table.operator)
        for measurement, run, operator, ms in session.execute(grouped):
            times, name = found.setdefault(measurement, {}).setdefault(run, {}), operator_family(operator)
            times[name] = times.get(name, 0.0) + float(ms)
    first = {measurement: runs[min(runs)] for measurement, runs in found.items()}
    return {measurement: times for measurement, times in first.items() if sum(times.values()) > 0}


def _ratios(name: str, pairs: Sequence[tuple[Times, Times]]) -> list[float]:
    return [b[name] / a[name] for a, b in pairs if a.get(name, 0) > 0 and b.get(name, 0) > 0]


def _ranked(pairs: Sequence[tuple[Times, Times]], typical: float) -> list[str]:
    """Operators that both have, those first on which one of the two gains or loses most."""
    names = sorted({name for a, _ in pairs for name in a} & {name for _, b in pairs for name in b})
    known = {name: ratios for name in names if (ratios := _ratios(name, pairs))}
    return sorted(known, key=lambda name: -float(np.median(known[name])) / typical)


def _operator(
    name: str, pairs: Sequence[tuple[Times, Times]], wholes: Sequence[float], typical: float
) -> OperatorRatio:
    ratios = _ratios(name, pairs)
    ratio = float(np.median(ratios))
    sums = [sum(pair[side].get(name, 0.0) for pair in pairs) for side in (0, 1)]
    return OperatorRatio(
        name=name,
        shares=(sums[0] / wholes[0], sums[1] / wholes[1]),
        ratio=ratio,
        relative=ratio / typical,
        count=len(ratios),
    )
