"""Descriptors: a device as a vector, from its counters, microbenchmarks or reference latencies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from latcast.schema import DeviceEvidence, MissingEvidenceError, TargetId
from predictors.base import FloatArray, LatencyDataset
from predictors.data.counter_rates import SEPARATOR
from predictors.features.references import common_references, reference_latencies

__all__ = ["DESCRIPTORS", "Described", "DescriptorReader", "common_entries"]

DESCRIPTORS = ("counters", "microbench", "reference_latency_ms")
"""Fields of `DeviceEvidence` in the order of preference."""
_LEAST_MEASURED = 0.5
"""Share of the references that has to be measured."""
_REMEDIES = {
    "counters": "have some networks measured there by an agent that counts events of the hardware, or train with "
    "another descriptor.",
    "microbench": "have its agent run them (`latcast agent` does when it starts), or train with another descriptor.",
}
"""Advice for those whose evidence is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """A device as its descriptor and its unit of time.

    Args:
        vector: float64 (d,), standardised over the devices of training.
        unit_ms: geometric mean of the device's reference latencies in ms; 1 for descriptors of another kind.
    """

    vector: FloatArray
    unit_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DescriptorReader:
    """Reads descriptors of one kind, standardised over the devices of training.

    Args:
        kind: one of `DESCRIPTORS`.
        names: names of the entries, in the vector's order.
        centre: float64 (d,), mean over the devices of training.
        spread: float64 (d,), standard deviation over the devices of training; 1 where they do not differ.
    """

    kind: str
    names: tuple[str, ...]
    centre: FloatArray
    spread: FloatArray

    @classmethod
    def fit(cls, data: LatencyDataset, kind: str = "auto") -> Self:
        """The reader for the targets of a data set.

        Args:
            data: data set with evidence of every target.
            kind: one of `DESCRIPTORS`, or `auto` for the first that every target has.

        Raises:
            MissingEvidenceError: the targets have no such evidence in common.
        """
        kind, names = _common(data, DESCRIPTORS if kind == "auto" else (kind,))
        raw = [_raw(kind, names, data.subset([]), target, None)[0] for target in data.targets()]
        centre, spread = np.mean(raw, axis=0), np.std(raw, axis=0)
        return cls(kind=kind, names=names, centre=centre, spread=np.where(spread > 1e-9, spread, 1.0))

    def read(self, support: LatencyDataset, target: TargetId, evidence: DeviceEvidence | None) -> Described:
        """The descriptor of a target, from the evidence, the support's evidence or (reference latencies) its rows.

        References that were not measured are taken to be as on the devices of training, in the unit that the others
        give, where half of them were: an adaptation to all rows but one is then much like that to all.

        Raises:
            MissingEvidenceError: the target lacks an entry that the devices of training have.
        """
        raw, unit_ms = _raw(self.kind, self.names, support, target, evidence, usual=self.centre)
        return Described(vector=(raw - self.centre) / self.spread, unit_ms=unit_ms)


def _common(data: LatencyDataset, kinds: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """The first kind of which all targets have entries in common, and the names of these entries."""
    for kind in kinds:
        if kind == "reference_latency_ms":
            return kind, common_references(data)
        if shared := common_entries(data, kind):
            return kind, tuple(sorted(shared))
    raise MissingEvidenceError(f"Training needs {' or '.join(kinds)} as evidence of every target.")


def common_entries(data: LatencyDataset, kind: str) -> set[str]:
    """Names of the entries of one kind of evidence that every target of the data has."""
    entries = [set(_entries(kind, data.evidence.get(target))) for target in data.targets()]
    return set.intersection(*entries) if entries else set()


def _raw(
    kind: str,
    names: Sequence[str],
    support: LatencyDataset,
    target: TargetId,
    evidence: DeviceEvidence | None,
    *,
    usual: FloatArray | None = None,
) -> tuple[FloatArray, float]:
    """(logarithms of the entries (d,), unit of time in ms); `usual` stands where references are lacking."""
    if kind == "reference_latency_ms":
        if usual is None:
            log_ms = np.log(reference_latencies(names, support, target, evidence))
            return log_ms - log_ms.mean(), float(np.exp(log_ms.mean()))
        log_ms = np.log(reference_latencies(names, support, target, evidence, least_share=_LEAST_MEASURED))
        unit = np.nanmean(log_ms - usual)
        return np.where(np.isnan(log_ms), usual, log_ms - unit), float(np.exp(unit))
    entries = {**_entries(kind, support.evidence.get(target)), **_entries(kind, evidence)}
    # An operator that the device has not run yet is taken to count as all that it has run.
    known = {name: entries.get(name, entries.get(name.partition(SEPARATOR)[0])) for name in names}
    values = [value for value in known.values() if value is not None]
    if len(values) < len(names):
        missing = next(name for name, value in known.items() if value is None)
        raise MissingEvidenceError(
            f"The device's {kind} lack {missing!r}, which training had of every device: {_REMEDIES[kind]}"
        )
    return np.log(np.maximum(values, 1e-12)), 1.0


def _entries(kind: str, evidence: DeviceEvidence | None) -> Mapping[str, float]:
    entries: Mapping[str, float] | None = getattr(evidence, kind) if evidence else None
    return entries or {}
