"""Histograms, densities and time series of a target's columns: as many numbers as a chart has room for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from service.measurements.columns import Bools, Floats, TargetColumns

__all__ = ["Facet", "Histogram", "Scatter", "Series", "facets", "histogram", "scatter", "series"]

BINS, TIME_BINS = 40, 60
MOST_POINTS = 5000
GRID = (72, 44)
LEVELS = 240
"""Steps of the logarithmic scale on which quantiles over time are read off."""
LOGARITHMIC = frozenset({"ms", "flops", "noise", "sentinel_ms"})
MOST_NAMES = 60
Codes = npt.NDArray[np.int64]


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
    """Bins of a quantity over all rows; the code behind the last one is for what is not known."""

    edges: Floats
    codes: npt.NDArray[np.uint8]


def histogram(columns: TargetColumns, mask: Bools, quantity: str) -> Histogram:
    """Of `ms`, `flops`, `noise` or `created`; the edges are those of all rows, so that charts stay where they are."""
    axis = _axis(columns, quantity)
    bins = len(axis.edges) - 1
    totals = columns.keep(f"totals {quantity}", lambda: np.bincount(axis.codes, minlength=bins + 1))
    counts = totals if mask.all() else np.bincount(axis.codes[mask], minlength=bins + 1)
    return Histogram(
        quantity=quantity,
        logarithmic=quantity in LOGARITHMIC,
        edges=axis.edges.tolist(),
        counts=counts[:bins].tolist(),
        totals=totals[:bins].tolist(),
        unknown=int(counts[bins:].sum()),
    )


def _axis(columns: TargetColumns, quantity: str, bins: int = BINS) -> _Axis:
    values: Floats = getattr(columns, quantity)
    axis: _Axis = columns.keep(f"axis {quantity} {bins}", lambda: _make_axis(values, quantity, bins))
    return axis


def _make_axis(values: Floats, quantity: str, bins: int) -> _Axis:
    scaled, low, high = _scaled(values, logarithmic=quantity in LOGARITHMIC)
    known = np.isfinite(scaled)
    codes = np.full(len(values), bins, np.uint8)
    codes[known] = _coded(scaled[known], low, high, bins)
    edges = np.linspace(low, high, bins + 1)
    return _Axis(10**edges if quantity in LOGARITHMIC else edges, codes)


def _scaled(values: Floats, *, logarithmic: bool) -> tuple[Floats, float, float]:
    """(the values as they are binned, lowest, highest)."""
    scaled = values
    if logarithmic:
        with np.errstate(divide="ignore", invalid="ignore"):
            scaled = np.log10(values)
    known = scaled[np.isfinite(scaled)]
    if not len(known):
        return scaled, 0.0, 1.0
    low, high = float(known.min()), float(known.max())
    return (scaled, low, high) if high > low else (scaled, low - 0.05, high + 0.05)


def _coded(values: Floats, low: float, high: float, bins: int) -> Codes:
    return np.clip(((values - low) * (bins / (high - low))).astype(np.int64), 0, bins - 1)


def scatter(columns: TargetColumns, mask: Bools) -> Scatter:
    """Latency over FLOPs of the wanted rows that have both."""
    if mask.all():
        whole: Scatter = columns.keep("scatter", lambda: _scatter(columns, mask))
        return whole
    return _scatter(columns, mask)


def _scatter(columns: TargetColumns, mask: Bools) -> Scatter:
    x, y = _log(columns, "flops"), _log(columns, "ms")
    rows = np.flatnonzero(mask & columns.keep("in scatter", lambda: np.isfinite(x) & np.isfinite(y)))
    if len(rows) <= MOST_POINTS:
        points = zip(*(column[rows].tolist() for column in _point_columns(columns)), strict=True)
        return Scatter(points=list(points), x_edges=[], y_edges=[], counts=[])
    (x_low, x_high), (y_low, y_high) = _span(x[rows]), _span(y[rows])
    width, height = GRID
    codes = _coded(x[rows], x_low, x_high, width) * height + _coded(y[rows], y_low, y_high, height)
    counts = np.bincount(codes, minlength=width * height).reshape(width, height)
    return Scatter(
        points=None,
        x_edges=(10 ** np.linspace(x_low, x_high, width + 1)).tolist(),
        y_edges=(10 ** np.linspace(y_low, y_high, height + 1)).tolist(),
        counts=counts.tolist(),
    )


def _point_columns(columns: TargetColumns) -> tuple[npt.NDArray[Any], ...]:
    return columns.ids, columns.flops, columns.ms, columns.noisy


def _log(columns: TargetColumns, quantity: str) -> Floats:
    values: Floats = columns.keep(f"log {quantity}", lambda: _scaled(getattr(columns, quantity), logarithmic=True)[0])
    return values


def _span(values: Floats) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    return (low, high) if high > low else (low - 0.05, high + 0.05)


def series(columns: TargetColumns, mask: Bools) -> Series:
    """The wanted rows over the time in which the target was measured."""
    if mask.all():
        whole: Series = columns.keep("series", lambda: _series(columns, mask))
        return whole
    return _series(columns, mask)


def _series(columns: TargetColumns, mask: Bools) -> Series:
    times = _axis(columns, "created", TIME_BINS)
    counts = np.bincount(times.codes[mask], minlength=TIME_BINS + 1)[:TIME_BINS]
    noisy = np.bincount(times.codes[mask & columns.noisy], minlength=TIME_BINS + 1)[:TIME_BINS]
    low, middle, high = _quantiles(columns, mask, "sentinel_ms", (0.1, 0.5, 0.9))
    (noise,) = _quantiles(columns, mask, "noise", (0.5,))
    return Series(
        edges_unix_s=times.edges.tolist(),
        counts=counts.tolist(),
        noisy=noisy.tolist(),
        noise_median=noise,
        sentinel_p10_ms=low,
        sentinel_median_ms=middle,
        sentinel_p90_ms=high,
    )


def _quantiles(columns: TargetColumns, mask: Bools, quantity: str, shares: Sequence[float]) -> list[list[float | None]]:
    """Quantiles of a quantity in each span, to a step of its scale; sorting a million values would take too long."""
    axis = _axis(columns, quantity, LEVELS)
    times = _axis(columns, "created", TIME_BINS)
    cells = columns.keep(f"cells {quantity}", lambda: times.codes.astype(np.int32) * (LEVELS + 1) + axis.codes)
    table = np.bincount(cells[mask], minlength=(TIME_BINS + 1) * (LEVELS + 1)).reshape(TIME_BINS + 1, LEVELS + 1)
    cumulated = table[:TIME_BINS, :LEVELS].cumsum(axis=1)
    middles = np.sqrt(axis.edges[1:] * axis.edges[:-1])
    found = []
    for share in shares:
        places = (cumulated < share * cumulated[:, -1:]).sum(axis=1).clip(max=LEVELS - 1)
        found.append(
            [float(middles[place]) if total else None for place, total in zip(places, cumulated[:, -1], strict=True)]
        )
    return found


def facets(columns: TargetColumns, mask: Bools) -> Mapping[str, Sequence[Facet]]:
    """How the rows are spread over families, search spaces, operators and sources, the most frequent first."""
    networks = columns.networks
    totals = columns.keep("rows of networks", lambda: np.bincount(columns.network, minlength=len(networks.flops)))
    counts = totals if mask.all() else np.bincount(columns.network[mask], minlength=len(networks.flops))
    return {
        "family": _named(networks.families, networks.family, counts, totals),
        "space": _named(networks.spaces, networks.space, counts, totals),
        "operator": _ranked(
            (name, int(counts[has].sum()), int(totals[has].sum()))
            for name, has in ((name, networks.with_operator(name)) for name in networks.operators)
        ),
        "source": _sources(columns, mask),
    }


def _sources(columns: TargetColumns, mask: Bools) -> Sequence[Facet]:
    names = columns.agents
    totals = columns.keep("rows of agents", lambda: np.bincount(columns.agent, minlength=len(names)))
    counts = totals if mask.all() else np.bincount(columns.agent[mask], minlength=len(names))
    return _ranked(zip(names, counts.tolist(), totals.tolist(), strict=True))


def _named(names: Sequence[str], codes: Codes, counts: Codes, totals: Codes) -> Sequence[Facet]:
    both = [np.bincount(codes, weights=values, minlength=len(names)).astype(int) for values in (counts, totals)]
    return _ranked(zip(names, *(sums.tolist() for sums in both), strict=True))


def _ranked(rows: Any) -> Sequence[Facet]:
    ranked = sorted(rows, key=lambda row: (-row[2], row[0]))[:MOST_NAMES]
    return [Facet(name=name, count=count, total=total) for name, count, total in ranked]
