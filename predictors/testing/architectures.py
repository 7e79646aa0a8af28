"""A workload for predictors that read architectures: no graph is built."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np

from predictors.base import FloatArray, LatencyDataset, Query
from predictors.dataset import merge, row_keys
from predictors.features.encoding import EncodingTable
from predictors.testing.workload import Workload
from profilers.schema import Architecture, DeviceEvidence, Graph, Target
from profilers.search_spaces import get_space

__all__ = ["architecture_workload"]

_DEVICES = 7
_DIRECTIONS = 3
_REFERENCES = 10
_NOISE_LOG = 0.02


@cache
def architecture_workload(
    space: str = "nasbench201", *, train: int = 200, held_out: int = 300, support: int = 20
) -> Workload:
    """Architectures of one space on analytic devices, with ten reference latencies of each device as evidence.

    Every column of a space's encoding costs its own time on a device. Devices differ in speed, by up to sixty times,
    and along three directions in which columns they are good at. The last device is the new one.

    Args:
        space: of the architectures, which are all different.
        train: number of architectures to learn from.
        held_out: number of those to judge by, on the training devices and again on the new one.
        support: number of those measured on the new device.
    """
    drawn = _architectures(space, train + 2 * held_out + support + _REFERENCES)
    cuts = np.cumsum([_REFERENCES, train, held_out, support])
    references, *parts = (list(part) for part in np.split(np.array(drawn, dtype=object), cuts))
    table = EncodingTable.of(_queries(drawn, 0))
    evidence = {_target(device).id: _evidence(_measured(references, [device], table)) for device in range(_DEVICES)}
    known, new = list(range(_DEVICES - 1)), [_DEVICES - 1]
    data = [_measured(part, devices, table) for part, devices in zip(parts, (known, known, new, new), strict=True)]
    return Workload(*(replace(rows, evidence=evidence) for rows in data))


def _architectures(space: str, count: int) -> list[Architecture]:
    rng, found = np.random.default_rng(11), dict[Architecture, None]()
    while len(found) < count:
        drawn = get_space(space).sample(rng)
        if not get_space(space).is_degenerate(drawn):
            found[drawn] = None
    return list(found)


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
    shared, own = np.random.default_rng(0), np.random.default_rng(device + 1)
    common, directions = shared.lognormal(0, 1, columns), shared.normal(0, 0.3, (_DIRECTIONS, columns))
    tilt = own.standard_normal(_DIRECTIONS) @ directions + own.normal(0, 0.03, columns)
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
