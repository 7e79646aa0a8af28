"""How much longer a product in 8 bits takes where its weights are uint8.

Data are uint8 in most quantised networks. CPUs have instructions that multiply uint8 by int8 and add four products at
once (VNNI); for uint8 by uint8 ONNX Runtime widens both to 16 bits. Shared models learn from networks whose weights are
int8, as its quantisers write them unless asked.
"""

import numpy as np

from predictors.base import FloatArray
from predictors.features.kernels import KernelTable

__all__ = ["log_slower"]

_COLUMNS = ("macs", "parameter_bytes", "input_bytes", "output_bytes")

_MOST = 1.45
"""Part of the signed product's time that is added where arithmetic is all. These are fitted to 25 pairs of convolutions
and matrix products that differ in their weights' sign alone (AMD EPYC with VNNI); of a pair left out, 9 % is missed."""
_INTENSITY = 3.0
"""Multiply-accumulates for each byte moved at which half of it is added."""
_SMALL = 1e6
"""Multiply-accumulates at which it is half, for products that mostly take launching."""


def log_slower(table: KernelTable) -> FloatArray:
    """Logarithm of each kernel's time over its time with signed weights, float64 (K,), zero for all others.

    Args:
        table: K kernels.
    """
    slower = np.zeros(len(table))
    places = np.flatnonzero(table.unsigned)
    if len(places):
        macs, *moved = (table.column(name)[places] for name in _COLUMNS)
        intensity = macs / np.maximum(sum(moved), 1.0)
        slower[places] = np.log1p(_MOST * intensity / (intensity + _INTENSITY) * macs / (macs + _SMALL))
    return slower
