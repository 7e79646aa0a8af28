"""Reference architectures: a device described by its latencies on a few fixed architectures (HELP, section 3.2)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from latcast.schema import Architecture, DeviceEvidence, MissingEvidenceError, TargetId
from latcast.schema.counting import counted
from predictors.base import FloatArray, LatencyDataset
from predictors.data.splits import row_keys

__all__ = [
    "architecture_of",
    "common_references",
    "min_max",
    "reference_key",
    "reference_latencies",
]


def reference_key(architecture: Architecture) -> str:
    """The key of an architecture in `DeviceEvidence.reference_latency_ms`, the same as in `data.splits.row_keys`."""
    return f"{architecture.space}:{architecture.text}"


def architecture_of(key: str) -> Architecture:
    """The architecture whose `reference_key` is the key."""
    space, _, text = key.partition(":")
    return Architecture(space=space, text=text)


def common_references(data: LatencyDataset) -> tuple[str, ...]:
    """Keys of the architectures whose latencies are evidence of every target, sorted.

    Raises:
        MissingEvidenceError: fewer than two architectures are evidence of every target.
    """
    measured = [set(data.evidence[t].reference_latency_ms) if t in data.evidence else set() for t in data.targets()]
    keys = sorted(set.intersection(*measured)) if measured else []
    if len(keys) < 2:
        raise MissingEvidenceError(
            "Training needs latencies of the same reference architectures, two or more, as evidence of every target."
        )
    return tuple(keys)


def reference_latencies(
    references: Sequence[str],
    support: LatencyDataset,
    target: TargetId,
    evidence: DeviceEvidence | None = None,
    *,
    least_share: float = 1.0,
) -> FloatArray:
    """Latencies of the reference architectures on a target in ms, float64 (r,).

    They are taken from the evidence, from that of the support, or from rows of the support, whether these are texts or
    the graphs of texts.

    Args:
        references: keys of the architectures.
        support: rows of the target.
        target: id of the target.
        evidence: what else is known of it.
        least_share: of the references that has to be measured, 0–1; the others are NaN.

    Raises:
        MissingEvidenceError: fewer of them were measured; the message names the first that was not.
    """
    latencies: dict[str, float] = dict(zip(row_keys(support), map(float, support.latency_ms), strict=True))
    for query, ms in zip(support.queries, support.latency_ms.tolist(), strict=True):
        if query.architecture is not None:
            latencies[reference_key(query.architecture)] = ms
    for source in (support.evidence.get(target), evidence):
        latencies.update(source.reference_latency_ms if source else {})
    missing = [key for key in references if key not in latencies]
    if len(references) - len(missing) < least_share * len(references):
        raise MissingEvidenceError(
            f"Adapting needs latencies of {counted(len(references), 'reference architecture')} of the target; "
            f"{len(missing)} were "
            f"not measured, the first is {missing[0]}."
        )
    return np.array([latencies.get(key, np.nan) for key in references], dtype=np.float64)


def min_max(latency_ms: ArrayLike) -> FloatArray:
    """The latencies scaled to 0–1, float64 (n,), n ≥ 1; zeros where all are equal."""
    values = np.asarray(latency_ms, dtype=np.float64)
    span = float(values.max() - values.min())
    return (values - values.min()) / span if span > 0 else np.zeros_like(values)
