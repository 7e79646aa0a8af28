"""What of a kernel a target may weigh differently, besides its class.

A factor for each class says how much slower a target runs convolutions; it cannot say that it runs small ones slower
still, or those of few channels. Tilts say that: numbers between about −1 and 1 for each kernel, each with a weight that
is particular to the target.
"""

import numpy as np
from numpy.typing import NDArray

from predictors.base import FloatArray
from predictors.features.kernels import CLASSES, KernelTable, column_places
from predictors.kinds.kernel_sum.roofline import WORK_TERMS, Costs

__all__ = ["joined_tilts", "kernel_tilts", "shape_tilts", "sized_tilts"]

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

_MEMBER = np.array([[name in group for group in _GROUPS] for name in CLASSES])
"""Bool (C, groups)."""

_SHAPES = column_places(("depth", "columns", "rows", "window", "run"))
_MIDDLES, _SPREADS = np.array([5.0, 4.0, 6.0, 2.5, 4.0]), np.array([3.0, 2.0, 3.0, 1.0, 3.0])
"""Middles and spreads of these shapes' logarithms."""
_WINDOW, _ACTIVATED = column_places(("window", "activation"))
_ACTIVATION = 0.5
_STREAMS = [[WORK_TERMS.index(name) for name in pair] for pair in (
    ("moved_bytes", "spilled_bytes"), ("parameter_bytes", "streamed_bytes"),
)]  # fmt: skip
_LAUNCH = WORK_TERMS.index("launch")


def kernel_tilts(table: KernelTable, costs: Costs, typical: float) -> FloatArray:
    """Tilts of K kernels, float64 (K, T).

    Args:
        table: the kernels.
        costs: of them, by the roofline.
        typical: log time of a typical kernel.
    """
    return joined_tilts(table.kinds, sized_tilts(costs, typical), shape_tilts(table))


def sized_tilts(costs: Costs, typical: float) -> FloatArray:
    """The tilts that depend on the network around a kernel, float64 (K, 4): shares of its time, and its size.

    Args:
        costs: of K kernels, by the roofline.
        typical: log time of a typical kernel.
    """
    shares = [costs.shares[:, streams].sum(axis=1) for streams in _STREAMS]
    return np.column_stack([*shares, costs.shares[:, _LAUNCH], np.tanh((costs.log_time - typical) / _SIZE_SPREAD)])


def shape_tilts(table: KernelTable) -> FloatArray:
    """The tilts that kernels have by themselves, by their shapes, float64 (K, 11)."""
    convolution, depthwise, product, _, passing, moving = _MEMBER[table.kinds].T
    shapes = np.tanh((np.log1p(table.values[:, _SHAPES]) - _MIDDLES) / _SPREADS)
    window, run = shapes[:, 3], shapes[:, 4]
    return np.column_stack(
        [
            shapes[:, :3] * convolution[:, None],
            shapes[:, :3] * product[:, None],
            convolution * (table.values[:, _WINDOW] > 1),
            (convolution | product) * (table.values[:, _ACTIVATED] > 0) * _ACTIVATION,
            depthwise * window,
            passing * run,
            moving * run,
        ]
    )


def joined_tilts(kinds: NDArray[np.int64], sized: FloatArray, shapes: FloatArray) -> FloatArray:
    """Tilts of K kernels, float64 (K, T).

    Args:
        kinds: int64 (K,), index into `CLASSES`.
        sized: `sized_tilts`.
        shapes: `shape_tilts`.
    """
    return np.concatenate([sized, _MEMBER[kinds] * sized[:, -1:], shapes], axis=1)
