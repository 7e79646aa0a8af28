"""What a graph's kernels have in common that none of them tells: read off the graph as a whole.

The errors of a sum over kernels are not independent. How much of a graph's time goes to which classes, how large its
parameters are together and how many kernels there are say something of caches, of conversions and of what runs beside
what: networks that are alike in these are forecast wrong by alike factors. Trees learn that factor from the residuals
of forecasts that did not see the graph.
"""

import numpy as np
from numpy.typing import NDArray

from predictors.base import FloatArray
from predictors.features.kernels import KernelTable, column_places
from predictors.kinds.kernel_sum.sums import Kernels

__all__ = ["graph_features"]

_SIZES = column_places(("graph_parameter_bytes", "graph_activation_bytes"))
_TYPICAL = column_places((
    "batch", "rows", "columns", "depth", "width", "channels_in", "channels_out", "window", "run", "activation",
))  # fmt: skip
"""Shapes of which the trees see the mean over a graph's time, in logarithms."""


def graph_features(kernels: Kernels, table: KernelTable, traits: NDArray[np.float32]) -> FloatArray:
    """What trees read of each graph, float64 (n, f).

    Args:
        kernels: of n graphs, as forecast.
        table: the same kernels.
        traits: float32 (n, a), of each graph's target.
    """
    times = np.exp(kernels.log_time)
    totals = np.maximum(kernels.totals(times), 1e-300)
    shares = kernels.by_class(times) / totals[:, None]
    tilt = kernels.sums(times[:, None] * kernels.tilt) / totals[:, None]
    largest = np.zeros(kernels.count)
    np.maximum.at(largest, kernels.rows, times)
    first = np.searchsorted(kernels.rows, np.arange(kernels.count))
    sizes = np.log1p(table.values[np.ix_(first, _SIZES)])
    counts = np.bincount(kernels.rows, minlength=kernels.count)
    typical = kernels.sums(times[:, None] * np.log1p(table.values[:, _TYPICAL])) / totals[:, None]
    plain = [np.log(totals), np.log(np.maximum(counts, 1)), *sizes.T, *typical.T, largest / totals]
    return np.concatenate([np.sqrt(shares), tilt, np.stack(plain, axis=1), traits], axis=1)
