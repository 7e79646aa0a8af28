"""The result of an importer: rows, and a report of what was read and what was left out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from latcast.schema import Architecture, GraphHash, Target
from predictors.base import FloatArray, LatencyDataset, Query

__all__ = ["BACKEND", "Column", "ImportReport", "Imported", "Skipped", "collect"]

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
        count = f" ({self.rows:,} rows)" if self.rows > 1 else ""
        return f"{self.what}{count}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """A summary of one import.

    Args:
        source: description of the file or folder that was read.
        rows: number of latencies read.
        targets: targets of the columns read, in order.
        skipped: parts that were left out, with their reasons.
    """

    source: str
    rows: int
    targets: tuple[Target, ...]
    skipped: tuple[Skipped, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """Rows of public tables. Each latency is one number for an unknown number of runs, without samples.

    Args:
        dataset: one row for each latency; queries hold an architecture, or a graph where the table came with ONNX.
        report: summary of what was read and what was left out.
        models: ONNX without weights by graph hash, where the table came with them.
        statistic: statistic that each latency is: `mean`, or `reported` where the table does not state it.
    """

    dataset: LatencyDataset
    report: ImportReport
    models: Mapping[GraphHash, bytes] = field(default_factory=dict)
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


def collect(source: str, columns: Sequence[Column], skipped: Sequence[Skipped], *, statistic: str = "mean") -> Imported:
    """One data set of all columns.

    Latencies that are not finite and positive are left out, as are repetitions of an architecture in a column: the
    first counts.

    Args:
        source: description of the file or folder that was read.
        columns: columns of the tables.
        skipped: parts that the importer left out.
        statistic: statistic that the latencies are, see `Imported`.
    """
    queries: list[Query] = []
    latencies: list[FloatArray] = []
    dropped = list(skipped)
    for column in columns:
        keep, reasons = _usable(column)
        dropped += reasons
        queries += [
            Query(target=column.target, architecture=column.architectures[i]) for i in np.flatnonzero(keep).tolist()
        ]
        latencies.append(column.latency_ms[keep])
    data = LatencyDataset(queries=queries, latency_ms=np.concatenate([np.empty(0), *latencies]))
    targets = tuple(dict.fromkeys(column.target.id for column in columns))
    by_id = {column.target.id: column.target for column in columns}
    report = ImportReport(
        source=source, rows=len(data), targets=tuple(by_id[name] for name in targets), skipped=tuple(dropped)
    )
    return Imported(dataset=data, report=report, statistic=statistic)


def _usable(column: Column) -> tuple[np.ndarray[tuple[int], np.dtype[np.bool_]], list[Skipped]]:
    good = np.isfinite(column.latency_ms) & (column.latency_ms > 0)
    first: dict[Architecture, int] = {}
    for index, architecture in enumerate(column.architectures):
        if good[index]:
            first.setdefault(architecture, index)
    keep = np.zeros(len(good), dtype=np.bool_)
    keep[list(first.values())] = True
    name, reasons = f"{column.target.device} {column.target.options.get('space', '')}".strip(), []
    if bad := int((~good).sum()):
        reasons.append(Skipped(what=name, reason="the latency is not a positive number of ms", rows=bad))
    if repeated := int(good.sum() - keep.sum()):
        reasons.append(Skipped(what=name, reason="the architecture occurs twice; the first counts", rows=repeated))
    return keep, reasons
