"""The protocols: which rows are in training, which are measured on the target, and which are forecast.

`full`: a source contributes random architectures (by seed), the target's samples are chosen among all, and every
architecture that was not measured is forecast.

`help`, as in HELP's code: sources contribute the first architectures of the table; the target's samples come from these
too, and the following thousand are forecast; of both, the fastest and the slowest tenth are left out.

In both, reference latencies of a predictor that describes devices by them count among its samples.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latcast.schema import Architecture, DeviceEvidence, Graph, InputError, Target
from latcast.schema.counting import counted
from predictors.base import LatencyDataset, Predictor, Query
from predictors.data.importers.help import LatencyTable, target_of
from predictors.features.references import reference_key
from predictors.samplers.base import get_sampler
from profilers.search_spaces import get_space

__all__ = [
    "PROTOCOLS",
    "Choice",
    "Split",
    "needs_references",
    "pool_and_test",
    "split_target",
    "training_rows",
    "validation_rows",
]

PROTOCOLS = ("full", "help")

HELP_QUERIES = 1000
_TAIL = 0.1
_POOL = 1500
"""Number of candidates of a sampler, a random part of the table, since some samplers take time for each."""

Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The settings by which samples of a target are chosen.

    Args:
        device: device of the table that is the target.
        seed: seed of everything random.
        sampler: name of the sampler.
        shots: number of measurements, reference latencies included.
    """

    device: str
    seed: int
    sampler: str
    shots: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """The rows of one target.

    Args:
        support: rows that the predictor is adapted to.
        evidence: reference latencies, where the predictor needs them; they count as measurements.
        test: rows that are forecast.
    """

    support: LatencyDataset
    evidence: DeviceEvidence | None
    test: LatencyDataset


def needs_references(predictor: Predictor) -> bool:
    """Whether a predictor describes devices by reference latencies: a table has no other evidence."""
    capabilities = predictor.capabilities
    return "reference_latency_ms" in capabilities.evidence | capabilities.any_evidence


def training_rows(
    table: LatencyTable, devices: Sequence[str], *, protocol: str, samples: int, seed: int, references: bool
) -> LatencyDataset:
    """The training set: rows of the source devices.

    Args:
        table: table of all devices.
        devices: source devices.
        protocol: `full` or `help`.
        samples: number of architectures of each device.
        seed: seed of the choice.
        references: whether each device's reference latencies are added as evidence.

    Raises:
        UnknownNameError: the table lacks one of the devices.
    """
    parts = []
    for index, device in enumerate(devices):
        usable = np.flatnonzero(np.isfinite(table.column(device)))
        if protocol == "help":
            parts.append((device, usable[usable < samples]))
        else:
            rng = np.random.default_rng([seed, index, 1])
            parts.append((device, rng.choice(usable, size=min(samples, len(usable)), replace=False)))
    return _dataset(table, parts, references=references)


def validation_rows(table: LatencyTable, devices: Sequence[str], *, samples: int) -> LatencyDataset | None:
    """Rows of the validation devices in HELP's protocol, on the architectures that it tests on; None without devices.

    Raises:
        UnknownNameError: the table lacks one of the devices.
        InputError: the table has too few architectures.
    """
    if not devices:
        return None
    parts = [(device, _without_tails(table, device, samples, samples + HELP_QUERIES)) for device in devices]
    return _dataset(table, parts, references=True)


def split_target(table: LatencyTable, predictor: Predictor, choice: Choice, *, protocol: str, samples: int) -> Split:
    """Choose the target's support, and split its rows.

    Args:
        table: table of all devices.
        predictor: fitted predictor, whose reference latencies are measured and which samplers may use.
        choice: target, sampler, number of measurements and seed.
        protocol: `full` or `help`.
        samples: number of architectures of each source, after which the `help` protocol splits the table.

    Raises:
        UnknownNameError: the table lacks the device, or the sampler is not registered.
        InputError: the table lacks reference latencies that the predictor needs, these exceed the shots, or there are
            too few architectures to choose from.
    """
    device = choice.device
    pool, test = pool_and_test(table, device, protocol=protocol, samples=samples)
    references = _references(table, device, choice.shots) if needs_references(predictor) else np.empty(0, np.intp)
    count = choice.shots - len(references)
    chosen = _choose(table, predictor, choice, np.setdiff1d(pool, references), count) if count else references[:0]
    rest = np.setdiff1d(test, np.concatenate([references, chosen]))
    return Split(
        support=_dataset(table, [(device, chosen)], references=False),
        evidence=_evidence(table, device) if len(references) else None,
        test=_dataset(table, [(device, rest)], references=False),
    )


def pool_and_test(table: LatencyTable, device: str, *, protocol: str, samples: int) -> tuple[Rows, Rows]:
    """Indices of (architectures that may be measured, architectures that are forecast unless they were measured)."""
    if protocol == "help":
        return (
            _without_tails(table, device, 0, samples),
            _without_tails(table, device, samples, samples + HELP_QUERIES),
        )
    usable = np.flatnonzero(np.isfinite(table.column(device)))
    return usable, usable


def _choose(table: LatencyTable, predictor: Predictor, choice: Choice, pool: Rows, count: int) -> Rows:
    rng = np.random.default_rng([choice.seed, *choice.device.encode()])
    target = target_of(table.space, choice.device)
    part = np.sort(rng.choice(pool, size=min(len(pool), _POOL), replace=False))
    queries = [_query(target, table.architectures[row]) for row in part]
    chosen = get_sampler(choice.sampler).choose(queries, count, predictor=predictor, rng=rng)
    return part[np.array(chosen, dtype=np.intp)]


def _references(table: LatencyTable, device: str, shots: int) -> Rows:
    rows = np.array(table.references, dtype=np.intp)
    if len(rows) == 0 or not np.isfinite(table.column(device)[rows]).all():
        raise InputError(f"The {table.space} table has no latencies of reference architectures on {device}.")
    if len(rows) > shots:
        raise InputError(
            f"This predictor measures {counted(len(rows), 'reference architecture')}: {counted(shots, 'shot')} "
            "are too few."
        )
    return rows


def _without_tails(table: LatencyTable, device: str, start: int, stop: int) -> Rows:
    rows = np.arange(start, min(stop, len(table)))
    rows = rows[np.isfinite(table.column(device)[rows])]
    if len(rows) < 10:
        raise InputError(f"The {table.space} table has too few architectures for the help protocol on {device}.")
    order = rows[np.argsort(table.column(device)[rows], kind="stable")]
    return np.sort(order[int(len(order) * _TAIL) : int(len(order) * (1 - _TAIL))])


def _dataset(table: LatencyTable, parts: Sequence[tuple[str, Rows]], *, references: bool) -> LatencyDataset:
    queries, latencies, evidence = list[Query](), list[NDArray[Any]](), dict[str, DeviceEvidence]()
    for device, rows in parts:
        target = target_of(table.space, device)
        queries += [_query(target, table.architectures[row]) for row in rows]
        latencies.append(table.column(device)[rows])
        if references:
            evidence[target.id] = _evidence(table, device)
    return LatencyDataset(queries=queries, latency_ms=np.concatenate(latencies), evidence=evidence)


def _query(target: Target, architecture: Architecture) -> Query:
    return Query(target=target, architecture=architecture, graph_builder=_graph)


@lru_cache(4096)
def _graph(architecture: Architecture) -> Graph:
    """The graph of an architecture, built once for all devices."""
    from profilers.onnx_graph import load_graph

    return load_graph(get_space(architecture.space).to_onnx(architecture))


def _evidence(table: LatencyTable, device: str) -> DeviceEvidence:
    column = table.column(device)
    latencies = {reference_key(table.architectures[row]): float(column[row]) for row in table.references}
    return DeviceEvidence(reference_latency_ms=latencies)
