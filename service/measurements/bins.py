"""Histograms, densities and time series of a target's columns: as many numbers as a chart has room for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from service.measurements.columns import Floats, Ints, Networks, TargetColumns
from service.measurements.selection import Selection

__all__ = ["Facet", "Histogram", "Scatter", "Series", "facets", "histogram", "scatter", "series"]

BINS, TIME_BINS = 40, 60
MOST_POINTS = 5000
GRID = (72, 44)
STEPS = {"created": 120, "ms": BINS, "flops": BINS, "noise": 240, "sentinel_ms": 240}
"""Steps of the scale on which a quantity is counted: enough for quantiles, and multiples of what charts show."""
LOGARITHMIC = frozenset({"ms", "flops", "noise", "sentinel_ms"})
MOST_NAMES = 60
BY_TIME = ("created", "ms", "noisy")
TABLES = {"created": BY_TIME, "ms": BY_TIME, "noise": ("created", "noise"), "sentinel_ms": ("created", "sentinel_ms")}
"""What rows are counted by at once to know how a quantity is spread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """How often a quantity lies between two edges; `counts` of the wanted rows, `totals` of all of the target."""

    quantity: str
    logarithmic: bool
    edges: Sequence[float]
    counts: Sequence[int]
    totals: Sequence[int]
    unknown: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scatter:
    """Latency in ms over FLOPs: the points themselves, or counts on a grid where there are too many.

    Args:
        points: [id, flops, ms, noisy] of each row; None where there are too many.
        x_edges, y_edges: of the grid, logarithmic; empty with points.
        counts: [column][row of the grid].
    """

    points: Sequence[tuple[int, float, float, bool]] | None
    x_edges: Sequence[float]
    y_edges: Sequence[float]
    counts: Sequence[Sequence[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Spans of time: how many rows, how many of them noisy, and quantiles; None where nothing is known."""

    edges_unix_s: Sequence[float]
    counts: Sequence[int]
    noisy: Sequence[int]
    noise_median: Sequence[float | None]
    sentinel_p10_ms: Sequence[float | None]
    sentinel_median_ms: Sequence[float | None]
    sentinel_p90_ms: Sequence[float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facet:
    """A name that rows have in common: how many of the wanted ones, and of all.

    `label` is what people call it, where that is another.
    """

    name: str
    count: int
    total: int
    label: str | None = None


@dataclass(frozen=True, slots=True)
class _Axis:
    """Steps of a quantity over all rows; the code behind the last one is for what is not known."""

    edges: Floats
    codes: npt.NDArray[np.uint8]

    @property
    def cells(self) -> int:
        """Codes that there are: one more than steps, as there is one more edge."""
        return len(self.edges)


def histogram(selection: Selection, quantity: str) -> Histogram:
    """Of `ms`, `flops`, `noise` or `created`; the edges are those of all rows, so that charts stay where they are."""
    if quantity == "flops":
        axis = _axis(selection.columns, quantity)
        counts, totals = (np.bincount(axis.codes, rows, axis.cells).astype(int) for rows in _of_networks(selection))
    else:
        axis = _axis(selection.columns, quantity)
        names = TABLES[quantity]
        others = tuple(place for place, name in enumerate(names) if name != quantity)
        counts, totals = (table.sum(axis=others) for table in _tables(selection, names))
    steps = (axis.cells - 1) // BINS
    return Histogram(
        quantity=quantity,
        logarithmic=quantity in LOGARITHMIC,
        edges=axis.edges[::steps].tolist(),
        counts=_merged(counts[:-1], steps).tolist(),
        totals=_merged(totals[:-1], steps).tolist(),
        unknown=int(counts[-1]),
    )


def _merged(counts: Ints, steps: int) -> Ints:
    """Sums of so many neighbours each."""
    sums: Ints = counts.reshape(-1, steps, *counts.shape[1:]).sum(axis=1)
    return sums


def _tables(selection: Selection, names: Sequence[str]) -> tuple[Ints, Ints]:
    """(wanted rows, all rows) by the codes of several quantities, an axis each."""
    axes = [_axis(selection.columns, name) for name in names]
    shape = tuple(axis.cells for axis in axes)

    def codes() -> npt.NDArray[np.uint16]:
        joint = np.zeros(len(selection.columns), np.uint16)
        for axis in axes:
            joint = joint * np.uint16(axis.cells) + axis.codes
        return joint

    named = (" ".join(names), codes, prod(shape))
    return selection.counts(*named).reshape(shape), selection.totals(*named).reshape(shape)


def _of_networks(selection: Selection) -> tuple[Ints, Ints]:
    """(wanted rows, all rows) of each network."""
    columns = selection.columns
    named = ("network", lambda: columns.network, len(columns.networks.flops))
    return selection.counts(*named), selection.totals(*named)


def _axis(columns: TargetColumns, quantity: str) -> _Axis:
    """The axis of a quantity of rows, or of `flops`, which is one of networks."""
    axis: _Axis = columns.keep(f"axis {quantity}", lambda: _make_axis(columns, quantity))
    return axis


def _make_axis(columns: TargetColumns, quantity: str) -> _Axis:
    if quantity == "noisy":
        return _Axis(np.arange(2.0), columns.noisy.view(np.uint8))
    values: Floats = getattr(columns.networks if quantity == "flops" else columns, quantity)
    steps, logarithmic = STEPS[quantity], quantity in LOGARITHMIC
    scaled = _log(values) if logarithmic else values
    known = np.isfinite(scaled)
    low, high = _span(scaled[known])
    codes = np.full(len(values), steps, np.uint8)
    codes[known] = _coded(scaled[known], low, high, steps)
    edges = np.linspace(low, high, steps + 1)
    return _Axis(10**edges if logarithmic else edges, codes)


def _log(values: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log10(values)


def _span(values: Floats) -> tuple[float, float]:
    """(lowest, highest), a little apart where there is one value."""
    if not len(values):
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    return (low, high) if high > low else (low - 0.05, high + 0.05)


def _coded(values: Floats, low: float, high: float, bins: int) -> Ints:
    return np.clip(((values - low) * (bins / (high - low))).astype(np.int64), 0, bins - 1)


def scatter(selection: Selection) -> Scatter:
    """Latency over FLOPs of the wanted rows that have both."""
    if selection.is_all:
        whole: Scatter = selection.columns.keep("scatter", lambda: _scatter(selection))
        return whole
    return _scatter(selection)


def _scatter(selection: Selection) -> Scatter:
    columns = selection.columns
    x: Floats = columns.keep("log flops", lambda: _log(columns.networks.flops))
    y: Floats = columns.keep("log ms", lambda: _log(columns.ms))
    known = columns.keep("in scatter", lambda: np.isfinite(x)[columns.network] & np.isfinite(y))
    rows = np.flatnonzero(selection.mask & known)
    networks, y = columns.network.take(rows), y.take(rows)
    if len(rows) <= MOST_POINTS:
        points = (columns.ids[rows], columns.networks.flops[networks], columns.ms[rows], columns.noisy[rows])
        listed = list(zip(*(column.tolist() for column in points), strict=True))
        return Scatter(points=listed, x_edges=[], y_edges=[], counts=[])
    (width, height), present = GRID, np.bincount(networks, minlength=len(x)) > 0
    (x_low, x_high), (y_low, y_high) = _span(x[present]), _span(y)
    starts = np.zeros(len(x), np.int64)
    starts[present] = _coded(x[present], x_low, x_high, width) * height
    codes = starts.take(networks) + _coded(y, y_low, y_high, height)
    counts = np.bincount(codes, minlength=width * height).reshape(width, height)
    return Scatter(
        points=None,
        x_edges=(10 ** np.linspace(x_low, x_high, width + 1)).tolist(),
        y_edges=(10 ** np.linspace(y_low, y_high, height + 1)).tolist(),
        counts=counts.tolist(),
    )


def series(selection: Selection) -> Series:
    """The wanted rows over the time in which the target was measured."""
    times, steps = _axis(selection.columns, "created"), STEPS["created"] // TIME_BINS
    by_noisy = _merged(_tables(selection, BY_TIME)[0][:-1].sum(axis=1), steps)
    low, middle, high = _quantiles(selection, "sentinel_ms", (0.1, 0.5, 0.9))
    (noise,) = _quantiles(selection, "noise", (0.5,))
    return Series(
        edges_unix_s=times.edges[::steps].tolist(),
        counts=by_noisy.sum(axis=1).tolist(),
        noisy=by_noisy[:, 1].tolist(),
        noise_median=noise,
        sentinel_p10_ms=low,
        sentinel_median_ms=middle,
        sentinel_p90_ms=high,
    )


def _quantiles(selection: Selection, quantity: str, shares: Sequence[float]) -> list[list[float | None]]:
    """Quantiles of a quantity in each span, to a step of its scale; sorting a million values would take too long."""
    table = _tables(selection, TABLES[quantity])[0][:-1, :-1]
    cumulated = _merged(table, STEPS["created"] // TIME_BINS).cumsum(axis=1)
    edges = _axis(selection.columns, quantity).edges
    middles = np.sqrt(edges[1:] * edges[:-1])
    found = []
    for share in shares:
        places = (cumulated < share * cumulated[:, -1:]).sum(axis=1).clip(max=len(middles) - 1)
        found.append(
            [float(middles[place]) if total else None for place, total in zip(places, cumulated[:, -1], strict=True)]
        )
    return found


def facets(selection: Selection) -> Mapping[str, Sequence[Facet]]:
    """How the rows are spread over families, search spaces, operators and sources, the most frequent first."""
    columns, both = selection.columns, _of_networks(selection)
    networks, agents = columns.networks, columns.agents
    named = ("agent", lambda: columns.agent, len(agents))
    return {
        "family": _named(networks.families, networks.family, both),
        "space": _named(networks.spaces, networks.space, both),
        "operator": _operators(columns, both),
        "source": _ranked(agents, selection.counts(*named), selection.totals(*named)),
    }


def _named(names: Sequence[str], codes: Ints, both: tuple[Ints, Ints]) -> Sequence[Facet]:
    return _ranked(names, *(np.bincount(codes, rows, len(names)).astype(int) for rows in both))


def _operators(columns: TargetColumns, both: tuple[Ints, Ints]) -> Sequence[Facet]:
    """Many networks have the same operators: rows are summed by what occurs together first."""
    names = columns.networks.operators
    has, codes = columns.keep("operators together", lambda: _together(columns.networks))
    return _ranked(names, *(np.bincount(codes, rows, len(has)).astype(int) @ has for rows in both))


def _together(networks: Networks) -> tuple[Ints, Ints]:
    """(which operators each of the combinations has, (combinations, operators) of 0 and 1; whose each network is)."""
    combinations, codes = np.unique(networks.bits, axis=0, return_inverse=True)
    places = np.arange(len(networks.operators))
    has = (combinations[:, places // 64] >> (places % 64).astype(np.uint64)) & np.uint64(1)
    return has.astype(np.int64), codes.reshape(-1)


def _ranked(names: Sequence[str], counts: Any, totals: Any) -> Sequence[Facet]:
    rows = zip(names, counts.tolist(), totals.tolist(), strict=True)
    ranked = sorted(rows, key=lambda row: (-row[2], row[0]))[:MOST_NAMES]
    return [Facet(name=name, count=count, total=total) for name, count, total in ranked]
