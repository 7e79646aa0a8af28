"""What of a kernel a target may weigh differently, besides its class.

A factor for each class says how much slower a target runs convolutions; it cannot say that it runs small ones slower
still, or those of few channels. Tilts say that: numbers between about −1 and 1 for each kernel, each with a weight that
is particular to the target.
"""

import numpy as np
from numpy.typing import NDArray

from predictors.base import FloatArray
from predictors.features.kernels import CLASSES, KernelTable
from predictors.kernel_sum.roofline import WORK_TERMS

__all__ = ["kernel_tilts"]

_SIZE_SPREAD = 3.0
"""Natural logarithms between a typical kernel's time and one whose size tilt is near one."""

_CONVOLUTIONS = {"conv", "conv_pointwise", "conv_grouped", "conv_direct", "conv_plain", "conv_plain_grouped",
                 "conv_transpose", "int8_conv", "int8_conv_pointwise"}  # fmt: skip
_DEPTHWISE = {"conv_depthwise", "conv_plain_depthwise", "int8_conv_depthwise"}
_PRODUCTS = {"gemm", "gemv", "matmul", "attention", "einsum", "int8_gemm", "int8_matmul", "few_bits"}
_RECURRENCES = {"rnn", "int8_rnn"}
_PASSES = {"elementwise", "broadcast", "activation", "norm", "softmax", "reduce", "pool", "pool_plain", "global_pool",
           "quantise", "int8_pass", "lrn", "resize"}  # fmt: skip
_MOVES = {"concat", "split", "slice", "gather", "scatter", "transpose", "reshape", "copy", "pad", "reorder"}
_GROUPS = (_CONVOLUTIONS, _DEPTHWISE, _PRODUCTS, _RECURRENCES, _PASSES, _MOVES)

_SIZES = {"depth": (5.0, 3.0), "columns": (4.0, 2.0), "rows": (6.0, 3.0)}
"""Of products and convolutions: middle and spread of the logarithm."""
_WINDOW, _RUN = (2.5, 1.0), (4.0, 3.0)
_ACTIVATION = 0.5


def kernel_tilts(table: KernelTable, shares: FloatArray, log_time: FloatArray, typical: float) -> FloatArray:
    """Tilts of K kernels, float64 (K, T).

    Args:
        table: the kernels.
        shares: float64 (K, terms), the roofline's.
        log_time: float64 (K,), the roofline's forecast.
        typical: log time of a typical kernel.
    """
    part = {name: shares[:, index] for index, name in enumerate(WORK_TERMS)}
    size = np.tanh((log_time - typical) / _SIZE_SPREAD)
    everywhere = [
        part["moved_bytes"] + part["spilled_bytes"],
        part["parameter_bytes"] + part["streamed_bytes"],
        part["launch"],
        size,
    ]
    convolution, depthwise, product, _, passing, moving = members = [_belongs(table, group) for group in _GROUPS]
    return np.stack(
        [
            *everywhere,
            *(member * size for member in members),
            *(member * _bounded(table, name, *_SIZES[name]) for member in (convolution, product) for name in _SIZES),
            convolution * (table.column("window") > 1),
            (convolution | product) * (table.column("activation") > 0) * _ACTIVATION,
            depthwise * _bounded(table, "window", *_WINDOW),
            passing * _bounded(table, "run", *_RUN),
            moving * _bounded(table, "run", *_RUN),
        ],
        axis=1,
    )


def _belongs(table: KernelTable, classes: set[str]) -> NDArray[np.bool_]:
    return np.asarray(np.isin(table.kinds, [CLASSES.index(name) for name in classes]))


def _bounded(table: KernelTable, name: str, middle: float, spread: float) -> FloatArray:
    return np.asarray(np.tanh((np.log1p(table.column(name)) - middle) / spread))
