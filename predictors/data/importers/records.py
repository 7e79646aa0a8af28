"""The result of an importer: rows, and a report of what was read and what was left out."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from latcast.schema import Architecture, GraphHash, Target
from latcast.schema.counting import counted
from predictors.base import FloatArray, LatencyDataset, Query
from profilers.search_spaces import get_space

__all__ = ["BACKEND", "Column", "ImportReport", "Imported", "Skipped", "collect", "told_apart_by"]

_OFF = 1000.0
"""Latencies this many times above or below their column's median are failures that were written as numbers."""
_FEWEST = 5
"""Rows below which a median says nothing."""
_SHOWN = 80

BACKEND = "imported"
"""`Target.backend` of a column of a public table, which no backend of latcast measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A part of a source that was left out.

    Args:
        what: file, line or architecture that was left out.
        reason: the reason, in words.
        rows: number of rows that it would have given; 0 where that is not known.
    """

    what: str
    reason: str
    rows: int = 0

    def __str__(self) -> str:
        count = f" ({counted(self.rows, 'row')})" if self.rows > 1 else ""
        return f"{self.what}{count}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """A summary of one import.

    Args:
        source: description of the file or folder that was read.
        rows: number of latencies read.
        targets: targets of the columns read, in order.
        skipped: parts that were left out, with their reasons.
        remarks: sentences on latencies that were read but may not be what they seem.
    """

    source: str
    rows: int
    targets: tuple[Target, ...]
    skipped: tuple[Skipped, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """Rows of public tables. Each latency is one number for an unknown number of runs, without samples.

    Args:
        dataset: one row for each latency; queries hold an architecture, or a graph where the table came with ONNX.
        report: summary of what was read and what was left out.
        models: ONNX without weights by graph hash, where the table came with them.
        names: names of their files by graph hash.
        statistic: statistic that each latency is: `mean`, or `reported` where the table does not state it.
    """

    dataset: LatencyDataset
    report: ImportReport
    models: Mapping[GraphHash, bytes] = field(default_factory=dict)
    names: Mapping[GraphHash, str] = field(default_factory=dict)
    statistic: str = "mean"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """Latencies of one target.

    Args:
        target: target of all the latencies.
        architectures: n architectures of one or several spaces.
        latency_ms: float64 (n,), in ms.
    """

    target: Target
    architectures: Sequence[Architecture]
    latency_ms: FloatArray


def collect(
    source: str,
    columns: Sequence[Column],
    skipped: Sequence[Skipped],
    *,
    statistic: str = "mean",
    remarks: Sequence[str] = (),
) -> Imported:
    """One data set of all columns.

    Latencies are left out that are not finite and positive, or a thousand times off their column's median (but of
    networks whose input never reaches their output). Where a column has an architecture several times, the median
    counts.

    Args:
        source: description of the file or folder that was read.
        columns: columns of the tables.
        skipped: parts that the importer left out.
        statistic: statistic that the latencies are, see `Imported`.
        remarks: remarks of the importer.
    """
    queries: list[Query] = []
    latencies: list[float] = []
    dropped, said = list(skipped), list(remarks)
    for column in columns:
        good, reasons = _usable(column)
        dropped += reasons
        grouped = defaultdict[Architecture, list[float]](list)
        for index in np.flatnonzero(good).tolist():
            grouped[column.architectures[index]].append(float(column.latency_ms[index]))
        queries += [Query(target=column.target, architecture=architecture) for architecture in grouped]
        latencies += [float(np.median(values)) for values in grouped.values()]
        if repeated := int(good.sum()) - len(grouped):
            said.append(f"{_name(column)}: {_rows(repeated)} an architecture; the median of its rows counts.")
    data = LatencyDataset(queries=queries, latency_ms=np.array(latencies, dtype=np.float64))
    by_id = {column.target.id: column.target for column in columns}
    report = ImportReport(
        source=source, rows=len(data), targets=tuple(by_id.values()), skipped=tuple(dropped), remarks=tuple(said)
    )
    return Imported(dataset=data, report=report, statistic=statistic)


def _usable(column: Column) -> tuple[np.ndarray[tuple[int], np.dtype[np.bool_]], list[Skipped]]:
    good = np.isfinite(column.latency_ms) & (column.latency_ms > 0)
    reasons = []
    if bad := int((~good).sum()):
        reasons.append(Skipped(what=_name(column), reason="the latency is not a positive number of ms", rows=bad))
    if good.sum() >= _FEWEST:
        median = float(np.median(column.latency_ms[good]))
        ratio = np.where(good, column.latency_ms, median) / median
        off = (ratio >= _OFF) | (ratio <= 1 / _OFF)
        for index in np.flatnonzero(off & good).tolist():
            architecture = column.architectures[index]
            if not get_space(architecture.space).is_degenerate(architecture):  # which takes no time indeed
                good[index] = False
                reasons.append(_off(column, index, median))
    return good, reasons


def _off(column: Column, index: int, median: float) -> Skipped:
    text, ms = column.architectures[index].text, column.latency_ms[index]
    return Skipped(
        what=f"{_name(column)}, {text if len(text) <= _SHOWN else text[:_SHOWN] + '…'}",
        reason=f"{ms:.3g} ms is a thousand times off the median of its target, {median:.3g} ms",
        rows=1,
    )


def told_apart_by(target: Target) -> list[str]:
    """Words that tell a table's target from others of its device: the space, then those of further columns."""
    others = [f"{name} {value}" for name, value in target.options.items() if name != "space"]
    return [target.options.get("space", ""), *others]


def _name(column: Column) -> str:
    return " ".join((column.target.device, *told_apart_by(column.target))).strip()


def _rows(repeated: int) -> str:
    return counted(repeated, "row repeats", "rows repeat")
