"""Remarks on latencies that are probably not what their table says: seconds taken as ms, two devices in one target."""

from collections.abc import Sequence

import numpy as np

from predictors.base import FloatArray
from predictors.data.importers.records import Column

__all__ = ["remarks_on", "two_clusters"]

_FEWEST = 20
"""Rows below which a distribution says nothing."""
_LEAST_MS = 0.1
"""A target whose median is below is faster than any that public tables have (their medians begin at 1 ms)."""
_MOST_MS = 100_000.0
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
        ms = column.latency_ms[np.isfinite(column.latency_ms) & (column.latency_ms > 0)]
        name = f"{column.target.device} ({column.target.options.get('space', '')})"
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
        return f"half of its latencies are above {median:.3g} ms, which looks like another unit: --unit us or ns?"
    return ""


def _clusters(ms: FloatArray) -> str:
    found = two_clusters(ms)
    if found is None:
        return ""
    low, high = found
    return (
        f"its latencies form two clusters, near {low:.3g} and {high:.3g} ms with nothing between: two batch sizes, "
        "devices or units in one target? Give each a name of its own, or a column that tells them apart."
    )
