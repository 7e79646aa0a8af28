"""Figures of a measured data set: what `latcast dataset stats` shows and what its datasheet says."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import floor, log10
from statistics import median

from latcast.schema import GraphHash, TargetId, quantile
from predictors.data.measured.records import CAREFUL, QUICK, MeasuredRow
from profilers.search_spaces.families import family_of

__all__ = [
    "Repeats",
    "Spread",
    "TargetCounts",
    "count_families",
    "count_targets",
    "dispersion_histogram",
    "kernel_shares",
    "latency_histogram",
    "repeatability",
    "repeats",
    "spread",
]

BINS_PER_DECADE = 3
DISPERSION_BINS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
KERNELS = "kernels"


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetCounts:
    """Rows of one target.

    Args:
        target: id of the target.
        networks_careful: different graphs of networks that were measured carefully.
        networks_quick: different graphs of networks that were measured quickly.
        kernels: different graphs of single kernels, by either method.
        again: measurements of a graph that was measured before by the same method.
        noisy: rows that are flagged as noisy.
        failed: rows without a latency.
        stale: rows whose architecture yields another graph by now.
        difference: median of |a − b| / mean over graphs that were measured twice by one method, noisy rows included, at
            the machine's baseline speed; None where none was measured twice.
    """

    target: TargetId
    networks_careful: int = 0
    networks_quick: int = 0
    kernels: int = 0
    again: int = 0
    noisy: int = 0
    failed: int = 0
    stale: int = 0
    difference: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Quantiles and extremes of positive values."""

    p5: float
    p50: float
    p95: float
    lowest: float
    highest: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeats:
    """Differences |a − b| / mean of two steady measurements of one graph on one target by one method.

    Args:
        method: `careful` or `quick`.
        pairs: number of pairs.
        p50: median difference.
        p90: 90th percentile of the differences.
    """

    method: str
    pairs: int
    p50: float
    p90: float


def count_targets(rows: Sequence[MeasuredRow]) -> list[TargetCounts]:
    """Counts of each target, in order of first appearance."""
    return [_count(target, part) for target, part in _grouped(rows, lambda row: row.target).items()]


def _count(target: TargetId, rows: Sequence[MeasuredRow]) -> TargetCounts:
    first = [row for row in rows if row.repeat == 0 and row.latency_ms is not None]
    networks = Counter(row.method for row in first if row.space != KERNELS)
    pairs = [pair for method in (CAREFUL, QUICK) for pair in repeatability(rows, method, noisy=True)]
    return TargetCounts(
        target=target,
        networks_careful=networks[CAREFUL],
        networks_quick=networks[QUICK],
        kernels=sum(row.space == KERNELS for row in first),
        again=sum(row.repeat > 0 and row.latency_ms is not None for row in rows),
        noisy=sum(row.noisy for row in rows),
        failed=sum(row.latency_ms is None for row in rows),
        stale=sum(row.stale for row in rows),
        difference=median(pairs) if pairs else None,
    )


def count_families(rows: Sequence[MeasuredRow]) -> dict[str, dict[TargetId, int]]:
    """Number of different graphs measured, by family (all kernels together), then by target."""
    graphs: dict[str, dict[TargetId, set[str]]] = defaultdict(lambda: defaultdict(set))
    for row in rows:
        if row.latency_ms is not None:
            family = KERNELS if row.space == KERNELS else family_of(row.architecture)
            graphs[family][row.target].add(row.graph)
    return {
        family: {target: len(hashes) for target, hashes in by_target.items()}
        for family, by_target in sorted(graphs.items(), key=lambda item: (item[0] == KERNELS, item[0]))
    }


def spread(values: Iterable[float]) -> Spread:
    """Quantiles and extremes of at least one value."""
    ordered = sorted(values)
    return Spread(
        p5=quantile(ordered, 0.05),
        p50=quantile(ordered, 0.5),
        p95=quantile(ordered, 0.95),
        lowest=ordered[0],
        highest=ordered[-1],
    )


def latency_histogram(rows: Iterable[MeasuredRow]) -> dict[str, int]:
    """Number of rows by latency, three bins in each decade, empty ones included; a bin is named after its lower end."""
    places = Counter(floor(BINS_PER_DECADE * log10(row.latency_ms)) for row in rows if row.latency_ms is not None)
    if not places:
        return {}
    return {
        f"{float(f'{10 ** (place / BINS_PER_DECADE):.2g}'):g} ms": places[place]
        for place in range(min(places), max(places) + 1)
    }


def dispersion_histogram(rows: Iterable[MeasuredRow]) -> dict[str, int]:
    """Number of rows by the dispersion (IQR / median) of their samples."""
    shares = [row.iqr_ms / row.latency_ms for row in rows if row.latency_ms is not None and row.iqr_ms is not None]
    ends = [*DISPERSION_BINS[1:], float("inf")]
    return {
        f"{low:.0%}–" + (f"{high:.0%}" if high != ends[-1] else ""): sum(low <= share < high for share in shares)
        for low, high in zip(DISPERSION_BINS, ends, strict=True)
    }


def kernel_shares(rows: Iterable[MeasuredRow]) -> dict[str, float]:
    """Mean share of each kind of kernel in the latency of networks, greatest first."""
    sums: Counter[str] = Counter()
    networks = 0
    for row in rows:
        if row.kernels and row.space != KERNELS:
            networks += 1
            for kernel in row.kernels:
                sums[kernel.operator] += kernel.share  # type: ignore[assignment]  # a Counter of floats
    return {operator: total / networks for operator, total in sums.most_common()}


def repeatability(rows: Iterable[MeasuredRow], method: str, *, noisy: bool = False) -> list[float]:
    """|a − b| / mean of each graph's first two measurements by this method on one target, at baseline speed.

    Args:
        rows: rows of any targets.
        method: `careful` or `quick`.
        noisy: whether rows that are flagged as noisy count too.
    """
    by_key: dict[tuple[TargetId, GraphHash], list[float]] = defaultdict(list)
    for row in rows:
        if row.latency_ms is not None and row.method == method and (noisy or not row.noisy):
            by_key[row.target, row.graph].append(row.latency_ms / row.slowness)
    return [2 * abs(ms[0] - ms[1]) / (ms[0] + ms[1]) for ms in by_key.values() if len(ms) > 1]


def repeats(rows: Sequence[MeasuredRow]) -> list[Repeats]:
    """The repeatability of each method that has graphs measured twice."""
    summaries = []
    for method in (CAREFUL, QUICK):
        differences = sorted(repeatability(rows, method))
        if differences:
            summaries.append(
                Repeats(
                    method=method,
                    pairs=len(differences),
                    p50=median(differences),
                    p90=quantile(differences, 0.9),
                )
            )
    return summaries


def _grouped(rows: Iterable[MeasuredRow], key: Callable[[MeasuredRow], TargetId]) -> dict[TargetId, list[MeasuredRow]]:
    groups: dict[TargetId, list[MeasuredRow]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return groups
