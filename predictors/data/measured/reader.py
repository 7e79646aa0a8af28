"""Reading the files of the measured data set as a `LatencyDataset`."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from latcast.schema import Architecture, DeviceEvidence, Graph, GraphHash, InputError, TargetId
from predictors.base import LatencyDataset, Query
from predictors.data.counter_rates import CountedRun, counter_rates
from predictors.data.measured.drift_factors import at_baseline_speed
from predictors.data.measured.pooling import pooled_rows
from predictors.data.measured.records import MeasuredRow, MeasuredTarget
from predictors.data.measured.storage import read_rows, read_targets

__all__ = ["read_measured", "to_dataset"]


def read_measured(path: Path, *, repeats: bool = False, spaces: Sequence[str] = ()) -> LatencyDataset:
    """The measured data set in a folder. A graph is built from its architecture on first use, once for all targets.

    Rows that failed have no latency and rows that are stale no graph: both are left out (`read_rows` has them).
    Latencies are stated at the machine's baseline speed (`MeasuredRow.slowness`); `read_rows` has them as measured.

    Args:
        path: folder that `latcast dataset pack` wrote.
        repeats: whether every measurement of a graph on a target is a row; by default they are pooled into one
            (`pooled_rows`).
        spaces: search spaces whose rows are read; empty means all.

    Raises:
        InputError: the folder holds no such files, or another format.
        LatcastError: pyarrow is not installed.
    """
    rows = [row for row in read_rows(path) if not spaces or row.space in spaces]
    return to_dataset(rows if repeats else pooled_rows(rows), read_targets(path))


def to_dataset(rows: Iterable[MeasuredRow], targets: Iterable[MeasuredTarget]) -> LatencyDataset:
    """The rows that have a latency and are not stale, in order, as a data set; see `read_measured`.

    Raises:
        InputError: a row names a target that is not among `targets`.
    """
    kept = [row for row in rows if row.latency_ms is not None and not row.stale]
    by_id = {measured.target.id: measured for measured in targets}
    missing = sorted({row.target for row in kept} - set(by_id))
    if missing:
        raise InputError(f"The rows name the target {missing[0]}, which is not among the targets.")
    build = _builder({row.architecture: row.graph for row in kept})
    latencies, kernels = zip(*map(at_baseline_speed, kept), strict=True) if kept else ((), ())
    return LatencyDataset(
        queries=[
            Query(target=by_id[row.target].target, architecture=row.architecture, graph_builder=build) for row in kept
        ],
        latency_ms=np.array(latencies, dtype=np.float64),
        noise_log=np.array([row.noise_log for row in kept], dtype=np.float64),
        kernels=kernels if any(kernels) else None,
        evidence=_evidence(kept, by_id),
    )


def _evidence(
    rows: Sequence[MeasuredRow], targets: Mapping[TargetId, MeasuredTarget]
) -> dict[TargetId, DeviceEvidence]:
    """Microbenchmarks and counters of those targets that have some."""
    counted: dict[TargetId, list[CountedRun]] = {}
    for row in rows:
        if row.counters and row.latency_ms is not None:
            kernel_ms: dict[str, float] = {}
            for kernel in row.kernels or ():
                kernel_ms[kernel.operator] = kernel_ms.get(kernel.operator, 0.0) + kernel.time_ms
            run = CountedRun(counts=row.counters, latency_ms=row.latency_ms, kernel_ms=kernel_ms)
            counted.setdefault(row.target, []).append(run)
    known = {
        name: DeviceEvidence(
            counters=counter_rates(counted.get(name, ())) or None, microbench=measured.microbench or None
        )
        for name, measured in targets.items()
    }
    return {name: evidence for name, evidence in known.items() if evidence != DeviceEvidence()}


def _builder(hashes: dict[Architecture, GraphHash]) -> Callable[[Architecture], Graph]:
    """A function that builds each graph once, and refuses one that is not the graph that was measured."""
    built: dict[Architecture, Graph] = {}

    def build(architecture: Architecture) -> Graph:
        if architecture not in built:
            built[architecture] = _build(architecture, hashes[architecture])
        return built[architecture]

    return build


def _build(architecture: Architecture, expected: GraphHash) -> Graph:
    from profilers.onnx_graph import load_graph
    from profilers.search_spaces import get_space

    graph = load_graph(get_space(architecture.space).to_onnx(architecture))
    if graph.hash != expected:
        raise InputError(
            f"{architecture.space} builds another graph from {architecture.text!r} than the one that was measured: "
            "pack the data set again, which marks such rows as stale."
        )
    return graph
