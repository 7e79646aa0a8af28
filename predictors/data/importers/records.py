"""What an importer hands back: rows, and an account of what was read and what was left out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from latcast.schema import Architecture, GraphHash, Target
from predictors.base import FloatArray, LatencyDataset, Query

__all__ = ["BACKEND", "Column", "ImportReport", "Imported", "Skipped", "collect"]

BACKEND = "imported"
"""`Target.backend` of a column of a public table: nobody here measured it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """Something that was left out.

    Args:
        what: file, line or architecture.
        reason: a sentence.
        rows: how many rows it would have been; 0 where that cannot be known.
    """

    what: str
    reason: str
    rows: int = 0

    def __str__(self) -> str:
        count = f" ({self.rows:,} rows)" if self.rows > 1 else ""
        return f"{self.what}{count}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What an importer did.

    Args:
        source: what was read.
        rows: latencies read.
        targets: columns read, in order.
        skipped: what was left out, and why.
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
        report: what was read and what was not.
        models: ONNX without weights by graph hash, where the table came with them.
        statistic: what each latency is: `mean`, or `reported` where the table does not say.
    """

    dataset: LatencyDataset
    report: ImportReport
    models: Mapping[GraphHash, bytes] = field(default_factory=dict)
    statistic: str = "mean"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """Latencies of one target.

    Args:
        target: what was measured on.
        architectures: n of one or several spaces.
        latency_ms: float64 (n,).
    """

    target: Target
    architectures: Sequence[Architecture]
    latency_ms: FloatArray


def collect(source: str, columns: Sequence[Column], skipped: Sequence[Skipped], *, statistic: str = "mean") -> Imported:
    """One data set of all columns; `statistic` is what their numbers are.

    Latencies that are not finite and positive are left out, as are repetitions of an architecture in a column: the
    first counts.
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
