"""What a kernel saves where its parameters and its code are in the caches since they were there in the same run.

Shared models learn kernels from networks that run each kernel once, one among many others. In the body of a loop, and
in steps that an exporter unrolled, launching costs less than there, and reading what was read before does; work that is
bound by arithmetic saves nothing.
"""

import numpy as np

from predictors.base import FloatArray
from predictors.features.kernels import KernelTable

__all__ = ["log_saved"]

_COLUMNS = ("macs", "operations", "parameter_bytes", "input_bytes", "graph_parameter_bytes")

_TINY_FACTOR, _READING_FACTOR = 0.8, 0.4
"""Time over that of a kernel among others, of tiny kernels and of reading. These two and where they end are fitted to
loops of the data set and to 70 random bodies on a second machine, each as a loop and as unrolled steps; bodies left
out of the fit are forecast as well as the others (`benchmarks/reuse_factors.py`)."""

_TINY_OPERATIONS = 1000.0
"""Operations of a kernel at which half of what launching saves is left."""
_BOUND_BY_READING = 0.5
"""Multiply-accumulates for each byte read at which half of what reading saves is left; single rows have .25."""
_NEAR_BYTES = 6.0 * 2**20
"""Bytes between two reads at which half is left: above a core's second cache."""


def log_saved(table: KernelTable) -> FloatArray:
    """Logarithm of each kernel's time over its time among others, float64 (K,), zero where nothing is warm.

    Args:
        table: K kernels.
    """
    saved = np.zeros(len(table))
    warm = np.flatnonzero(table.warm > 0)
    if len(warm):
        work = {name: table.column(name)[warm] for name in _COLUMNS}
        read = np.maximum(work["parameter_bytes"] + work["input_bytes"], 1.0)
        reading = _half_at(work["macs"] / read / _BOUND_BY_READING) * _half_at(
            work["graph_parameter_bytes"] / _NEAR_BYTES
        )
        tiny = _half_at(work["operations"] / _TINY_OPERATIONS)
        factor = np.where(work["macs"] > 0, _READING_FACTOR**reading, _TINY_FACTOR**tiny)
        saved[warm] = np.log1p(table.warm[warm] * (factor - 1))
    return saved


def _half_at(ratio: FloatArray) -> FloatArray:
    """One where the ratio is small, a half where it is one, and zero where it is large."""
    return np.asarray(1 / (1 + ratio**2))
