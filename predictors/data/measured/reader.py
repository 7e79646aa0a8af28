"""From the files to what predictors learn from."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from latcast.schema import Architecture, DeviceEvidence, Graph, GraphHash, InputError
from predictors.base import LatencyDataset, Query
from predictors.data.measured.drift_factors import at_baseline_speed
from predictors.data.measured.pooling import pooled_rows
from predictors.data.measured.records import MeasuredRow, MeasuredTarget
from predictors.data.measured.storage import read_rows, read_targets

__all__ = ["read_measured", "to_dataset"]


def read_measured(path: Path, *, repeats: bool = False, spaces: Sequence[str] = ()) -> LatencyDataset:
    """A measured data set. Graphs are built from the architectures when somebody asks for them, once for all targets.

    Rows that failed have no latency and rows that are stale no graph: neither is part of it (`read_rows` has them).
    Latencies are those of the machine's baseline speed (`MeasuredRow.slowness`); `read_rows` has them as measured.

    Args:
        path: folder that `latcast dataset pack` wrote.
        repeats: every measurement of a graph on a target as a row of its own; by default they are taken together
            (`pooled_rows`).
        spaces: of these search spaces alone; empty means all.

    Raises:
        InputError: not such a folder.
    """
    rows = [row for row in read_rows(path) if not spaces or row.space in spaces]
    return to_dataset(rows if repeats else pooled_rows(rows), read_targets(path))


def to_dataset(rows: Iterable[MeasuredRow], targets: Iterable[MeasuredTarget]) -> LatencyDataset:
    """The usable ones of these rows, in order; see `read_measured`.

    Raises:
        InputError: a row is of a target that is not among `targets`.
    """
    kept = [row for row in rows if row.latency_ms is not None and not row.stale]
    known = {measured.target.id: measured for measured in targets}
    unknown = sorted({row.target for row in kept} - set(known))
    if unknown:
        raise InputError(f"The rows name the target {unknown[0]}, of which nothing is known.")
    build = _builder({row.architecture: row.graph for row in kept})
    latencies, kernels = zip(*map(at_baseline_speed, kept), strict=True) if kept else ((), ())
    return LatencyDataset(
        queries=[
            Query(target=known[row.target].target, architecture=row.architecture, graph_builder=build) for row in kept
        ],
        latency_ms=np.array(latencies, dtype=np.float64),
        noise_log=np.array([row.noise_log for row in kept], dtype=np.float64),
        kernels=kernels if any(kernels) else None,
        evidence={
            name: DeviceEvidence(microbench=measured.microbench)
            for name, measured in known.items()
            if measured.microbench
        },
    )


def _builder(hashes: dict[Architecture, GraphHash]) -> Callable[[Architecture], Graph]:
    """Builds each graph once, and makes sure that it is the one that was measured."""
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
