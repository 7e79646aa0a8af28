"""Workloads for predictors that read architectures; no graph is built."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np

from latcast.schema import Architecture, DeviceEvidence, Graph, Target, TargetId
from predictors.base import FloatArray, LatencyDataset, Query
from predictors.data.splits import merge, row_keys
from predictors.features.encoding import EncodingTable
from predictors.testing.workload import Workload
from profilers.search_spaces import get_space
from profilers.search_spaces.nasbench201 import OPERATORS

__all__ = ["architecture_workload", "operator_workload"]

_DEVICES = 7
_DIRECTIONS = 3
_REFERENCES = 10
_NOISE_LOG = 0.02
_OPERATOR_COSTS = np.array([0.0, 0.2, 1.0, 3.0, 0.5])
"""Costs of NAS-Bench-201's operators, in units of a device's overhead for each network."""


@cache
def architecture_workload(
    space: str = "nasbench201", *, train: int = 200, held_out: int = 300, support: int = 20
) -> Workload:
    """Architectures of one space on analytic devices, with ten reference latencies of each device as evidence.

    Every column of a space's encoding has a cost on each device. Devices differ in speed, by up to sixty times, and in
    the relative costs of the columns, along three directions. The last device is the new one.

    Args:
        space: search space of the architectures, which are all different.
        train: number of architectures in training.
        held_out: number of held-out architectures, on the training devices and again on the new one.
        support: number of architectures measured on the new device.
    """
    drawn = _architectures(space, train + 2 * held_out + support + _REFERENCES)
    cuts = np.cumsum([_REFERENCES, train, held_out, support])
    references, *parts = (list(part) for part in np.split(np.array(drawn, dtype=object), cuts))
    table = EncodingTable.of(_queries(drawn, 0))
    evidence = {_target(device).id: _evidence(_measured(references, [device], table)) for device in range(_DEVICES)}
    old, new = list(range(_DEVICES - 1)), [_DEVICES - 1]
    data = [_measured(part, devices, table) for part, devices in zip(parts, (old, old, new, new), strict=True)]
    return Workload(*(replace(rows, evidence=evidence) for rows in data))


@cache
def operator_workload(*, dead_costs: bool) -> Workload:
    """The cells of `architecture_workload` on devices where an operator costs the same wherever it stands.

    It suits graph networks, which tell positions apart by the graph alone: they learn these devices in seconds, and
    nearly perfectly.

    Args:
        dead_costs: whether operators that do not lie between input and output cost time too.
    """
    parts = architecture_workload()
    data = (parts.train, parts.held_out, parts.support, parts.new_held_out)
    return Workload(*(_by_operator(rows, dead_costs) for rows in data))


def _by_operator(data: LatencyDataset, dead_costs: bool) -> LatencyDataset:
    def cost(target: TargetId, architecture: Architecture) -> float:
        encoding, device = get_space(architecture.space).encode(architecture), devices[target]
        pays = np.ones(len(encoding["operators"]), bool) if dead_costs else encoding["live"].astype(bool)
        counts = np.bincount(encoding["operators"][pays], minlength=len(OPERATORS))
        efficiency = np.random.default_rng(device).uniform(0.5, 1.0, len(OPERATORS))
        return float(2.0**device * (1 + counts @ (efficiency * _OPERATOR_COSTS)))

    devices = {_target(device).id: device for device in range(_DEVICES)}
    named = get_space("nasbench201")
    evidence = {
        target: DeviceEvidence(
            reference_latency_ms={
                key: cost(target, named.parse(key.partition(":")[2])) for key in measured.reference_latency_ms
            }
        )
        for target, measured in data.evidence.items()
    }
    exact = [cost(query.target.id, query.architecture) for query in data.queries if query.architecture]
    return LatencyDataset(queries=data.queries, latency_ms=np.array(exact), evidence=evidence)


def _architectures(space: str, count: int) -> list[Architecture]:
    rng, different = np.random.default_rng(11), dict[Architecture, None]()
    while len(different) < count:
        drawn = get_space(space).sample(rng)
        if not get_space(space).is_degenerate(drawn):
            different[drawn] = None
    return list(different)


def _measured(architectures: Sequence[Architecture], devices: Sequence[int], table: EncodingTable) -> LatencyDataset:
    return merge(*(_on_device(architectures, device, table) for device in devices))


def _on_device(architectures: Sequence[Architecture], device: int, table: EncodingTable) -> LatencyDataset:
    queries = _queries(architectures, device)
    exact = _cost(device, len(table.columns)) @ table.features(queries).T
    noise = np.random.default_rng([device, len(queries)]).standard_normal(len(queries))
    return LatencyDataset(
        queries=queries,
        latency_ms=exact * np.exp(_NOISE_LOG * noise),
        noise_log=np.full(len(queries), _NOISE_LOG),
    )


def _cost(device: int, columns: int) -> FloatArray:
    """Time of each column on the device in ms, float64 (columns,)."""
    shared, of_device = np.random.default_rng(0), np.random.default_rng(device + 1)
    common, directions = shared.lognormal(0, 1, columns), shared.normal(0, 0.3, (_DIRECTIONS, columns))
    tilt = of_device.standard_normal(_DIRECTIONS) @ directions + of_device.normal(0, 0.03, columns)
    return np.asarray(common * np.exp(tilt) * 2.0**device / columns)


def _evidence(references: LatencyDataset) -> DeviceEvidence:
    latencies = zip(row_keys(references), references.latency_ms, strict=True)
    return DeviceEvidence(reference_latency_ms={key: float(ms) for key, ms in latencies})


def _queries(architectures: Sequence[Architecture], device: int) -> list[Query]:
    target = _target(device)
    return [Query(target=target, architecture=item, graph_builder=_no_graph) for item in architectures]


def _target(device: int) -> Target:
    return Target(device=f"analytic{device}", backend="imported")


def _no_graph(architecture: Architecture) -> Graph:
    raise AssertionError(f"A predictor of architectures builds no graph; one was asked for of {architecture.text}.")
