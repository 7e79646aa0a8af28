"""Remarks on latencies that are probably not what their table says: seconds taken as ms, two devices in one target."""

import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from latcast.schema.counting import counted
from predictors.base import FloatArray
from predictors.data.importers.records import Column, told_apart_by
from profilers.search_spaces import get_space

__all__ = ["remarks_on", "two_clusters"]

_FEWEST = 20
"""Rows below which a distribution says nothing."""
_LEAST_MS = 0.1
"""A target whose median is below is faster than any that public tables have (their medians begin at 1 ms)."""
_MOST_MS, _NANO_MS = 1_000.0, 1e6
"""A target whose median is above is slower than any that public tables have (their medians end at 105 ms)."""
_GAP = 2.5
"""Ratio of neighbouring latencies in the middle of a target; the 100 columns of HELP's tables stay below 1.3."""
_SHARE = 0.1


def remarks_on(columns: Sequence[Column], *, unit: str) -> list[str]:
    """A sentence for each target whose latencies look wrong.

    Args:
        columns: latencies by target.
        unit: unit that they were read in, for the advice.
    """
    remarks = []
    for column in columns:
        name = f"{column.target.device} ({', '.join(told_apart_by(column.target))})"
        remarks += [f"{name}: {sentence}" for sentence in [_isomorphic(column)] if sentence]
        ms = column.latency_ms[np.isfinite(column.latency_ms) & (column.latency_ms > 0)]
        if len(ms) >= _FEWEST:
            remarks += [f"{name}: {sentence}" for sentence in (_unit(ms, unit), _clusters(ms)) if sentence]
    return remarks


def two_clusters(ms: FloatArray) -> tuple[float, float] | None:
    """Medians of two clusters that a wide gap separates, None where there is no such gap.

    Args:
        ms: float64 (n,), positive latencies of one target.
    """
    values = np.sort(ms)
    edge = max(5, int(_SHARE * len(values)))
    ratios = values[edge : len(values) - edge + 1] / values[edge - 1 : len(values) - edge]
    if not len(ratios) or ratios.max() < _GAP:
        return None
    cut = edge + int(ratios.argmax())
    return float(np.median(values[:cut])), float(np.median(values[cut:]))


def _unit(ms: FloatArray, unit: str) -> str:
    median = float(np.median(ms))
    if median < _LEAST_MS:
        other = "s" if unit == "ms" else "ms"
        return f"half of its latencies are below {median:.3g} ms, which looks like another unit: --unit {other}?"
    if median > _MOST_MS:
        other = "ns" if median > _NANO_MS else "us"
        return f"half of its latencies are above {median:,.0f} ms, which looks like another unit: --unit {other}?"
    return ""


def _isomorphic(column: Column) -> str:
    """What is said of texts that build one network but have latencies of their own."""
    texts = defaultdict[str, dict[str, list[float]]](lambda: defaultdict(list))
    for architecture, ms in zip(column.architectures, column.latency_ms.tolist(), strict=True):
        if math.isfinite(ms) and ms > 0:
            texts[get_space(architecture.space).network(architecture.text)][architecture.text].append(ms)
    several = [[float(np.median(ms)) for ms in by_text.values()] for by_text in texts.values() if len(by_text) > 1]
    if not several:
        return ""
    apart = float(np.median([max(medians) / min(medians) - 1 for medians in several]))
    first = next(list(by_text)[:2] for by_text in texts.values() if len(by_text) > 1)
    texts_of_them, networks = sum(map(len, several)), counted(len(several), "network")
    return (
        f"{texts_of_them:,} of its texts build {networks}, as {first[0]} and {first[1]} do; their latencies differ by "
        f"{apart:.0%} (half of them by more). Each text keeps its own."
    )


def _clusters(ms: FloatArray) -> str:
    found = two_clusters(ms)
    if found is None:
        return ""
    low, high = found
    return (
        f"its latencies form two clusters, near {low:.3g} and {high:.3g} ms with nothing between: two batch sizes, "
        "devices or units in one target? Give each a name of its own, or a column that tells them apart."
    )
