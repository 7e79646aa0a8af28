"""Trees learn what graphs as a whole have in common, where there are enough of them."""

import numpy as np
from numpy.testing import assert_array_equal

from predictors.kinds.kernel_sum.model import learn_multipliers
from predictors.kinds.kernel_sum.residual import Growth
from predictors.kinds.kernel_sum.shared_roofline import SharedRoofline
from predictors.kinds.universal.graphs.kernel_network import KernelEncoding
from predictors.kinds.universal.graphs.whole_graphs import as_wholes, graph_features, is_whole, learn_whole_graphs
from predictors.testing import DEVICES, measure, random_graph
from profilers.progress import no_progress

GROWTH = Growth(trees=60, learning_rate=0.1, leaves=15, seed=0, random_splits=True)


def learned(graphs: int) -> tuple[object, np.ndarray, np.ndarray]:
    """(trees, what they say of graphs that they did not see, whether each graph is whole)."""
    rng = np.random.default_rng(0)
    shared, training = SharedRoofline.fit(measure([random_graph(rng) for _ in range(graphs)], DEVICES[:1], rng))
    batch = training.batch
    tilts, held_out = np.zeros((len(batch.table), 1)), np.zeros(len(batch.table))
    kernels, multipliers = learn_multipliers(shared, training, tilts, held_out)
    encoding = KernelEncoding.fit(batch.table, batch.targets, batch.costs)
    features = graph_features(kernels, as_wholes(batch.table, batch.targets), encoding.multi_hot(batch.targets))
    assert features.shape[0] == kernels.count
    assert np.isfinite(features).all()
    trees, factor = learn_whole_graphs(training, kernels, multipliers, encoding, GROWTH, folds=3, progress=no_progress)
    return trees, factor, is_whole(kernels)


def test_few_graphs_teach_nothing() -> None:
    trees, factor, _ = learned(20)
    assert not trees.boosters
    assert_array_equal(factor, np.zeros(20))


def test_many_graphs_have_factors_where_they_are_whole() -> None:
    trees, factor, whole = learned(130)
    assert len(trees.boosters) == 1, "forecasts take the trees that have seen all rows"
    assert whole.sum() >= 100
    assert factor[whole].any()
    assert not factor[~whole].any()
