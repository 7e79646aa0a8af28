"""What a graph's kernels have in common that none of them tells: read off the graph as a whole.

The errors of a sum over kernels are not independent. How much of a graph's time goes to which classes, how large its
parameters are together and how many kernels there are say something of caches, of conversions and of what runs beside
what: networks that are alike in these are forecast wrong by alike factors. Trees learn that factor from the residuals
of forecasts that did not see the graph.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from latcast.schema import Target
from predictors.base import FloatArray, Progress
from predictors.features.kernels import KernelTable, column_places
from predictors.kinds.kernel_sum.correction import Graphs
from predictors.kinds.kernel_sum.model import MIN_KERNELS
from predictors.kinds.kernel_sum.multipliers import Multipliers
from predictors.kinds.kernel_sum.residual import Growth, ResidualTrees
from predictors.kinds.kernel_sum.sums import Kernels
from predictors.kinds.kernel_sum.training_set import TrainingSet
from predictors.kinds.universal.graphs.kernel_network import KernelEncoding

__all__ = ["as_wholes", "graph_features", "is_whole", "learn_whole_graphs", "typical_shapes"]

_FEWEST_GRAPHS = 100
"""Graphs of some kernels each, from which trees can learn what graphs have in common."""

_SIZES = column_places(("graph_parameter_bytes", "graph_activation_bytes"))
_TYPICAL = column_places((
    "batch", "rows", "columns", "depth", "width", "channels_in", "channels_out", "window", "run", "activation",
))  # fmt: skip
"""Shapes of which the trees see the mean over a graph's time, in logarithms."""


def typical_shapes(table: KernelTable) -> FloatArray:
    """Logarithms of the shapes of each kernel, of which trees see means, float64 (K, 10)."""
    return np.log1p(table.values[:, _TYPICAL])


def as_wholes(table: KernelTable, targets: Sequence[Target]) -> Graphs:
    """What is seen of the graphs of a table of K kernels, which run on n targets."""
    first = np.searchsorted(table.graph, np.arange(len(targets)))
    parameters, largest = table.values[np.ix_(first, _SIZES)].T
    return Graphs(parameter_bytes=parameters, largest_bytes=largest, shapes=typical_shapes(table), targets=targets)


def graph_features(kernels: Kernels, graphs: Graphs, traits: NDArray[np.float32]) -> FloatArray:
    """What trees read of each graph, float64 (n, f).

    Args:
        kernels: of n graphs, as forecast.
        graphs: the same graphs.
        traits: float32 (n, a), of each graph's target.
    """
    times = np.exp(kernels.log_time)
    totals = np.maximum(kernels.totals(times), 1e-300)
    shares = kernels.by_class(times) / totals[:, None]
    tilt = kernels.sums(times[:, None] * kernels.tilt) / totals[:, None]
    largest = np.zeros(kernels.count)
    np.maximum.at(largest, kernels.rows, times)
    sizes = np.log1p(np.stack([graphs.parameter_bytes, graphs.largest_bytes]))
    counts = np.bincount(kernels.rows, minlength=kernels.count)
    typical = kernels.sums(times[:, None] * graphs.shapes) / totals[:, None]
    plain = [np.log(totals), np.log(np.maximum(counts, 1)), *sizes, *typical.T, largest / totals]
    return np.concatenate([np.sqrt(shares), tilt, np.stack(plain, axis=1), traits], axis=1)


def is_whole(kernels: Kernels) -> NDArray[np.bool_]:
    """Graphs with enough kernels to have something in common, bool (n,)."""
    return np.asarray(np.bincount(kernels.rows, minlength=kernels.count) >= MIN_KERNELS)


def learn_whole_graphs(
    training: TrainingSet,
    kernels: Kernels,
    multipliers: Multipliers,
    encoding: KernelEncoding,
    growth: Growth,
    *,
    folds: int,
    progress: Progress,
) -> tuple[ResidualTrees, FloatArray]:
    """Trees over what multipliers leave of graphs' latencies; none where there are too few graphs.

    Args:
        training: n rows of one or many targets.
        kernels: of the rows, as forecast by models that did not see their graphs.
        multipliers: that these taught.
        encoding: of the targets' traits.
        growth: how trees grow.
        folds: of graphs, as those of the networks.
        progress: called with the share done.

    Returns:
        The trees, and what trees say of each graph that did not see it, float64 (n,), log factor; zero where too small.
    """
    whole = is_whole(kernels)
    if whole.sum() < _FEWEST_GRAPHS:
        return ResidualTrees(boosters=()), np.zeros(kernels.count)
    batch = training.batch
    features = graph_features(kernels, as_wholes(batch.table, batch.targets), encoding.multi_hot(batch.targets))
    residual = np.where(whole, _residual(training, kernels, multipliers), np.nan)
    weights = np.ones(kernels.count)
    _, factor = ResidualTrees.fit(
        features,
        residual,
        weights,
        training.row_folds(folds, seed=growth.seed),
        growth,
        progress=lambda share: progress(share, "trees over whole graphs"),
    )
    # What forecasts are made with has seen all rows: as good as the mean over folds, in a quarter of the time.
    return ResidualTrees.grow(features, residual, weights, growth), np.where(whole, factor, 0.0)


def _residual(training: TrainingSet, kernels: Kernels, multipliers: Multipliers) -> FloatArray:
    """Log latency of each row over its forecast, float64 (n,)."""
    residual = np.log(training.seen.latency)
    for name in training.target_names:
        rows = training.rows_of(name)
        residual[rows] -= multipliers.forecast(kernels.pick(rows), multipliers.effects.of(name))[0]
    return residual
